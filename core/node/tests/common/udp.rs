//! UDP between two nodes: a way that can be led through another port, as a NAT does, and packets that no
//! node would send.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use p2pchan::Address;
use quinn::{
    AsyncUdpSocket, ClientConfig, Endpoint, EndpointConfig, TokioRuntime, UdpPoller,
    crypto::rustls::QuicClientConfig,
    udp::{RecvMeta, Transmit},
};
use tokio::{net::UdpSocket, sync::watch, task::JoinHandle};

use super::peer::client_config;

pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A NAT for one client: what it sends comes from a port of ours.
pub(crate) struct Nat {
    pub(crate) address: Address,
    outside: watch::Sender<Arc<UdpSocket>>,
    task: JoinHandle<()>,
}

impl Nat {
    pub(crate) async fn to(target: Address) -> Self {
        let inside = UdpSocket::bind(LOOPBACK).await.unwrap();
        let address = Address::quic(inside.local_addr().unwrap());
        let (outside, sockets) = watch::channel(Arc::new(UdpSocket::bind(LOOPBACK).await.unwrap()));
        let task = tokio::spawn(translate(inside, sockets, target.socket));
        Self { address, outside, task }
    }

    /// Forgets the mapping: from now on another port is used, and the old one answers nobody.
    pub(crate) async fn rebind(&self) {
        self.outside.send_replace(Arc::new(UdpSocket::bind(LOOPBACK).await.unwrap()));
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn translate(
    inside: UdpSocket,
    mut sockets: watch::Receiver<Arc<UdpSocket>>,
    target: SocketAddr,
) {
    let (mut there, mut back, mut client) = (vec![0; 65_536], vec![0; 65_536], None);
    loop {
        let outside = sockets.borrow_and_update().clone();
        tokio::select! {
            Ok((length, from)) = inside.recv_from(&mut there) => {
                client = Some(from);
                let _ = outside.send_to(&there[..length], target).await;
            }
            Ok((length, _)) = outside.recv_from(&mut back) => {
                if let Some(client) = client {
                    let _ = inside.send_to(&back[..length], client).await;
                }
            }
            Ok(()) = sockets.changed() => {}
            else => {}
        }
    }
}

/// First packets of as many QUIC connections, each with keys of its own: what a flood of forged senders
/// consists of.
pub(crate) fn initials(count: usize) -> Vec<Vec<u8>> {
    let tls = client_config([5; 32], vec![b"libp2pchan/1".to_vec()]);
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let sent = Arc::new(Recorder::default());
    let runtime = Arc::new(TokioRuntime);
    let endpoint =
        Endpoint::new_with_abstract_socket(EndpointConfig::default(), None, sent.clone(), runtime)
            .unwrap();
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    // A dial that is dropped would send that it has ended.
    let mut dials = Vec::new();
    for _ in 0..count {
        dials.push(Box::pin(endpoint.connect_with(config.clone(), nobody, "nobody").unwrap()));
    }
    // The first packet of each goes out when its task first runs; some are sent again meanwhile.
    let mut all = BTreeMap::new();
    while all.len() < count {
        let sent = std::mem::take(&mut *sent.0.lock().unwrap());
        // By connection id, which stands behind the first byte, the version and its own length.
        all.extend(sent.into_iter().map(|packet| (packet[6..14].to_vec(), packet)));
        std::thread::yield_now();
    }
    all.into_values().collect()
}

/// A socket that writes down what is sent and never receives.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Vec<u8>>>);

#[derive(Debug)]
struct Always;

impl UdpPoller for Always {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncUdpSocket for Recorder {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Always)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.lock().unwrap().push(transmit.contents.to_vec());
        Ok(())
    }

    fn poll_recv(
        &self,
        _: &mut Context<'_>,
        _: &mut [io::IoSliceMut<'_>],
        _: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(LOOPBACK)
    }
}
