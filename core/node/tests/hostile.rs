//! Strangers that speak something else, stop half-way or break the protocol. The node drops them,
//! tells them why where it can, and is as it was before: nothing leaks, nothing panics, and the next
//! honest peer gets in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::time::Duration;

use common::{
    TOPIC, alone, descriptors, listening, memory, panics,
    peer::{ALPN, Peer, hello},
    still_healthy, tasks, until, within,
};
use p2pchan::{Address, Builder, CloseCode, ErrorKind, Node, Remote};
use p2pchan_proto::wire::{
    DataFlags, FrameType, Kind, MAX_HELLO, MAX_TAGS, push_data_header, push_frame, push_varint,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SEED: [u8; 32] = [0xbb; 32];
const BYTES: DataFlags = DataFlags { kind: Kind::Bytes, more: false };

/// Runs an attack on a node, and checks that nothing of it stays.
fn attacked(builder: Builder, attack: impl AsyncFnOnce(&Node)) {
    alone(async {
        let node = builder.start().await.unwrap();
        within(node.discover_topic(TOPIC).unwrap().flushed()).await.unwrap();
        let before = (descriptors(), tasks(), panics());
        within(attack(&node)).await;
        still_healthy(&node).await;
        let now = || (descriptors(), tasks(), panics());
        until("everything of the attack is gone", || now() == before).await;
        within(node.close()).await;
    });
}

/// A node that soon loses patience, but not with an honest peer on a busy machine.
fn impatient() -> Builder {
    listening().set("timeouts.handshake", "2s")
}

async fn connect(node: &Node) -> TcpStream {
    TcpStream::connect(node.addresses()[0].socket).await.unwrap()
}

/// Waits for the other side to hang up, by whatever means.
async fn hung_up(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
}

/// Sends bytes as the very first, and waits for the node to hang up.
fn says(bytes: &[u8]) {
    attacked(listening(), async |node| {
        let mut stream = connect(node).await;
        let _ = stream.write_all(bytes).await;
        hung_up(&mut stream).await;
    });
}

fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    })
}

#[test]
fn a_peer_that_speaks_garbage_is_dropped() {
    for seed in 1..20 {
        says(&noise(seed).take(4096).collect::<Vec<_>>());
    }
    says(&noise(99).take(1 << 20).collect::<Vec<_>>());
    says(&[0; 4096]);
    says(&[0xff; 4096]);
}

#[test]
fn a_peer_that_speaks_http_is_dropped() {
    says(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

#[test]
fn a_peer_that_speaks_tls_for_another_protocol_is_dropped() {
    attacked(listening(), async |node| {
        for alpn in [&b"h2"[..], b"libp2pchan/2"] {
            let dial = Peer::dial_with(node.addresses()[0].socket, SEED, alpn);
            assert!(dial.await.is_err());
        }
    });
}

#[test]
fn a_peer_that_speaks_tls_without_a_protocol_is_dropped() {
    attacked(listening(), async |node| {
        // rustls leaves the extension out if the list is empty, so TLS itself succeeds.
        if let Ok(mut peer) = Peer::dial_without_protocol(node.addresses()[0].socket, SEED).await {
            let tags = peer.offer(TOPIC).tags().to_vec();
            peer.frame(FrameType::Hello, &hello(tags).encode()).await;
            assert_eq!(peer.read_frame().await, None);
        }
    });
}

#[test]
fn a_peer_that_connects_and_leaves_is_forgotten() {
    attacked(listening(), async |node| {
        for _ in 0..50 {
            drop(connect(node).await);
            let stream = connect(node).await;
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
}

#[test]
fn a_peer_that_says_nothing_is_dropped() {
    attacked(impatient(), async |node| hung_up(&mut connect(node).await).await);
}

#[test]
fn a_peer_that_stops_within_its_first_tls_record_is_dropped() {
    attacked(impatient(), async |node| {
        // A handshake record of 512 bytes, of which some are missing.
        for length in [1, 5, 6, 100] {
            let record = [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[7; 100]].concat();
            let mut stream = connect(node).await;
            stream.write_all(&record[..length]).await.unwrap();
            hung_up(&mut stream).await;
        }
    });
}

#[test]
fn a_peer_that_never_says_hello_is_told_that_it_took_too_long() {
    attacked(impatient(), async |node| {
        let mut peer = Peer::dial(node.addresses()[0], SEED).await;
        assert_eq!(peer.last_frames().await, (vec![], Some(CloseCode::Timeout)));
    });
}

#[test]
fn a_peer_that_stops_half_way_through_hello_is_told_that_it_took_too_long() {
    attacked(impatient(), async |node| {
        let mut peer = Peer::dial(node.addresses()[0], SEED).await;
        let tags = peer.offer(TOPIC).tags().to_vec();
        let mut frame = Vec::new();
        push_frame(&mut frame, FrameType::Hello, &hello(tags).encode());
        peer.write(&frame[..frame.len() / 2]).await.unwrap();
        assert_eq!(peer.last_frames().await, (vec![], Some(CloseCode::Timeout)));
    });
}

#[test]
fn a_hello_that_comes_byte_by_byte_is_as_good_as_any() {
    attacked(listening().set("timeouts.handshake", "60s"), async |node| {
        let mut peer = Peer::dial(node.addresses()[0], SEED).await;
        let tags = peer.offer(TOPIC).tags().to_vec();
        let mut frame = Vec::new();
        push_frame(&mut frame, FrameType::Hello, &hello(tags).encode());
        for byte in frame {
            peer.write(&[byte]).await.unwrap();
        }
        assert_eq!(peer.read_frame().await.unwrap().0, FrameType::Welcome as u8);
        drop(node.next_remote().await.unwrap());
    });
}

#[test]
fn a_stranger_with_wrong_tags_learns_nothing_but_that() {
    attacked(listening(), async |node| {
        for count in [0, 1, 4, 16, MAX_TAGS] {
            let mut peer = Peer::dial(node.addresses()[0], SEED).await;
            let tags = vec![[9; 16]; count];
            peer.frame(FrameType::Hello, &hello(tags).encode()).await;
            assert_eq!(peer.last_frames().await, (vec![], Some(CloseCode::NoSubject)));
        }
    });
}

#[test]
fn a_peer_that_knows_another_subject_learns_nothing_but_that() {
    attacked(listening(), async |node| {
        let mut peer = Peer::dial(node.addresses()[0], SEED).await;
        let tags = peer.offer([8; 32]).tags().to_vec();
        peer.frame(FrameType::Hello, &hello(tags).encode()).await;
        assert_eq!(peer.last_frames().await, (vec![], Some(CloseCode::NoSubject)));
    });
}

/// Sends bytes in place of HELLO; how the node answers.
fn greets_with(bytes: &[u8]) {
    attacked(listening(), async |node| {
        let mut peer = Peer::dial(node.addresses()[0], SEED).await;
        let _ = peer.write(bytes).await;
        assert_eq!(peer.last_frames().await, (vec![], Some(CloseCode::Protocol)));
    });
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    push_varint(&mut frame, 1 + body.len() as u64);
    frame.push(kind);
    frame.extend_from_slice(body);
    frame
}

#[test]
fn a_frame_that_announces_4_gib_is_refused_before_anything_is_allocated() {
    let mut announced = Vec::new();
    push_varint(&mut announced, 1 << 32);
    announced.push(FrameType::Hello as u8);
    greets_with(&announced);
    breaks(&announced, CloseCode::Protocol);
}

#[test]
fn a_hello_longer_than_any_honest_one_is_refused() {
    greets_with(&frame(FrameType::Hello as u8, &[0; MAX_HELLO + 1]));
}

#[test]
fn a_hello_that_cannot_be_read_is_refused() {
    let honest = hello(vec![[1; 16]]).encode();
    greets_with(&frame(FrameType::Hello as u8, &honest[..honest.len() - 1]));
    let another_version = [&[2], &honest[1..]].concat();
    greets_with(&frame(FrameType::Hello as u8, &another_version));
    let mut narrow = hello(vec![[1; 16]]);
    narrow.about.window = 1024;
    greets_with(&frame(FrameType::Hello as u8, &narrow.encode()));
}

#[test]
fn anything_else_in_place_of_hello_is_refused() {
    for kind in [0, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 0x3f] {
        greets_with(&frame(kind, &[0; 16]));
    }
    greets_with(&[0]);
}

#[test]
fn every_later_frame_before_hello_is_skipped_if_it_is_a_hint_of_a_later_version() {
    attacked(listening(), async |node| {
        let mut peer = Peer::dial(node.addresses()[0], SEED).await;
        let tags = peer.offer(TOPIC).tags().to_vec();
        peer.write(&frame(0x40, b"something new")).await.unwrap();
        peer.frame(FrameType::Hello, &hello(tags).encode()).await;
        assert_eq!(peer.read_frame().await.unwrap().0, FrameType::Welcome as u8);
        drop(node.next_remote().await.unwrap());
    });
}

/// An open connection of a peer by hand, and the node's remote.
async fn open(node: &Node) -> (Peer, Remote) {
    let peer = Peer::open(node.addresses()[0], SEED, TOPIC).await;
    (peer, node.next_remote().await.unwrap())
}

/// Says something good, then sends bytes on the open connection that break the protocol: the peer
/// is told so with this code, and the program gets what was good and then the same reason.
fn breaks(bytes: &[u8], code: CloseCode) {
    attacked(listening(), async |node| {
        let (mut peer, mut remote) = open(node).await;
        let _ = peer.write(&[&data(BYTES, None, b"good")[..], bytes].concat()).await;
        assert_eq!(peer.closed().await, Some(code));
        assert_eq!(remote.recv().await.unwrap().unwrap().payload()[..], b"good"[..]);
        let error = remote.recv().await.unwrap_err();
        assert_eq!(error.kind(), code.kind(), "{error}");
        assert_eq!(remote.reason().unwrap().code(), Some(code));
    });
}

/// A DATA frame on channel 0.
fn data(flags: DataFlags, total: Option<u64>, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    push_data_header(&mut frame, 0, flags, total, payload.len());
    [frame, payload.to_vec()].concat()
}

#[test]
fn an_unknown_frame_ends_the_connection() {
    for kind in [0, 5, 6, 13, 15, 16, 0x3f] {
        breaks(&frame(kind, b"what"), CloseCode::Protocol);
    }
}

#[test]
fn an_unknown_frame_that_is_only_a_hint_is_skipped() {
    attacked(listening(), async |node| {
        let (mut peer, mut remote) = open(node).await;
        let hints = [frame(0x40, &[1; 60_000]), frame(0xff, b""), frame(0x77, b"?")].concat();
        peer.write(&[hints, data(BYTES, None, b"after")].concat()).await.unwrap();
        assert_eq!(remote.recv().await.unwrap().unwrap().payload()[..], b"after"[..]);
    });
}

#[test]
fn text_and_json_that_are_not_utf8_end_the_connection() {
    for kind in [Kind::Text, Kind::Json] {
        let flags = DataFlags { kind, more: false };
        breaks(&data(flags, None, b"\xff\xfe"), CloseCode::Protocol);
        // Cut in two within a character that is never completed.
        let first = data(DataFlags { kind, more: true }, Some(2), b"\xc3");
        breaks(&[first, data(flags, None, b"(")].concat(), CloseCode::Protocol);
    }
}

#[test]
fn flags_that_version_1_does_not_know_end_the_connection() {
    breaks(&frame(FrameType::Data as u8, &[0, 3, 1]), CloseCode::Protocol);
    breaks(&frame(FrameType::Data as u8, &[0, 8, 1]), CloseCode::Protocol);
}

#[test]
fn a_message_that_announces_4_gib_is_refused_before_anything_is_allocated() {
    let more = DataFlags { kind: Kind::Bytes, more: true };
    let before = memory();
    breaks(&data(more, Some(1 << 32), b"x"), CloseCode::TooBig);
    assert!(memory() < before + (64 << 20), "{before} bytes grew to {}", memory());
}

#[test]
fn a_message_over_the_limit_ends_the_connection() {
    attacked(listening().set("limits.message", "1KiB"), async |node| {
        let (mut peer, mut remote) = open(node).await;
        let fits = data(BYTES, None, &[1; 1024]);
        let _ = peer.write(&[fits, data(BYTES, None, &[2; 1025])].concat()).await;
        assert_eq!(peer.closed().await, Some(CloseCode::TooBig));
        assert_eq!(remote.recv().await.unwrap().unwrap().payload().len(), 1024);
        assert_eq!(remote.recv().await.unwrap_err().kind(), ErrorKind::TooBig);
    });
}

#[test]
fn a_message_that_is_not_as_long_as_it_said_ends_the_connection() {
    let more = DataFlags { kind: Kind::Bytes, more: true };
    let begun = || data(more, Some(10), b"12345");
    for rest in [&b"1234"[..], b"123456"] {
        breaks(&[begun(), data(BYTES, None, rest)].concat(), CloseCode::Protocol);
    }
    let other_kind = DataFlags { kind: Kind::Text, more: false };
    breaks(&[begun(), data(other_kind, None, b"12345")].concat(), CloseCode::Protocol);
    breaks(&[begun(), frame(FrameType::Fin as u8, &[0])].concat(), CloseCode::Protocol);
}

#[test]
fn more_data_than_the_window_allows_ends_the_connection() {
    attacked(listening().set("limits.window", "256KiB"), async |node| {
        let (mut peer, mut remote) = open(node).await;
        let frame = data(BYTES, None, &[0; 60_000]);
        let _ = peer.write(&frame.repeat(5)).await;
        assert_eq!(peer.closed().await, Some(CloseCode::Protocol));
        for _ in 0..4 {
            assert_eq!(remote.recv().await.unwrap().unwrap().payload().len(), 60_000);
        }
        assert_eq!(remote.recv().await.unwrap_err().kind(), ErrorKind::Protocol);
    });
}

#[test]
fn frames_for_channels_that_never_opened_end_the_connection() {
    let mut stray = Vec::new();
    push_data_header(&mut stray, 2, BYTES, None, 1);
    stray.push(0);
    breaks(&stray, CloseCode::Protocol);
    for (kind, body) in
        [(FrameType::Fin, &[2][..]), (FrameType::Reset, &[2, 0]), (FrameType::Credit, &[2, 9])]
    {
        breaks(&frame(kind as u8, body), CloseCode::Protocol);
    }
}

#[test]
fn control_frames_that_are_cut_off_end_the_connection() {
    for kind in [FrameType::Subjects, FrameType::SubjectsAck, FrameType::Ping, FrameType::Credit] {
        breaks(&frame(kind as u8, &[0]), CloseCode::Protocol);
    }
}

#[test]
fn a_second_hello_and_a_proof_nobody_asked_for_end_the_connection() {
    breaks(&frame(FrameType::Hello as u8, &hello(vec![]).encode()), CloseCode::Protocol);
    breaks(&frame(FrameType::SubjectsAck as u8, &[1, 0]), CloseCode::Protocol);
}

#[test]
fn data_after_the_end_ends_the_connection() {
    attacked(listening(), async |node| {
        let (mut peer, mut remote) = open(node).await;
        let late =
            [data(BYTES, None, b"1"), frame(FrameType::Fin as u8, &[0]), data(BYTES, None, b"2")];
        let _ = peer.write(&late.concat()).await;
        assert_eq!(peer.closed().await, Some(CloseCode::Protocol));
        assert_eq!(remote.recv().await.unwrap().unwrap().payload()[..], b"1"[..]);
        assert_eq!(remote.recv().await.unwrap_err().kind(), ErrorKind::Protocol);
    });
}

#[test]
fn floods_of_pings_and_subjects_end_the_connection() {
    let pings = frame(FrameType::Ping as u8, &[0; 8]).repeat(2000);
    breaks(&pings, CloseCode::Protocol);
    let offers: Vec<u8> =
        (1..200).flat_map(|number| frame(FrameType::Subjects as u8, &[0x40, number, 0])).collect();
    breaks(&offers, CloseCode::Protocol);
}

#[test]
fn credit_without_end_is_no_overflow() {
    attacked(listening(), async |node| {
        let (mut peer, remote) = open(node).await;
        let mut body = vec![0];
        push_varint(&mut body, u64::MAX);
        peer.write(&frame(FrameType::Credit as u8, &body).repeat(100)).await.unwrap();
        remote.send("still here").await.unwrap();
        let is_data = |(kind, _): &(u8, Vec<u8>)| *kind == FrameType::Data as u8;
        while !peer.read_frame().await.as_ref().is_some_and(is_data) {}
    });
}

#[test]
fn no_bytes_on_an_open_connection_are_worse_than_its_end() {
    attacked(listening(), async |node| {
        let mut runner = TestRunner::new_with_rng(
            Config::default(),
            proptest::test_runner::TestRng::deterministic_rng(
                proptest::test_runner::RngAlgorithm::ChaCha,
            ),
        );
        let frames = proptest::collection::vec((1..15u8, any::<Vec<u8>>()), 1..20);
        for round in 0..100u8 {
            let mut seed = SEED;
            seed[0] = round;
            let mut peer = Peer::open(node.addresses()[0], seed, TOPIC).await;
            let remote = node.next_remote().await.unwrap();
            let bytes: Vec<u8> = frames
                .new_tree(&mut runner)
                .unwrap()
                .current()
                .into_iter()
                .flat_map(|(kind, body)| frame(kind, &body))
                .collect();
            let _ = peer.write(&bytes).await;
            drop(remote);
        }
    });
}

#[test]
fn a_crowd_that_says_nothing_keeps_no_honest_peer_out() {
    attacked(listening().set("limits.unproven", 16), async |node| {
        let mut crowd = Vec::new();
        for _ in 0..64 {
            crowd.push(connect(node).await);
        }
        still_healthy(node).await;
        // All but the last 16 have been dropped; the honest one needed a place.
        for stream in &mut crowd[..48] {
            hung_up(stream).await;
        }
    });
}

#[test]
fn a_peer_that_leaves_between_tls_and_hello_is_forgotten() {
    attacked(listening(), async |node| {
        for _ in 0..20 {
            drop(Peer::dial_with(node.addresses()[0].socket, SEED, ALPN).await.unwrap());
        }
    });
}

/// What a listener that is not one of us does to those who dial it.
async fn dialled(answer: impl AsyncFnOnce(TcpStream)) -> p2pchan::Error {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::tcp(listener.local_addr().unwrap());
    let node =
        common::start(Node::builder().set("timeouts.dial", "2s").set("timeouts.handshake", "2s"))
            .await;
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream).await;
    };
    let (result, ()) = within(async { tokio::join!(node.connect(address), serve) }).await;
    let error = result.unwrap_err();
    assert!(error.message().contains(&address.to_string()), "{error}");
    within(node.close()).await;
    error
}

#[test]
fn dialling_something_else_is_an_error_that_names_the_address() {
    alone(async {
        let http = async |mut stream: TcpStream| {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            hung_up(&mut stream).await;
        };
        assert_eq!(dialled(http).await.kind(), ErrorKind::Protocol);
        let garbage = async |mut stream: TcpStream| {
            let _ = stream.write_all(&noise(5).take(1000).collect::<Vec<_>>()).await;
            hung_up(&mut stream).await;
        };
        assert_eq!(dialled(garbage).await.kind(), ErrorKind::Protocol);
        assert_eq!(dialled(async |stream| drop(stream)).await.kind(), ErrorKind::Io);
        let silent = async |mut stream: TcpStream| hung_up(&mut stream).await;
        assert_eq!(dialled(silent).await.kind(), ErrorKind::Timeout);
    });
}

#[test]
fn dialling_a_peer_that_never_answers_hello_times_out() {
    alone(async {
        let silent = async |stream: TcpStream| {
            let mut peer = Peer::accept(stream, SEED).await.unwrap();
            peer.closed().await;
        };
        assert_eq!(dialled(silent).await.kind(), ErrorKind::Timeout);
    });
}
