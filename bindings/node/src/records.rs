//! The table in which one call tells JavaScript all that has happened.
//!
//! ```text
//! index   32-bit numbers, four for each record; the first record is about the table itself:
//!         [records, where the slab is free, extras, whether there is more or the node has ended]
//! slab    short messages, one after the other
//! extras  what is neither: long messages, remotes, text
//! ```
//!
//! A call from Rust to JavaScript or back costs as much as copying some thousand bytes, so there is one for
//! many messages, and none for each.

use napi::bindgen_prelude::{BufferSlice, Either3, Env};
use p2pchan::{Batch, Error, Kind, Message, Newcomer};
use p2pchan_pump::{Asked, Verb};
use serde_json::json;

use crate::{
    remote::NativeRemote,
    stream::{Channel, Told},
};

/// Numbers in a record.
const RECORD: usize = 4;
/// Messages from this length on have memory of their own, so that one that is kept keeps no others.
const LONG: usize = 4096;
/// Bytes of long messages in one table: as much as the window of a connection, by default.
const LONG_BYTES: usize = 1 << 20;

/// What the table says of the node.
#[derive(Clone, Copy)]
pub(crate) enum State {
    /// It will wake the event loop.
    Waits = 0,
    /// There is more at once.
    More = 1,
    /// Nothing comes any more.
    Ended = 2,
}

// What the first number of a record says; lib/table.js has the same.
const BYTES: u32 = 0;
const TEXT: u32 = 1;
const JSON: u32 = 2;
/// Added to `TEXT` and `JSON` if there are only ASCII characters, which are read faster.
const ASCII: u32 = 2;
const LONG_MESSAGE: u32 = 5;
const REMOTE: u32 = 8;
const WRITABLE: u32 = 9;
const ENDED: u32 = 10;
const RESULT: u32 = 11;
const FAILED: u32 = 12;
const NEWCOMER: u32 = 13;
const ASKED: u32 = 14;
const CANCELLED: u32 = 15;
/// No remote, or no extra.
const NONE: u32 = u32::MAX;

/// What does not fit into numbers.
pub(crate) enum Extra {
    Bytes(Vec<u8>),
    Text(String),
    Remote(NativeRemote),
}

/// As JavaScript gets it.
pub(crate) type Shown<'env> = Either3<BufferSlice<'env>, String, NativeRemote>;

impl Extra {
    pub(crate) fn show(self, env: &Env) -> napi::Result<Shown<'_>> {
        Ok(match self {
            Self::Bytes(bytes) if bytes.is_empty() => Either3::A(BufferSlice::copy_from(env, [])?),
            Self::Bytes(bytes) => Either3::A(BufferSlice::from_data(env, bytes)?),
            Self::Text(text) => Either3::B(text),
            Self::Remote(remote) => Either3::C(remote),
        })
    }
}

/// A table that is being written.
pub(crate) struct Table<'a> {
    slab: &'a mut [u8],
    index: &'a mut [u32],
    /// Where the slab is free.
    free: usize,
    records: usize,
    long_bytes: usize,
    extras: Vec<Extra>,
}

impl<'a> Table<'a> {
    /// The slab must have room for one short message.
    pub(crate) fn new(slab: &'a mut [u8], index: &'a mut [u32], free: usize) -> Self {
        Self { slab, index, free, records: 1, long_bytes: 0, extras: Vec::new() }
    }

    fn put(&mut self, record: usize, numbers: [u32; RECORD]) {
        if let Some(place) = self.index.get_mut(record * RECORD..(record + 1) * RECORD) {
            place.copy_from_slice(&numbers);
        }
    }

    fn push(&mut self, numbers: [u32; RECORD]) {
        self.put(self.records, numbers);
        self.records += 1;
    }

    fn extra(&mut self, extra: Extra) -> u32 {
        self.extras.push(extra);
        short(self.extras.len() - 1)
    }

    /// Whether there is room for a record.
    pub(crate) fn has_room(&self) -> bool {
        (self.records + 1) * RECORD <= self.index.len()
    }

    /// Takes messages while there is room; whether all were taken.
    pub(crate) fn messages(&mut self, place: u32, messages: &mut Batch) -> bool {
        loop {
            let short = |&(kind, payload): &_| self.short(place, kind, payload);
            let count = messages.lent().take_while(short).count();
            messages.advance(count);
            // What comes now is long, or there is no room.
            let next = messages.lent().next().map(|(_, payload)| payload.len());
            match next {
                None => return true,
                Some(length) if !self.has_room_for_long(length) => return false,
                Some(_) => messages.next().into_iter().for_each(|long| self.long(place, long)),
            }
        }
    }

    /// Whether the message was taken: it is short, and there was room.
    fn short(&mut self, place: u32, kind: Kind, payload: &[u8]) -> bool {
        let range = self.free..self.free + payload.len();
        if payload.len() >= LONG || !self.has_room() {
            return false;
        }
        let Some(target) = self.slab.get_mut(range.clone()) else { return false };
        target.copy_from_slice(payload);
        let what = match kind {
            Kind::Bytes => BYTES,
            Kind::Text => TEXT + ascii(payload),
            Kind::Json => JSON + ascii(payload),
        };
        self.push([what, place, short(range.start), short(range.end)]);
        self.free = range.end;
        true
    }

    fn has_room_for_long(&self, length: usize) -> bool {
        let fits = self.long_bytes == 0 || self.long_bytes + length <= LONG_BYTES;
        length >= LONG && fits && self.has_room()
    }

    fn long(&mut self, place: u32, message: Message) {
        let kind = message.kind();
        // Without a copy if nobody else has a part of that memory.
        let mut bytes = Vec::from(message.into_payload());
        self.long_bytes += bytes.len();
        let (what, extra) = match kind {
            Kind::Bytes => {
                // JavaScript counts the length only.
                if bytes.capacity() / 2 > bytes.len() {
                    bytes.shrink_to_fit();
                }
                (BYTES, Extra::Bytes(bytes))
            }
            Kind::Text => (TEXT, Extra::Text(text(bytes))),
            Kind::Json => (JSON, Extra::Text(text(bytes))),
        };
        let extra = self.extra(extra);
        self.push([LONG_MESSAGE + what, place, extra, 0]);
    }

    /// Writes what is no message. There must be room.
    pub(crate) fn remote(&mut self, place: u32, remote: NativeRemote) {
        let extra = self.extra(Extra::Remote(remote));
        self.push([REMOTE, place, extra, 0]);
    }

    pub(crate) fn writable(&mut self, channel: &Channel) {
        self.push([WRITABLE, channel.own.place(), 0, 0]);
    }

    pub(crate) fn ended(&mut self, place: u32, error: Option<&Error>) {
        let extra = error.map_or(NONE, |error| self.error(error));
        self.push([ENDED, place, extra, 0]);
    }

    /// Somebody who waits for the answer to that number.
    pub(crate) fn newcomer(&mut self, number: u64, newcomer: &Newcomer) {
        let json = json!({
            "peer": newcomer.peer.to_string(),
            "subject": *newcomer.subject,
            "address": newcomer.address.to_string(),
        });
        let extra = self.extra(Extra::Text(json.to_string()));
        self.push([NEWCOMER, extra, low(number), high(number)]);
    }

    /// What a discovery service of the program is asked, and after it the key.
    fn asked(&mut self, asked: &Asked) {
        let addresses: Vec<_> = asked.topic.listening().iter().map(ToString::to_string).collect();
        let json = json!({
            "place": asked.place,
            "verb": match asked.verb {
                Verb::Announce => "announce",
                Verb::LookUp => "lookUp",
                Verb::Withdraw => "withdraw",
            },
            "subject": asked.topic.subject(),
            "addresses": addresses,
        });
        let extra = self.extra(Extra::Text(json.to_string()));
        self.extra(Extra::Bytes(asked.find_key.to_vec()));
        self.push([ASKED, extra, low(asked.request), high(asked.request)]);
    }

    /// What has a number; others have been written by their own functions.
    pub(crate) fn told(&mut self, told: Told) {
        match told {
            Told::Result(request, Ok(remote)) => {
                let found = remote.is_some();
                self.push([RESULT, u32::from(found), low(request), high(request)]);
            }
            Told::Result(request, Err(error)) => {
                let extra = self.error(&error);
                self.push([FAILED, extra, low(request), high(request)]);
            }
            Told::Remote(_) | Told::Readable(_) | Told::Writable(_) | Told::Ended(_) => {}
            Told::Asked(asked) => self.asked(&asked),
            Told::Cancelled(request) => self.push([CANCELLED, NONE, low(request), high(request)]),
            Told::Newcomer(..) => {}
        }
    }

    /// Its code, and after it its words.
    fn error(&mut self, error: &Error) -> u32 {
        let extra = self.extra(Extra::Text(error.kind().code().into()));
        self.extra(Extra::Text(error.message().into()));
        extra
    }

    /// The extras; the rest is in the index.
    pub(crate) fn finish(mut self, state: State) -> Vec<Extra> {
        let (records, extras) = (short(self.records), short(self.extras.len()));
        self.put(0, [records, short(self.free), extras, state as u32]);
        self.extras
    }
}

fn ascii(payload: &[u8]) -> u32 {
    if payload.is_ascii() { ASCII } else { 0 }
}

/// It was checked when it came.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// A place in a table or slab, which are far smaller.
fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}

fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(NONE)
}

fn high(number: u64) -> u32 {
    u32::try_from(number >> 32).unwrap_or(NONE)
}
