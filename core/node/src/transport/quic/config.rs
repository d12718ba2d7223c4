//! What the engine is set to.

use std::{sync::Arc, time::Duration};

use p2pchan_proto::{
    datagram::{CONNECTION_ID_LEN, connection_id},
    error::{Error, ErrorKind},
};
use quinn::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, ServerConfig,
    TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};

use crate::transport::TlsConfigs;

/// Frames of a connection that may be on their way: the product of a fast path's rate and delay
/// (500 Mbit/s, 100 ms). The session reads all of it at once, so it waits in memory only for moments.
const WINDOW: u32 = 6 << 20;
/// The same for what is sent and not acknowledged yet: the engine keeps a copy of it.
const SEND_WINDOW: u64 = 6 << 20;
/// After a silence of this length the engine forgets a peer. The session's PINGs give it up long before,
/// at the longest `timeouts.ping` too, and say why.
const SILENCE: Duration = Duration::from_secs(30 * 60);
/// Incoming connections that wait to be looked at, and bytes that each may send meanwhile: the rest of
/// a first flight.
const MOST_INCOMING: usize = 128;
const INCOMING_BYTES: u64 = 8 * 1024;

/// The engine's configurations of one node.
#[derive(Clone)]
pub(crate) struct QuicConfigs {
    pub(super) client: ClientConfig,
    pub(super) server: ServerConfig,
}

impl QuicConfigs {
    pub(crate) fn new(tls: &TlsConfigs) -> Result<Self, Error> {
        let internal = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Internal, format!("QUIC: {error}"))
        };
        let client =
            QuicClientConfig::try_from(tls.client.clone()).map_err(|error| internal(&error))?;
        let server =
            QuicServerConfig::try_from(tls.server.clone()).map_err(|error| internal(&error))?;
        let silence = IdleTimeout::try_from(SILENCE).map_err(|error| internal(&error))?;
        let mut client = ClientConfig::new(Arc::new(client));
        client.transport_config(Arc::new(transport(silence, 0)));
        let mut server = ServerConfig::with_crypto(Arc::new(server));
        server
            .transport_config(Arc::new(transport(silence, 1)))
            .max_incoming(MOST_INCOMING)
            .incoming_buffer_size(INCOMING_BYTES)
            .incoming_buffer_size_total(INCOMING_BYTES * MOST_INCOMING as u64);
        Ok(Self { client, server })
    }
}

/// `streams` is how many the peer may open: the dialler opens one.
fn transport(silence: IdleTimeout, streams: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(silence))
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0);
    config
}

/// The settings of an endpoint that let the port tell its packets from all others.
pub(super) fn endpoint() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.grease_quic_bit(false).cid_generator(|| Box::new(ConnectionIds));
    config
}

/// Connection ids that no message of a DHT begins like.
#[derive(Debug)]
struct ConnectionIds;

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut random = [0; CONNECTION_ID_LEN];
        // Without randomness TLS fails anyhow; until then any number tells connections apart.
        let _ = getrandom::fill(&mut random);
        ConnectionId::new(&connection_id(random))
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use p2pchan_proto::datagram::{Class, classify};

    use super::*;

    #[test]
    fn no_connection_id_makes_a_packet_look_like_a_message_of_a_dht() {
        for _ in 0..10_000 {
            let id = ConnectionIds.generate_cid();
            // The header that looks most like it, and any end.
            assert_eq!(classify(&[b"d", &id[..], b"e"].concat()), Class::Quic);
        }
    }
}
