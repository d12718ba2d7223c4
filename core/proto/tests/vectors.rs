//! `tests/vectors/vectors.json`, the vectors of `docs/protocol.md`, against this crate. The program
//! `tests/vectors/check.py` computes the same values without it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use p2pchan_proto::{
    channel::{
        Binding, BlockPool, Budget, ChannelId, CloseCode, Config, Event, Offer, Reason, Session,
        Side, Taken, common,
    },
    datagram::probe::{ProbeRequest, probe, verify_answer},
    id::{PeerId, from_hex, to_hex},
    subject::{Subject, SubjectKey, SubjectName},
    time::Time,
    wire::{
        About, Close, DataFlags, FrameType, Hello, Kind, Match, Subjects, SubjectsAck, Tag,
        Welcome, push_data_header, push_frame, push_varint, read_varint,
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn vectors() -> Value {
    let text = include_str!("../../../tests/vectors/vectors.json");
    serde_json::from_str(text).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap()
}

fn bytes<const N: usize>(value: &Value, key: &str) -> [u8; N] {
    from_hex(text(value, key)).unwrap()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn derive(given: &Value) -> Subject {
    let name = match given["phrase"].as_str() {
        Some(phrase) => SubjectName::phrase(phrase).unwrap(),
        None => SubjectName::Topic(bytes(given, "topic")),
    };
    Subject::derive(name, given["secret"].as_str()).unwrap()
}

fn subject(vectors: &Value, name: &str) -> Subject {
    let given = list(vectors, "subjects").iter().find(|given| text(given, "name") == name);
    derive(given.unwrap())
}

#[test]
fn the_keys_of_every_subject_are_those_of_the_vectors() {
    for given in list(&vectors(), "subjects") {
        let subject = derive(given);
        for (network, key) in given["find"].as_object().unwrap() {
            let key = key.as_str().unwrap();
            let found = match key.len() {
                40 => to_hex(&subject.find_key::<20>(network)),
                _ => to_hex(&subject.find_key::<32>(network)),
            };
            assert_eq!(found, key, "{network} of {}", given["name"]);
        }
        // The keys behind it do not leave the subject; what they compute does.
        let proof_key: [u8; 32] = bytes(given, "proof_key");
        assert_eq!(subject.prove(&[b"any"]), hmac(&proof_key, &[b"any"]), "{}", given["name"]);
        let punch_key: [u8; 32] = bytes(given, "punch_key");
        assert_eq!(subject.punch_mac(&[b"any"]), hmac(&punch_key, &[b"any"]), "{}", given["name"]);
    }
}

#[test]
fn bindings_and_tags_are_those_of_the_vectors() {
    let vectors = vectors();
    for given in list(&vectors, "bindings") {
        let [exporter, dialler, acceptor] =
            ["exporter", "dialler", "acceptor"].map(|key| bytes(given, key));
        let (dialler, acceptor) = (PeerId::from_bytes(dialler), PeerId::from_bytes(acceptor));
        let mut binding = Binding::new(&exporter, &dialler, &acceptor);
        if let Some(offer) = given.get("offer") {
            let number = u32::try_from(number(offer, "number")).unwrap();
            binding = binding.later(side(text(offer, "side")), number);
        }
        for tags in list(&vectors, "tags").iter().filter(|tags| tags["bind"] == given["bind"]) {
            let subject = subject(&vectors, text(tags, "subject"));
            let offer = Offer::new([(SubjectKey(0), &subject)], &binding, &[0; 32]);
            assert_eq!(offer.tags(), [bytes(tags, "dial")], "{given} {tags}");
            let common = common(offer.tags(), [(SubjectKey(0), &subject)], &binding);
            assert_eq!(common[0].answer.tag, bytes(tags, "acpt"), "{given} {tags}");
            // A tag is the beginning of what the subject proves about the hash itself.
            let hash: [u8; 32] = bytes(given, "bind");
            assert_eq!(offer.tags()[0], subject.prove(&[b"dial", &hash])[..16]);
        }
    }
}

#[test]
fn the_hash_of_a_binding_is_that_of_the_vectors() {
    for given in list(&vectors(), "bindings") {
        let parts = ["exporter", "dialler", "acceptor"].map(|key| bytes::<32>(given, key));
        let mut hash = Sha256::digest([&b"libp2pchan/1 bind"[..], &parts.concat()].concat());
        if let Some(offer) = given.get("offer") {
            let number = u32::try_from(number(offer, "number")).unwrap().to_be_bytes();
            let side = text(offer, "side").as_bytes();
            hash = Sha256::digest([b"libp2pchan/1 more", &hash[..], side, &number].concat());
        }
        assert_eq!(to_hex(&hash), text(given, "bind"), "{}", given["name"]);
    }
}

fn side(label: &str) -> Side {
    match label {
        "dial" => Side::Dialler,
        "acpt" => Side::Acceptor,
        other => panic!("{other}"),
    }
}

#[test]
fn variable_length_integers_are_written_and_read_as_in_the_vectors() {
    for given in list(&vectors(), "varints") {
        let value = text(given, "value").parse().unwrap();
        let mut written = vec![];
        push_varint(&mut written, value);
        assert_eq!(to_hex(&written), text(given, "hex"));
        assert_eq!(read_varint(&written), Some((value, written.len())));
    }
}

fn about(frame: &Value) -> About {
    About {
        features: number(frame, "features"),
        max_message: number(frame, "max_message"),
        window: number(frame, "window"),
        observed: frame["observed"].as_str().map(|socket| socket.parse().unwrap()),
    }
}

fn tags(frame: &Value) -> Vec<Tag> {
    list(frame, "tags").iter().map(|tag| from_hex(tag.as_str().unwrap()).unwrap()).collect()
}

fn matches(frame: &Value) -> (Vec<Match>, usize) {
    let read = |entry: &Value| Match {
        position: u16::try_from(number(entry, "position")).unwrap(),
        tag: bytes(entry, "tag"),
    };
    let offered = usize::try_from(number(frame, "offered")).unwrap();
    (list(frame, "matches").iter().map(read).collect(), offered)
}

fn varints(values: &[u64]) -> Vec<u8> {
    let mut body = vec![];
    values.iter().for_each(|value| push_varint(&mut body, *value));
    body
}

fn data(frame: &Value) -> Vec<u8> {
    let kind = match text(frame, "kind") {
        "text" => Kind::Text,
        "json" => Kind::Json,
        _ => Kind::Bytes,
    };
    let payload = match frame["payload"].as_str() {
        Some(digits) => unhex(digits),
        None => {
            let times = usize::try_from(number(&frame["payload"], "times")).unwrap();
            vec![bytes::<1>(&frame["payload"], "byte")[0]; times]
        }
    };
    let flags = DataFlags { kind, more: frame["more"].as_bool().unwrap() };
    let (channel, total) = (number(frame, "channel"), frame["total"].as_u64());
    let mut out = vec![];
    push_data_header(&mut out, channel, flags, total, payload.len());
    out.extend(payload);
    out
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.map(|pair| from_hex::<1>(std::str::from_utf8(pair).unwrap()).unwrap()[0]).collect()
}

/// The frame that this crate writes; a body that it can read must come to the same again.
fn encode(frame: &Value) -> Vec<u8> {
    let small = |key: &str| u32::try_from(number(frame, key)).unwrap();
    let (frame_type, body) = match text(frame, "type") {
        "data" => return data(frame),
        "hello" => {
            let listen = list(frame, "listen").iter().map(|it| it.as_str().unwrap());
            let listen = listen.map(|address| address.parse().unwrap()).collect();
            let hello = Hello { about: about(frame), listen, tags: tags(frame) };
            assert_eq!(Hello::decode(&hello.encode()), Ok(hello.clone()));
            (FrameType::Hello, hello.encode())
        }
        "welcome" => {
            let (matches, offered) = matches(frame);
            let welcome = Welcome { about: about(frame), matches };
            assert_eq!(Welcome::decode(&welcome.encode(offered)), Ok(welcome.clone()));
            (FrameType::Welcome, welcome.encode(offered))
        }
        "subjects" => {
            let subjects = Subjects { number: small("number"), tags: tags(frame) };
            assert_eq!(Subjects::decode(&subjects.encode()), Ok(subjects.clone()));
            (FrameType::Subjects, subjects.encode())
        }
        "subjects_ack" => {
            let (matches, offered) = matches(frame);
            let answer = SubjectsAck { number: small("number"), matches };
            assert_eq!(SubjectsAck::decode(&answer.encode(offered)), Ok(answer.clone()));
            (FrameType::SubjectsAck, answer.encode(offered))
        }
        "fin" => (FrameType::Fin, varints(&[number(frame, "channel")])),
        "done" => (FrameType::Done, varints(&[number(frame, "channel")])),
        "reset" => (FrameType::Reset, varints(&[number(frame, "channel"), number(frame, "code")])),
        "credit" => {
            (FrameType::Credit, varints(&[number(frame, "channel"), number(frame, "bytes")]))
        }
        "ping" => (FrameType::Ping, number(frame, "number").to_be_bytes().to_vec()),
        "pong" => (FrameType::Pong, number(frame, "number").to_be_bytes().to_vec()),
        "close" => {
            let close =
                Close { code: number(frame, "code"), message: text(frame, "message").into() };
            assert_eq!(Close::decode(&close.encode()), Ok(close.clone()));
            (FrameType::Close, close.encode())
        }
        other => panic!("{other}"),
    };
    let mut out = vec![];
    push_frame(&mut out, frame_type, &body);
    out
}

#[test]
fn every_frame_is_written_as_in_the_vectors() {
    for given in list(&vectors(), "frames") {
        let written = encode(given);
        match given["head"].as_str() {
            Some(head) => {
                assert_eq!(to_hex(&written[..head.len() / 2]), head, "{given}");
                assert_eq!(written.len() as u64, number(given, "length"), "{given}");
            }
            None => assert_eq!(to_hex(&written), text(given, "hex"), "{given}"),
        }
    }
}

#[test]
fn probes_and_their_answers_are_those_of_the_vectors() {
    let vectors = vectors();
    for given in list(&vectors, "probes") {
        let named = |name: &Value| subject(&vectors, name.as_str().unwrap());
        let asked: Vec<_> = list(given, "subjects").iter().map(named).collect();
        let nonce = bytes(given, "nonce");
        let packet = probe(&asked, &nonce, bytes(given, "padding"));
        assert_eq!(to_hex(&packet), text(given, "hex"), "{given}");
        if given.get("answer").is_some() {
            let answerer = named(&given["answered_for"]);
            let observed = text(given, "observed").parse().unwrap();
            let answer = ProbeRequest::parse(&packet).unwrap().answer([&answerer], observed);
            assert_eq!(
                answer.map(|it| to_hex(&it)).as_deref(),
                given["answer"].as_str(),
                "{given}"
            );
            assert_eq!(verify_answer(&answer.unwrap(), &nonce, &asked), Some(observed));
        }
    }
}

fn config() -> Config {
    Config {
        max_message: 16 << 20,
        window: 1 << 20,
        high_water: 1 << 20,
        low_water: 256 << 10,
        channels: 64,
        handshake_timeout: Duration::from_secs(5),
        close_timeout: Duration::from_secs(5),
        ping_interval: Duration::from_secs(15),
        idle_timeout: Duration::from_secs(60),
        budget: Budget::new(64 << 20),
        pool: BlockPool::default(),
    }
}

/// Two sessions, and what they have said so far.
struct Conversation {
    sessions: [Session; 2],
    said: Vec<(usize, String)>,
}

impl Conversation {
    /// Hands over what one side has to say; returns what the other has to decide about it.
    fn says(&mut self, side: usize) -> Vec<Event> {
        while let Some(transmit) = self.sessions[side].poll_transmit(Time::ZERO) {
            self.said.push((side, to_hex(&transmit.bytes)));
            self.sessions[1 - side].handle_bytes(&transmit.bytes, Time::ZERO);
            self.sessions[side].recycle(transmit);
        }
        let other = &mut self.sessions[1 - side];
        std::iter::from_fn(|| other.poll_event()).collect()
    }
}

const DIALLER: usize = 0;
const ACCEPTOR: usize = 1;

#[test]
fn two_sessions_hold_the_conversation_of_the_vectors_byte_for_byte() {
    let vectors = vectors();
    let [one, two] = ["topic", "second topic"].map(|name| subject(&vectors, name));
    let plain = list(&vectors, "bindings").iter().find(|it| it["name"] == "plain").unwrap();
    let id = |key| PeerId::from_bytes(bytes(plain, key));
    let binding = Binding::new(&bytes(plain, "exporter"), &id("dialler"), &id("acceptor"));

    let offer = Offer::new([(SubjectKey(1), &one)], &binding, &[0; 32]);
    let observed = Some("192.0.2.7:8099".parse().unwrap());
    let listen = vec!["tcp://[2001:db8::1]:8099".parse().unwrap()];
    let dialler = Session::dialler(config(), binding, offer, observed, listen, Time::ZERO);
    let acceptor = Session::acceptor(config(), binding, Time::ZERO);
    let mut talk = Conversation { sessions: [dialler, acceptor], said: vec![] };

    let events = talk.says(DIALLER);
    let [Event::Hello(hello)] = &events[..] else { panic!("{events:?}") };
    let found = common(&hello.tags, [(SubjectKey(1), &one)], &binding);
    let observed = Some("198.51.100.9:50000".parse().unwrap());
    talk.sessions[ACCEPTOR].welcome(&found, hello.tags.len(), observed, Time::ZERO);
    talk.says(ACCEPTOR);
    talk.says(DIALLER);
    let first = ChannelId(0);
    talk.sessions[DIALLER].send(first, Kind::Text, b"Hello, dude!").unwrap();
    talk.says(DIALLER);
    talk.sessions[ACCEPTOR].send(first, Kind::Json, br#"["yo",{"ppl":true}]"#).unwrap();
    talk.says(ACCEPTOR);

    talk.sessions[ACCEPTOR].offer([(SubjectKey(2), &two)], &[0; 32], Time::ZERO);
    let events = talk.says(ACCEPTOR);
    let [.., Event::Subjects(subjects)] = &events[..] else { panic!("{events:?}") };
    let binding = talk.sessions[DIALLER].peer_binding(subjects.number);
    let found = common(&subjects.tags, [(SubjectKey(2), &two)], &binding);
    let opened = talk.sessions[DIALLER].acknowledge(subjects, &found);
    talk.says(DIALLER);
    talk.sessions[DIALLER].reset(opened[0].channel, CloseCode::Refused);
    talk.says(DIALLER);

    for session in &mut talk.sessions {
        assert!(matches!(session.take(first).0, Taken::Messages(_)));
        session.consumed(first, || Time::ZERO);
    }
    talk.sessions[ACCEPTOR].finish(first, Time::ZERO);
    talk.says(ACCEPTOR);
    let clean = [Event::Ended(first, Reason::Clean)];
    assert_eq!(talk.says(DIALLER), clean);
    assert_eq!(talk.says(ACCEPTOR), clean);
    talk.sessions[DIALLER].close(CloseCode::Normal, "");
    talk.says(DIALLER);

    let said = |side| -> String {
        talk.said.iter().filter(|(from, _)| *from == side).map(|(_, hex)| &**hex).collect()
    };
    for (side, name) in [(DIALLER, "dialler"), (ACCEPTOR, "acceptor")] {
        let frames = list(&vectors, "conversation").iter().filter(|it| it["from"] == name);
        let wanted: String = frames
            .map(|frame| {
                assert_eq!(to_hex(&encode(frame)), text(frame, "hex"), "{frame}");
                text(frame, "hex")
            })
            .collect();
        assert_eq!(said(side), wanted, "what the {name} said");
    }
}
