//! The pipe over memory, against itself and against rustls's buffered interface.

use std::time::Duration;

use rustls::{
    ClientConnection, ServerConnection, SupportedCipherSuite, Tls13CipherSuite,
    crypto::{CipherSuiteCommon, CryptoProvider, ring::cipher_suite::TLS13_AES_128_GCM_SHA256},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::{identity::Identity, transport::raw_key::provider};

fn configs(provider: CryptoProvider) -> (Identity, TlsConfigs) {
    let identity = Identity::fresh().unwrap();
    let configs = TlsConfigs::with_provider(&identity, provider).unwrap();
    (identity, configs)
}

async fn receive(pipe: &mut TlsPipe<DuplexStream>, length: usize) -> Vec<u8> {
    let mut received = vec![];
    while received.len() < length {
        let mut sink = |bytes: &[u8]| received.extend_from_slice(bytes);
        let open = std::future::poll_fn(|context| pipe.poll_receive(context, &mut sink)).await;
        assert!(open.unwrap() || received.len() == length);
    }
    received
}

async fn send(pipe: &mut TlsPipe<DuplexStream>, bytes: &[u8]) {
    pipe.seal(bytes).unwrap();
    std::future::poll_fn(|context| pipe.poll_flush(context)).await.unwrap();
}

async fn pair(provider: CryptoProvider) -> [(Secured, TlsPipe<DuplexStream>); 2] {
    let (near, far) = tokio::io::duplex(1 << 20);
    let (dialler, acceptor) = (configs(provider.clone()), configs(provider));
    let mut client = TlsPipe::client(near, &dialler.1).unwrap();
    let mut server = TlsPipe::server(far, &acceptor.1).unwrap();
    let (at_client, at_server) = tokio::join!(client.handshake(), server.handshake());
    let (at_client, at_server) = (at_client.unwrap(), at_server.unwrap());
    assert_eq!((at_client.peer, at_server.peer), (acceptor.0.id(), dialler.0.id()));
    [(at_client, client), (at_server, server)]
}

#[tokio::test]
async fn both_sides_learn_each_others_key_and_the_same_exporter() {
    for suite in provider().cipher_suites {
        let only = CryptoProvider { cipher_suites: vec![suite], ..provider() };
        let [(client, _), (server, _)] = pair(only).await;
        assert_eq!(client.exporter, server.exporter, "{suite:?}");
    }
}

#[tokio::test]
async fn bytes_arrive_in_order_in_both_directions() {
    let [(_, mut client), (_, mut server)] = pair(provider()).await;
    for length in [1, 100, 16_384, 16_385, 200_000] {
        let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
        send(&mut client, &bytes).await;
        assert!(receive(&mut server, length).await == bytes);
        send(&mut server, &bytes).await;
        assert!(receive(&mut client, length).await == bytes);
    }
}

#[tokio::test]
async fn an_idle_connection_holds_no_buffer() {
    let [(_, mut client), (_, mut server)] = pair(provider()).await;
    send(&mut client, &[1; 1000]).await;
    receive(&mut server, 1000).await;
    assert!(client.outgoing.buffer.is_empty() && server.parked.capacity() == 0);
}

#[tokio::test]
async fn keys_are_updated_both_ways_before_their_limit_is_reached() {
    // A limit of a few records instead of 2^24 makes every connection update its keys all the time.
    let usual = TLS13_AES_128_GCM_SHA256.tls13().unwrap();
    let suite = Tls13CipherSuite {
        common: CipherSuiteCommon { confidentiality_limit: 8, ..usual.common },
        ..*usual
    };
    let suite = SupportedCipherSuite::Tls13(Box::leak(Box::new(suite)));
    let limited = CryptoProvider { cipher_suites: vec![suite], ..provider() };
    let [(_, mut client), (_, mut server)] = pair(limited).await;
    for round in 0..100u8 {
        send(&mut client, &[round; 40_000]).await;
        assert!(receive(&mut server, 40_000).await == [round; 40_000]);
        send(&mut server, &[round; 100]).await;
        assert!(receive(&mut client, 100).await == [round; 100]);
    }
}

#[tokio::test]
async fn the_end_of_the_stream_is_seen_after_all_bytes() {
    let [(_, mut client), (_, mut server)] = pair(provider()).await;
    client.seal(b"last").unwrap();
    std::future::poll_fn(|context| client.poll_close(context)).await.unwrap();
    assert_eq!(receive(&mut server, 4).await, b"last");
    let open = std::future::poll_fn(|context| server.poll_receive(context, &mut |_| {})).await;
    assert!(!open.unwrap());
}

/// Runs a buffered rustls connection over a stream until its handshake is done.
async fn buffered<Data>(
    connection: &mut rustls::ConnectionCommon<Data>,
    stream: &mut DuplexStream,
) -> [u8; 32] {
    while connection.is_handshaking() || connection.wants_write() {
        let mut out = vec![];
        while connection.wants_write() {
            connection.write_tls(&mut out).unwrap();
        }
        stream.write_all(&out).await.unwrap();
        if connection.is_handshaking() {
            let mut bytes = vec![0; 16_384];
            let read = stream.read(&mut bytes).await.unwrap();
            connection.read_tls(&mut &bytes[..read]).unwrap();
            connection.process_new_packets().unwrap();
        }
    }
    let label = p2pchan_proto::channel::EXPORTER_LABEL.as_bytes();
    connection.export_keying_material([0; 32], label, Some(b"")).unwrap()
}

#[tokio::test]
async fn the_exporter_is_the_one_that_rustls_itself_computes() {
    for suite in provider().cipher_suites {
        let only = CryptoProvider { cipher_suites: vec![suite], ..provider() };
        let (ours, theirs) = (configs(only.clone()).1, configs(only).1);

        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut client = TlsPipe::client(near, &ours).unwrap();
        let mut server = ServerConnection::new(theirs.server.clone()).unwrap();
        let (secured, exporter) = tokio::join!(client.handshake(), buffered(&mut server, &mut far));
        assert_eq!(secured.unwrap().exporter, exporter, "{suite:?}");

        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut server = TlsPipe::server(near, &ours).unwrap();
        let name = ServerName::try_from("p2pchan").unwrap();
        let mut client = ClientConnection::new(theirs.client, name).unwrap();
        let (secured, exporter) = tokio::join!(server.handshake(), buffered(&mut client, &mut far));
        assert_eq!(secured.unwrap().exporter, exporter, "{suite:?}");
    }
}

async fn handshake_error(bytes: &[u8]) -> String {
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let mut server = TlsPipe::server(near, &configs(provider()).1).unwrap();
    far.write_all(bytes).await.unwrap();
    far.shutdown().await.unwrap();
    server.handshake().await.err().unwrap().to_string()
}

#[tokio::test]
async fn whoever_speaks_something_else_is_refused() {
    handshake_error(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").await;
    handshake_error(&[0; 64]).await;
    handshake_error(b"").await;
    let endless = [&[0x16, 3, 1, 0x40, 0][..], &[1; 12_000]].concat();
    handshake_error(&endless).await;
}

#[tokio::test]
async fn tls_of_another_protocol_is_refused_and_told() {
    for alpn in [vec![], vec![b"h2".to_vec()]] {
        let mut config = (*configs(provider()).1.client).clone();
        let alpn_is_empty = alpn.is_empty();
        config.alpn_protocols = alpn;
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut server = TlsPipe::server(near, &configs(provider()).1).unwrap();
        let name = ServerName::try_from("p2pchan").unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let other = async {
            let mut bytes = vec![0; 16_384];
            loop {
                let mut out = vec![];
                while client.wants_write() {
                    client.write_tls(&mut out).unwrap();
                }
                let _ = far.write_all(&out).await;
                match far.read(&mut bytes).await {
                    Ok(read @ 1..) => client.read_tls(&mut &bytes[..read]).unwrap(),
                    _ => return None,
                };
                if let Err(error) = client.process_new_packets() {
                    return Some(error);
                }
            }
        };
        let server = async {
            let refused = server.handshake().await.is_err();
            drop(server);
            refused
        };
        let both = async { tokio::join!(server, other) };
        let (refused, told) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        assert!(refused);
        // Without ALPN the TLS handshake itself succeeds, and there is nothing to tell in its words.
        let alert = matches!(told, Some(rustls::Error::AlertReceived(_)));
        assert!(alert || alpn_is_empty, "{told:?}");
    }
}
