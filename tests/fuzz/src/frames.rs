//! Bodies of frames, and streams of frames.

use p2pchan_proto::{
    channel::{Event, Message, Reason, Session, Side, Taken},
    time::Time,
    wire::{
        Close, DataFlags, Hello, MAX_TAGS, Reader, Subjects, SubjectsAck, Welcome, push_varint,
        read_varint, varint_len,
    },
};

use crate::{
    input::Input,
    pair::{self, FIRST},
};

/// The first byte says what the others are.
pub fn frames(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() % 8 {
        0 => again(input.rest(), Hello::decode, Hello::encode),
        1 => again(input.rest(), Welcome::decode, |welcome| welcome.encode(MAX_TAGS)),
        2 => again(input.rest(), Subjects::decode, Subjects::encode),
        3 => again(input.rest(), SubjectsAck::decode, |answer| answer.encode(0)),
        4 => again(input.rest(), Close::decode, Close::encode),
        5 => numbers(input.rest()),
        6 => fields(&mut input),
        _ => stream(&mut input),
    }
}

/// What can be read can be written, and reads back as the same.
fn again<T: PartialEq + std::fmt::Debug, E: std::fmt::Debug>(
    body: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(read) = decode(body) {
        assert_eq!(decode(&encode(&read)).unwrap(), read);
    }
}

fn numbers(mut bytes: &[u8]) {
    while let Some((value, len)) = read_varint(bytes) {
        assert!(len <= 8 && len >= varint_len(value));
        let mut written = vec![];
        push_varint(&mut written, value);
        assert_eq!(read_varint(&written), Some((value, varint_len(value))));
        bytes = &bytes[len..];
    }
    if let Some(flags) = bytes.first().and_then(|bits| DataFlags::from_bits(*bits)) {
        assert_eq!(flags.to_bits(), bytes[0]);
    }
}

/// Fields one after the other, in any order.
fn fields(input: &mut Input<'_>) {
    let order = input.array::<8>();
    let body = input.rest();
    let mut reader = Reader::new(body);
    for field in order {
        let before = reader.rest().len();
        let _ = match field % 6 {
            0 => reader.u8().map(drop),
            1 => reader.u64().map(drop),
            2 => reader.varint().map(drop),
            3 => reader.count(usize::from(field)).map(|count| assert!(count <= usize::from(field))),
            4 => reader.socket().map(drop),
            _ => reader.address().map(drop),
        };
        assert!(reader.rest().len() <= before);
    }
}

/// An open session reads the same from a stream whole and in parts.
fn stream(input: &mut Input<'_>) {
    let side = if input.flag() { Side::Dialler } else { Side::Acceptor };
    let lengths = input.array::<4>();
    let stream = input.rest();
    let whole = read(side, [stream]);
    let mut parts = vec![];
    let mut rest = stream;
    for length in lengths.iter().cycle() {
        let (part, after) = rest.split_at(usize::from(*length).max(1).min(rest.len()));
        parts.push(part);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let cut = read(side, parts);
    assert_eq!(whole, cut);
}

/// What came of the bytes: messages, what the program is told, and how it ended.
#[derive(Debug, PartialEq)]
struct Read {
    messages: Vec<Message>,
    events: Vec<Event>,
    closed: Option<Reason>,
}

fn read<'a>(side: Side, parts: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut session = pair::opened(side);
    assert!(matches!(session.take(FIRST).0, Taken::Nothing));
    for part in parts {
        session.handle_bytes(part, Time::ZERO);
    }
    // A reader is woken by what has come or by the end, whichever is told.
    let events = std::iter::from_fn(|| session.poll_event());
    let events = events.filter(|event| !matches!(event, Event::Readable(_))).collect();
    let messages = match session.take(FIRST).0 {
        Taken::Messages(batch) => batch.collect(),
        _ => vec![],
    };
    drained(&mut session);
    Read { messages, events, closed: session.closed().cloned() }
}

/// What a session has to say is bounded, also to a peer that reads nothing.
fn drained(session: &mut Session) {
    let mut said = 0;
    while let Some(transmit) = session.poll_transmit(Time::ZERO) {
        said += transmit.bytes.len();
    }
    assert!(said <= 400_000, "{said} bytes");
}
