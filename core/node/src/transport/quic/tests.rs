//! Two engines on loopback, and what shares their ports.

use std::{
    future::poll_fn,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{runtime::Handle, time::timeout};

use super::{Engine, QuicConfigs};
use crate::{
    identity::Identity,
    transport::{
        BATCH, Pipe, Secured, TlsConfigs,
        udp::{Packet, Port, Queue, Queues, bind, queue},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An engine, and what reaches its port beside QUIC.
struct End {
    engine: Arc<Engine>,
    identity: Identity,
    own: Queue,
    krpc: Queue,
}

impl End {
    fn start() -> Self {
        let identity = Identity::fresh().unwrap();
        let configs = QuicConfigs::new(&TlsConfigs::new(&identity).unwrap()).unwrap();
        let ((own_sender, own), (krpc_sender, krpc)) = (queue(), queue());
        let queues = Queues { own: Some(own_sender), krpc: Some(krpc_sender) };
        let port = Port::new(bind(ANY_PORT).unwrap(), queues).unwrap();
        let engine = Engine::start(port, configs, Handle::current()).unwrap();
        engine.accept_connections(true);
        Self { engine: Arc::new(engine), identity, own, krpc }
    }

    fn address(&self) -> SocketAddr {
        self.engine.port().local_address().unwrap()
    }
}

type Connected = (Box<dyn Pipe>, Secured);

/// Connects, at an address that leads to the acceptor. The dialler speaks first, as it always does.
async fn connect(dialler: &End, acceptor: &End, address: SocketAddr) -> (Connected, Connected) {
    let engine = acceptor.engine.clone();
    let accepted =
        tokio::spawn(async move { engine.accept().await.unwrap().handshake().await.unwrap() });
    let (mut pipe, secured) =
        timeout(PATIENCE, dialler.engine.dial(address)).await.unwrap().unwrap();
    send(&mut *pipe, b"!").await;
    let mut accepted = timeout(PATIENCE, accepted).await.unwrap().unwrap();
    assert_eq!(receive(&mut *accepted.0, 1).await, b"!");
    ((pipe, secured), accepted)
}

async fn send(pipe: &mut dyn Pipe, bytes: &[u8]) {
    pipe.seal(bytes).unwrap();
    timeout(PATIENCE, poll_fn(|context| pipe.poll_flush(context))).await.unwrap().unwrap();
}

async fn receive(pipe: &mut dyn Pipe, length: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < length {
        let read = poll_fn(|context| {
            pipe.poll_receive(context, &mut |bytes| all.extend_from_slice(bytes))
        });
        assert!(timeout(PATIENCE, read).await.unwrap().unwrap(), "the stream ended early");
    }
    all
}

#[tokio::test]
async fn both_sides_know_each_other_and_share_a_secret() {
    let (near, far) = (End::start(), End::start());
    let ((_, to_far), (_, to_near)) = connect(&near, &far, far.address()).await;
    assert_eq!(to_far.peer, far.identity.id());
    assert_eq!(to_near.peer, near.identity.id());
    assert_eq!(to_far.exporter, to_near.exporter);
    let ((_, again), _) = connect(&near, &far, far.address()).await;
    assert_ne!(to_far.exporter, again.exporter);
}

#[tokio::test]
async fn what_was_sealed_before_closing_arrives_and_then_the_end() {
    let (near, far) = (End::start(), End::start());
    let ((mut pipe, _), (mut other, _)) = connect(&near, &far, far.address()).await;
    let sent: Vec<u8> = (0..BATCH).map(|number| u8::try_from(number % 251).unwrap()).collect();
    pipe.seal(&sent).unwrap();
    let closing = tokio::spawn(async move {
        poll_fn(|context| pipe.poll_close(context)).await.unwrap();
    });
    assert_eq!(receive(&mut *other, sent.len()).await, sent);
    assert!(!poll_fn(|context| other.poll_receive(context, &mut |_| {})).await.unwrap());
    timeout(PATIENCE, closing).await.unwrap().unwrap();
    // The dialler's pipe is gone now; that is an end, not an error.
    assert!(!poll_fn(|context| other.poll_receive(context, &mut |_| {})).await.unwrap());
}

#[tokio::test]
async fn a_dial_that_is_given_up_leaves_nothing_open() {
    let (near, far) = (End::start(), End::start());
    // Nobody accepts, so the dial hangs until it is dropped.
    let dial = near.engine.dial(far.address());
    assert!(timeout(Duration::from_millis(50), dial).await.is_err());
    let gone = async {
        while near.engine.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_does_not_accept_still_dials() {
    let (near, far) = (End::start(), End::start());
    near.engine.accept_connections(false);
    let refused = timeout(Duration::from_millis(300), far.engine.dial(near.address())).await;
    assert!(!matches!(refused, Ok(Ok(_))));
    connect(&near, &far, far.address()).await;
}

#[tokio::test]
async fn a_closed_engine_gives_its_port_back() {
    let (near, far) = (End::start(), End::start());
    let (address, (open, _)) = (far.address(), connect(&near, &far, far.address()).await);
    timeout(PATIENCE, far.engine.close()).await.unwrap();
    bind(address).unwrap();
    drop(open);
}

#[tokio::test]
async fn connections_survive_another_socket_under_the_port() {
    let (near, far) = (End::start(), End::start());
    let ((mut pipe, _), (mut other, _)) = connect(&near, &far, far.address()).await;
    let before = near.address();
    for round in 0..5u8 {
        // The dialling side moves, as behind a NAT that forgot it: the other follows.
        near.engine.port().swap(bind(ANY_PORT).unwrap()).unwrap();
        send(&mut *pipe, &[round]).await;
        assert_eq!(receive(&mut *other, 1).await, [round]);
        send(&mut *other, &[round]).await;
        assert_eq!(receive(&mut *pipe, 1).await, [round]);
    }
    assert_ne!(near.address(), before);
}

/// Forwards datagrams between one client and a server.
async fn forward(socket: tokio::net::UdpSocket, server: SocketAddr) {
    let (mut buffer, mut client) = ([0; 2048], None);
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let to = if from == server { client } else { Some(server) };
        if from != server {
            client = Some(from);
        }
        if let Some(to) = to {
            let _ = socket.send_to(&buffer[..length], to).await;
        }
    }
}

#[tokio::test]
async fn a_path_can_be_led_elsewhere_under_a_live_connection() {
    let (near, far) = (End::start(), End::start());
    let mut ways = Vec::new();
    for _ in 0..2 {
        let socket = tokio::net::UdpSocket::bind(ANY_PORT).await.unwrap();
        let address = socket.local_addr().unwrap();
        ways.push((address, tokio::spawn(forward(socket, far.address()))));
    }
    let path = near.engine.port().open_path(ways[0].0).unwrap();
    let ((mut pipe, _), (mut other, _)) = connect(&near, &far, path.name()).await;
    // The first way is cut for good; everything goes over the second one.
    ways[0].1.abort();
    assert!(path.reroute(ways[1].0));
    let sent = vec![7; BATCH];
    send(&mut *pipe, &sent).await;
    assert_eq!(receive(&mut *other, BATCH).await, sent);
    send(&mut *other, &sent).await;
    assert_eq!(receive(&mut *pipe, BATCH).await, sent);
}

/// Answers requests as a DHT would, and says how many it saw.
async fn answer(port: Arc<Port>, mut queue: Queue) {
    while let Some(Packet { from, bytes }) = queue.recv().await {
        port.send(&bytes, from).unwrap();
    }
}

/// Asks one request after the other, each with its number.
async fn ask(port: Arc<Port>, queue: &mut Queue, to: SocketAddr, form: fn(u32) -> Vec<u8>) -> u32 {
    let mut asked = 0;
    while asked < REQUESTS {
        let request = form(asked);
        port.send(&request, to).unwrap();
        let answer = timeout(PATIENCE, queue.recv()).await.expect("an answer").unwrap();
        assert_eq!(&answer.bytes[..], request);
        asked += 1;
    }
    asked
}

/// Requests of each kind while the transfer runs.
const REQUESTS: u32 = 1000;

fn krpc(number: u32) -> Vec<u8> {
    format!("d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t8:{number:08}1:y1:qe").into_bytes()
}

fn own(number: u32) -> Vec<u8> {
    [&[0x97, 0xff][..], &number.to_be_bytes(), &[0x40; 20]].concat()
}

/// Moves bytes over QUIC while both kinds of requests go to and fro on the same two ports, and checks
/// that every packet was counted as what it is. Returns how many packets of QUIC were received.
async fn one_port(bytes: usize) -> u64 {
    let (mut near, far) = (End::start(), End::start());
    let ((mut pipe, _), (mut other, _)) = connect(&near, &far, far.address()).await;
    let (near_port, far_port) = (near.engine.port().clone(), far.engine.port().clone());
    let to = far.address();
    tokio::spawn(answer(far_port.clone(), far.own));
    tokio::spawn(answer(far_port.clone(), far.krpc));
    let received = tokio::spawn(async move {
        let (mut received, mut sum) = (0, 0u64);
        while received < bytes {
            let read = poll_fn(|context| {
                other.poll_receive(context, &mut |bytes| {
                    received += bytes.len();
                    sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
                })
            });
            assert!(timeout(PATIENCE, read).await.unwrap().unwrap());
        }
        (other, sum)
    });
    let transfer = tokio::spawn(async move {
        let batch = vec![1; BATCH];
        for _ in 0..bytes / BATCH {
            send(&mut *pipe, &batch).await;
        }
        pipe
    });
    let krpc = ask(near_port.clone(), &mut near.krpc, to, krpc);
    let own = ask(near_port.clone(), &mut near.own, to, own);
    let (krpc, own) = tokio::join!(krpc, own);
    let _pipe = timeout(PATIENCE * 5, transfer).await.unwrap().unwrap();
    let (_other, sum) = timeout(PATIENCE * 5, received).await.unwrap().unwrap();
    assert_eq!(sum, bytes as u64, "the transfer is whole");
    let mut quic = 0;
    for port in [near_port, far_port] {
        let counters = port.counters();
        assert_eq!((counters.krpc, counters.own), (krpc.into(), own.into()));
        assert_eq!((counters.other, counters.dropped), (0, 0));
        quic += counters.quic;
    }
    quic
}

#[tokio::test]
async fn requests_of_a_dht_and_a_transfer_share_a_port_and_lose_nothing() {
    assert!(one_port(64 << 20).await > 40_000);
}

/// `make soak` runs it optimised, in some seconds.
#[tokio::test]
#[ignore = "two million packets"]
async fn two_million_packets_share_a_port_and_none_is_taken_for_another() {
    let mut packets = 0;
    while packets < 2_000_000 {
        packets += one_port(1 << 30).await;
    }
    println!("{packets} packets");
}
