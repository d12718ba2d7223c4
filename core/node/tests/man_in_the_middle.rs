//! An attacker that terminates TLS on both sides, with keys of its own, and passes on what two
//! honest nodes say to each other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use common::{DEADLINE, TOPIC, node, peer::Peer, rest, start, still_healthy, within};
use p2pchan::{Address, CloseCode, ErrorKind, Event, Node};
use p2pchan_proto::{
    channel::Offer,
    wire::{About, Close, FrameType, Hello, Match, Welcome, push_frame},
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

const TOWARDS_DIALLER: [u8; 32] = [0xa1; 32];
const TOWARDS_ACCEPTOR: [u8; 32] = [0xa2; 32];

/// The frames that passed the attacker, in each direction.
#[derive(Default)]
struct Seen {
    from_dialler: Vec<(u8, Vec<u8>)>,
    from_acceptor: Vec<(u8, Vec<u8>)>,
}

/// Waits for one connection and passes every frame on, until a side is gone.
async fn attack(target: Address) -> (Address, JoinHandle<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::tcp(listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut victim = Peer::accept(stream, TOWARDS_DIALLER).await.unwrap();
        let mut target = Peer::dial(target, TOWARDS_ACCEPTOR).await;
        let mut seen = Seen::default();
        loop {
            tokio::select! {
                frame = victim.read_frame() => match frame {
                    Some(frame) => pass(frame, &mut target, &mut seen.from_dialler).await,
                    None => return seen,
                },
                frame = target.read_frame() => match frame {
                    Some(frame) => pass(frame, &mut victim, &mut seen.from_acceptor).await,
                    None => return seen,
                },
            }
        }
    });
    (address, task)
}

async fn pass((kind, body): (u8, Vec<u8>), to: &mut Peer, seen: &mut Vec<(u8, Vec<u8>)>) {
    let mut frame = Vec::new();
    push_frame(&mut frame, FrameType::from_u8(kind).unwrap(), &body);
    let _ = to.write(&frame).await;
    seen.push((kind, body));
}

async fn opened(node: Node, events: p2pchan::Events) -> usize {
    node.close().await;
    let events = rest(events).await;
    events.iter().filter(|event| matches!(event, Event::RemoteOpened { .. })).count()
}

#[tokio::test]
async fn a_man_in_the_middle_who_passes_everything_on_gets_no_remote_on_either_side() {
    let (acceptor, dialler) = (node().await, start(Node::builder()).await);
    let (acceptor_events, dialler_events) = (acceptor.events(), dialler.events());
    let (address, attacker) = attack(acceptor.addresses()[0]).await;
    let error = within(dialler.connect(address)).await.unwrap_err();
    // The dialler learns that there is no common subject, and so did the acceptor.
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    assert!(error.message().contains("no subject in common"), "{error}");
    let seen = within(attacker).await.unwrap();
    let said: Vec<_> = seen.from_acceptor.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(said, [FrameType::Close as u8], "the acceptor shows no tag");
    let close = Close::decode(&seen.from_acceptor[0].1).unwrap();
    assert_eq!(CloseCode::from_wire(close.code), CloseCode::NoSubject);
    still_healthy(&acceptor).await;
    assert_eq!(opened(dialler, dialler_events).await, 0);
    // The one of the honest peer afterwards.
    assert_eq!(opened(acceptor, acceptor_events).await, 1);
}

/// What the dialler says to an attacker that answers HELLO as it likes.
async fn answered(
    answer: impl Fn(&Hello, &Peer) -> Vec<Match>,
) -> (p2pchan::Error, Option<CloseCode>) {
    let dialler = start(Node::builder()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::tcp(listener.local_addr().unwrap());
    let attack = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut victim = Peer::accept(stream, TOWARDS_DIALLER).await.unwrap();
        let (kind, body) = victim.read_frame().await.unwrap();
        assert_eq!(kind, FrameType::Hello as u8);
        let matches = answer(&Hello::decode(&body).unwrap(), &victim);
        let about = About { features: 0, max_message: 1 << 20, window: 1 << 20, observed: None };
        let body = Welcome { about, matches }.encode(1);
        victim.frame(FrameType::Welcome, &body).await;
        victim.closed().await
    };
    let (result, code) = within(async { tokio::join!(dialler.connect(address), attack) }).await;
    assert!(timeout(DEADLINE, dialler.close()).await.is_ok());
    (result.unwrap_err(), code)
}

#[tokio::test]
async fn an_attacker_that_reflects_the_tags_of_hello_proves_nothing() {
    let reflect = |hello: &Hello, _: &Peer| vec![Match { position: 0, tag: hello.tags[0] }];
    let (error, code) = answered(reflect).await;
    assert_eq!((error.kind(), code), (ErrorKind::Protocol, Some(CloseCode::Protocol)), "{error}");
}

#[tokio::test]
async fn an_attacker_that_guesses_a_tag_or_a_position_proves_nothing() {
    for position in [0, 1, u16::MAX] {
        let (error, code) = answered(|_, _| vec![Match { position, tag: [5; 16] }]).await;
        assert_eq!((error.kind(), code), (ErrorKind::Protocol, Some(CloseCode::Protocol)));
    }
}

#[tokio::test]
async fn a_welcome_to_nothing_is_no_welcome() {
    let (error, code) = answered(|_, _| vec![]).await;
    assert_eq!((error.kind(), code), (ErrorKind::Protocol, Some(CloseCode::Protocol)), "{error}");
}

#[tokio::test]
async fn tags_are_bound_to_the_connection_on_which_they_are_shown() {
    // The attacker has an honest member prove the subject to it, and shows the proof elsewhere.
    let (acceptor, dialler) = (node().await, start(Node::builder()).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::tcp(listener.local_addr().unwrap());
    let connecting = tokio::spawn(async move { dialler.connect(address).await });
    let (stream, _) = within(listener.accept()).await.unwrap();
    let mut victim = Peer::accept(stream, TOWARDS_DIALLER).await.unwrap();
    let (_, recorded) = within(victim.read_frame()).await.unwrap();
    for _ in 0..2 {
        let mut replay = Peer::dial(acceptor.addresses()[0], TOWARDS_ACCEPTOR).await;
        replay.frame(FrameType::Hello, &recorded).await;
        let (frames, code) = within(replay.last_frames()).await;
        assert_eq!((frames, code), (vec![], Some(CloseCode::NoSubject)));
    }
    drop(victim);
    assert!(within(connecting).await.unwrap().is_err());
    still_healthy(&acceptor).await;
}

#[tokio::test]
async fn a_proof_made_for_one_connection_is_worthless_on_the_next_of_the_same_peer() {
    let acceptor = node().await;
    let first = Peer::dial(acceptor.addresses()[0], TOWARDS_ACCEPTOR).await;
    let offer: Offer = first.offer(TOPIC);
    let mut second = Peer::dial(acceptor.addresses()[0], TOWARDS_ACCEPTOR).await;
    let hello = common::peer::hello(offer.tags().to_vec());
    second.frame(FrameType::Hello, &hello.encode()).await;
    assert_eq!(within(second.last_frames()).await, (vec![], Some(CloseCode::NoSubject)));
}
