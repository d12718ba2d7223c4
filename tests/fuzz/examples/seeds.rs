//! Writes `corpus/`, the inputs to begin with: `cargo run -p p2pchan-fuzz --example seeds`.
//!
//! They are made of the test vectors, of the settings' defaults, and of runs of the handshake that
//! reach each of its states, so that fuzzing does not have to guess these first.

#![allow(clippy::unwrap_used, reason = "a tool for developers, which may stop with a panic")]

use std::{fs, path::Path};

use p2pchan_proto::settings::{KEYS, Settings, Value};

/// A target, a name, and the bytes.
type Seed = (&'static str, String, Vec<u8>);

fn main() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut seeds = packets();
    seeds.extend(paths());
    seeds.extend(frames());
    seeds.extend(streams());
    seeds.extend(handshakes());
    seeds.extend(settings());
    for (target, name, bytes) in &seeds {
        fs::create_dir_all(corpus.join(target)).unwrap();
        fs::write(corpus.join(target).join(name), bytes).unwrap();
    }
    println!("{} inputs in {}", seeds.len(), corpus.display());
}

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../vectors/vectors.json")).unwrap()
}

fn unhex(value: &serde_json::Value) -> Vec<u8> {
    let digits = value.as_str().unwrap_or_default();
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
        .collect()
}

fn packets() -> Vec<Seed> {
    let seed = |name: &str, mode: u8, bytes: &[u8]| {
        ("demultiplexer", name.to_owned(), [&[mode][..], bytes].concat())
    };
    let mut seeds = vec![
        seed("krpc", 0, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
        seed("quic_initial", 0, b"\xc3\0\0\0\x01\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08\0\0\x44\x9e"),
        seed("stun", 0, b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl"),
        seed("short_header", 2, b"\x24abcdefgh1:q4:pinge"),
        // Asked for, had, nonce, place and mask of the fault in the probe, then in the answer.
        seed("probe", 1, b"\x07\x06abcdefghijklmn\0\0\0\0"),
        seed("probe_of_eight", 1, b"\xff\xc0abcdefghijklmn\0\0\0\0"),
        seed("probe_with_a_faulty_nonce", 1, b"\x01\x01abcdefghijklmn\x05\x01\0\0"),
        seed("probe_with_a_faulty_mac", 1, b"\x03\x03abcdefghijklmn\x12\x80\0\0"),
        seed("answer_with_a_fault", 1, b"\x03\x02abcdefghijklmn\0\0\x11\x01"),
    ];
    for (number, probe) in vectors()["probes"].as_array().unwrap().iter().enumerate() {
        seeds.push(seed(&format!("vector_{number}_probe"), 0, &unhex(&probe["hex"])));
        seeds.push(seed(&format!("vector_{number}_answer"), 0, &unhex(&probe["answer"])));
    }
    seeds
}

/// Verbs of the path table, each with an address and another.
fn paths() -> Vec<Seed> {
    const OPEN: u8 = 0;
    const HOLD: u8 = 1;
    const REROUTE: u8 = 2 | 8;
    const CLOSE: u8 = 3 | 8;
    let seed = |name: &str, steps: &[[u8; 3]]| {
        ("demultiplexer", format!("paths_{name}"), [&[3][..], steps.as_flattened()].concat())
    };
    vec![
        seed("opened_twice", &[[OPEN, 1, 0], [OPEN, 1, 0], [CLOSE, 1, 0], [CLOSE, 1, 0]]),
        seed("held_then_opened", &[[HOLD, 1, 0], [OPEN, 1, 0], [CLOSE, 1, 0]]),
        seed("opened_then_held", &[[OPEN, 1, 0], [HOLD, 0xc1, 0], [CLOSE, 1, 0]]),
        seed("rerouted", &[[OPEN, 1, 0], [REROUTE, 1, 2], [OPEN, 1, 0], [REROUTE, 1, 2]]),
        seed("rerouted_to_nowhere", &[[OPEN, 1, 0], [REROUTE, 1, 0x81], [REROUTE, 1, 0xc1]]),
        seed("full", &[1, 2, 3, 4, 5, 6].map(|at| [OPEN, at, 0])),
        seed("ipv6", &[[OPEN, 0x81, 0], [REROUTE, 0x81, 0x82], [CLOSE, 0x82, 0]]),
    ]
}

fn frames() -> Vec<Seed> {
    const MODES: [(&str, u8); 5] =
        [("hello", 0), ("welcome", 1), ("subjects", 2), ("subjects_ack", 3), ("close", 4)];
    let mut seeds = vec![
        ("frames", "integers".into(), b"\x05\x25\x7b\xbd\x9d\x7f\x3e\x7d\xc2\x19\x7c\x5e".to_vec()),
        (
            "frames",
            "fields".into(),
            b"\x06\0\x01\x02\x09\x04\x05\x04\0abcdefgh\x40\x01\x05\x04abcd\x1f\xa3".to_vec(),
        ),
    ];
    for (number, frame) in vectors()["frames"].as_array().unwrap().iter().enumerate() {
        let kind = frame["type"].as_str().unwrap();
        let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == kind) else { continue };
        let whole = unhex(&frame["hex"]);
        if whole.is_empty() {
            continue;
        }
        let head = 1 + (1 << (whole[0] >> 6));
        let bytes = [&[*mode][..], &whole[head..]].concat();
        seeds.push(("frames", format!("vector_{number}_{kind}"), bytes));
    }
    seeds
}

/// Frames to an open session: who it is, four lengths of parts, and the frames.
fn streams() -> Vec<Seed> {
    let seed = |name: &str, side: u8, frames: &[&[u8]]| {
        let bytes = [&[7, side, 1, 2, 3, 200][..], &frames.concat()].concat();
        ("frames", format!("stream_{name}"), bytes)
    };
    let data = |flags: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len() + 3).unwrap();
        [&[length, 7, 0, flags][..], payload].concat()
    };
    let [text, json, bytes] = [data(1, b"text"), data(2, b"{}"), data(0, b"\xff")];
    let pieces: [&[u8]; 2] = [&[7, 7, 0, 4, 6, b'a', b'b', b'c'], &[6, 7, 0, 0, b'd', b'e', b'f']];
    let (fin, done, credit): (&[u8], &[u8], &[u8]) =
        (&[2, 8, 0], &[2, 15, 0], &[6, 10, 0, 0x80, 1, 0, 0]);
    let (reset, ping, close): (&[u8], &[u8], &[u8]) =
        (&[3, 9, 0, 23], &[9, 11, 0, 0, 0, 0, 0, 0, 0, 1], &[5, 14, 0, b'b', b'y', b'e']);
    let unknown: &[u8] = &[4, 0x40, 1, 2, 3];
    let mut seeds = vec![
        seed("messages", 1, &[&text, &json, &bytes, &text]),
        seed("pieces", 1, &[pieces[0], ping, pieces[1], &text]),
        seed("end", 1, &[&text, fin, done]),
        seed("reset_within_a_message", 0, &[pieces[0], reset, pieces[1]]),
        seed("control", 0, &[credit, ping, unknown, close]),
        seed("overlong_integers", 1, &[&[0xc0, 0, 0, 0, 0, 0, 0, 11, 7, 0x80, 0, 0, 0, 0, b'x']]),
        seed("half_a_frame", 0, &[&text, &[0x40]]),
    ];
    let said = |from: &str| {
        let all = vectors()["conversation"].as_array().unwrap().clone();
        all.iter()
            .filter(|it| it["from"] == from)
            .skip(1)
            .flat_map(|it| unhex(&it["hex"]))
            .collect()
    };
    let (dialler, acceptor): (Vec<u8>, Vec<u8>) = (said("dialler"), said("acceptor"));
    seeds.push(seed("conversation_of_the_dialler", 0, &[&dialler]));
    seeds.push(seed("conversation_of_the_acceptor", 1, &[&acceptor]));
    seeds
}

/// The subjects of both, then steps; the highest bit of a verb is who does it.
fn handshakes() -> Vec<Seed> {
    const OTHER: u8 = 0x80;
    let all: &[u8] = &[0, 0, 0];
    let back: &[u8] = &[OTHER, 0, 0];
    let greeted: &[u8] = &[all, back, all].concat();
    let seed = |name: &str, subjects: [u8; 2], steps: &[&[u8]]| {
        ("handshake", name.to_owned(), [&subjects[..], &steps.concat()].concat())
    };
    let open = |name: &str, steps: &[&[u8]]| seed(name, [1, 1], &[&[greeted], steps].concat());
    vec![
        seed("nothing_common", [1, 2], &[greeted]),
        seed("two_common", [3, 7], &[greeted, &[4, 0, 9, 1], &[0x24, 0, 9, 0]]),
        seed("cut_everywhere", [15, 15], &[&[0, 0, 1].repeat(60), &[OTHER, 0, 3].repeat(60)]),
        open("messages", &[&[4, 0, 9, 1].repeat(5), all, &[OTHER | 5], &[OTHER | 4, 1, 0, 0]]),
        open(
            "long_messages",
            &[&[4, 0xfd, 0xf0, 1], &[4, 0xff, 0xff, 1], all, &[OTHER | 5], back, all],
        ),
        // Sixteen frames of 16 KiB are the window to the byte.
        open("whole_window", &[&[4, 0x3f, 0xfb, 1].repeat(17), all, &[OTHER | 5], back, all]),
        open(
            "whole_window_in_parts",
            &[&[4, 0x3f, 0xfb, 1].repeat(17), &[0, 0x13, 0x88].repeat(60), &[OTHER | 5], back, all],
        ),
        open("end", &[&[4, 0, 9, 1], &[9], all, &[OTHER | 5], back, all]),
        open("both_end", &[&[9, OTHER | 9], all, back, all, back]),
        open("abandoned", &[&[4, 0, 9, 1], all, &[OTHER | 10, 0], back, all]),
        open("reset", &[&[4, 0xff, 0, 1], &[0, 1, 0], &[10, 1], all, back]),
        open("shut_down", &[&[4, 0, 9, 1], &[11, 0], all, &[OTHER | 5], back, all]),
        open("silence", &[&[7, 0, 15], &[7, 0, 10], &[7, 0, 10]]),
        open("sleep", &[&[7, 0, 15], &[7, 0x0e, 0x10], all, back, all]),
        open("idle", &[&[9], all, back, all, &[OTHER | 5], back, &[7, 0, 61]]),
        open("further_subjects", &[&[8, 2], &[OTHER | 8, 6], all, back, all, back]),
        open("pings", &[&[12, OTHER | 12], all, back, all]),
        open("lost", &[&[4, 0, 9, 1], &[OTHER | 11, 2]]),
        open("faulty_byte", &[&[4, 0, 9, 1], &[13, 0, 0, 2, 1], all, back]),
        open("lost_bytes", &[&[4, 0, 9, 1].repeat(3), &[13, 1, 0, 2, 9], all, back]),
        open("made_up", &[&[0x3e, 6, 10, 0, 0x80, 1, 0, 0, 9, 11], &[7; 30]]),
    ]
}

fn settings() -> Vec<Seed> {
    const TEXTS: [(&str, &str); 14] = [
        ("listen", "0.0.0.0:3401~3499,4000, tcp://[::]:0, quic://127.0.0.1:7"),
        ("transports", "quic"),
        ("identity", "keys/node"),
        ("identity", "0707070707070707070707070707070707070707070707070707070707070707"),
        ("allow", "abababababababababababababababababababababababababababababababab"),
        ("discovery.seeds", "tcp://example.org:8099,quic://[2001:db8::1]:2,192.0.2.7:1"),
        ("discovery.bittorrent.bootstrap", "public"),
        ("discovery.bittorrent.bootstrap", "127.0.0.1:6881,router.example:1"),
        ("discovery.bittorrent.bootstrap", "[]"),
        ("discovery.bittorrent.port", "0"),
        ("discovery.announce_interval", "150ms~1h"),
        ("limits.message", "300KiB"),
        ("timeouts.ping", "20m"),
        ("no.such.key", "~"),
    ];
    let defaults = Settings::default().to_changes();
    let own = KEYS.iter().filter_map(|key| match defaults.value(key.name) {
        Some(Value::Text(text)) => Some((key.name, text.clone())),
        Some(Value::Integer(number)) => Some((key.name, number.to_string())),
        _ => None,
    });
    let texts = TEXTS.iter().map(|(name, text)| (*name, (*text).to_owned()));
    let mut seeds: Vec<_> = texts.chain(own).enumerate().map(named).collect();
    seeds.push(("settings", "null".into(), vec![0, 0]));
    seeds.push((
        "settings",
        "list".into(),
        [&[1, 4, 2, 6, 3][..], b"tcp", &[6, 4], b"quic"].concat(),
    ));
    seeds.push(("settings", "number".into(), vec![6, 3, 0x1a, 0xe1]));
    seeds
}

/// A change: the index of the key, "a text up to the end", and the text.
fn named((number, (name, text)): (usize, (&str, String))) -> Seed {
    let key = KEYS.iter().position(|key| key.name == name).unwrap_or(KEYS.len());
    let bytes = [&[u8::try_from(key).unwrap(), 5][..], text.as_bytes()].concat();
    ("settings", format!("{number:02}_{name}"), bytes)
}
