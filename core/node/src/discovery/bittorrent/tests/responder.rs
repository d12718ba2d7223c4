//! Nodes that speak KRPC (BEP 5) as badly as a test wants.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// What was asked, and by whom in the swarm it is answered.
pub(super) struct Query<'a> {
    pub(super) node: usize,
    /// Such as `get_peers`.
    pub(super) method: &'a str,
    pub(super) transaction: [u8; 4],
}

/// Nodes on loopback, each with a socket of its own, that answer as one function says.
pub(super) struct Swarm {
    pub(super) addresses: Vec<SocketAddrV4>,
    task: JoinHandle<()>,
}

impl Swarm {
    /// `answer` is given each query, and the addresses of all nodes.
    pub(super) async fn start(
        nodes: usize,
        answer: impl Fn(&Query<'_>, &[SocketAddrV4]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::start_slow(nodes, Duration::ZERO, answer).await
    }

    /// Each node pauses before each of its answers.
    pub(super) async fn start_slow(
        nodes: usize,
        pause: Duration,
        answer: impl Fn(&Query<'_>, &[SocketAddrV4]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let mut sockets = Vec::new();
        let mut addresses = Vec::new();
        for _ in 0..nodes {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = socket.local_addr().unwrap().port();
            addresses.push(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
            sockets.push(socket);
        }
        let (answer, all) = (Arc::new(answer), Arc::<[_]>::from(addresses.clone()));
        let task = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            for (node, socket) in sockets.into_iter().enumerate() {
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                serving.spawn(async move {
                    serve(node, &socket, pause, |query| answer(query, &all)).await;
                });
            }
            serving.join_all().await;
        });
        Self { addresses, task }
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    node: usize,
    socket: &UdpSocket,
    pause: Duration,
    answer: impl Fn(&Query<'_>) -> Option<Vec<u8>>,
) {
    let mut packet = [0; 2048];
    loop {
        let (length, from) = socket.recv_from(&mut packet).await.unwrap();
        let query = read(node, &packet[..length]);
        if let Some(bytes) = query.and_then(|query| answer(&query)) {
            sleep(pause).await;
            let _ = socket.send_to(&bytes, from).await;
        }
    }
}

/// Reads just enough of a query of the crate `mainline`, whose transaction ids have four bytes.
fn read(node: usize, packet: &[u8]) -> Option<Query<'static>> {
    let after = |key: &[u8]| {
        let start = packet.windows(key.len()).rposition(|window| window == key)?;
        packet.get(start + key.len()..)
    };
    let methods = ["ping", "find_node", "get_peers", "announce_peer", "get"];
    let method = methods
        .into_iter()
        .find(|method| after(format!("1:q{}:{method}", method.len()).as_bytes()).is_some())?;
    let transaction = after(b"1:t4:")?.get(..4)?.try_into().ok()?;
    Some(Query { node, method, transaction })
}

impl Query<'_> {
    /// An answer from a node with this id that names nodes (`get_peers`, `find_node`) and peers.
    pub(super) fn answer(
        &self,
        id: [u8; 20],
        nodes: &[([u8; 20], SocketAddrV4)],
        peers: &[SocketAddrV4],
    ) -> Vec<u8> {
        let mut bytes = b"d1:rd2:id20:".to_vec();
        bytes.extend(id);
        if self.method != "ping" && self.method != "announce_peer" {
            bytes.extend(format!("5:nodes{}:", nodes.len() * 26).bytes());
            for (id, address) in nodes {
                bytes.extend(id);
                bytes.extend(compact(*address));
            }
        }
        if self.method == "get_peers" {
            bytes.extend(b"5:token4:abcd");
            if !peers.is_empty() {
                bytes.extend(b"6:valuesl");
                for peer in peers {
                    bytes.extend(b"6:");
                    bytes.extend(compact(*peer));
                }
                bytes.push(b'e');
            }
        }
        bytes.push(b'e');
        self.end(bytes, b'r')
    }

    /// An error with this number.
    pub(super) fn error(&self, number: u16) -> Vec<u8> {
        self.end(format!("d1:eli{number}e4:evile").into_bytes(), b'e')
    }

    fn end(&self, mut bytes: Vec<u8>, kind: u8) -> Vec<u8> {
        bytes.extend(b"1:t4:");
        bytes.extend(self.transaction);
        bytes.extend(b"1:y1:");
        bytes.extend([kind, b'e']);
        bytes
    }
}

fn compact(address: SocketAddrV4) -> [u8; 6] {
    let ([a, b, c, d], [high, low]) = (address.ip().octets(), address.port().to_be_bytes());
    [a, b, c, d, high, low]
}
