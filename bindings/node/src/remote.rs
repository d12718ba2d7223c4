//! A remote: sending and steering, never waiting. Its messages come by the table of its node.

use std::{borrow::Cow, sync::Arc};

use napi_derive::napi;
use p2pchan::{AsMessage, Error, ErrorKind, Kind};

use crate::{
    error::{Failure, invalid, thrown},
    node::Shared,
    stream::{Channel, Told},
};

/// A remote without a stream; `Remote` of lib/remote.js is made of it.
#[napi]
pub struct NativeRemote {
    channel: Arc<Channel>,
    node: Arc<Shared>,
}

/// A message in the memory of JavaScript.
struct Outgoing<'a> {
    kind: Kind,
    payload: &'a [u8],
}

impl<'a> Outgoing<'a> {
    fn new(kind: u32, payload: Option<&'a [u8]>) -> Result<Self, Error> {
        let kind = match kind {
            0 => Kind::Bytes,
            1 => Kind::Text,
            2 => Kind::Json,
            other => return Err(invalid(format!("{other} is no kind of message"))),
        };
        let payload = payload.ok_or_else(|| invalid("a message ends outside of its memory"))?;
        Ok(Self { kind, payload })
    }
}

impl AsMessage for Outgoing<'_> {
    #[inline]
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
        Ok((self.kind, Cow::Borrowed(self.payload)))
    }
}

/// What was sent, or this if there was no room.
fn room<T>(sent: Result<T, Error>, none: T) -> Result<T, Failure> {
    match sent {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(none),
        sent => sent.map_err(thrown),
    }
}

impl NativeRemote {
    pub(crate) const fn new(channel: Arc<Channel>, node: Arc<Shared>) -> Self {
        Self { channel, node }
    }
}

#[napi]
impl NativeRemote {
    /// The peer's identity: 64 hexadecimal digits.
    #[napi(getter, catch_unwind)]
    pub fn peer(&self) -> String {
        self.channel.entry.sender.peer().to_string()
    }

    /// The subject that both have proved.
    #[napi(getter, catch_unwind)]
    pub fn subject(&self) -> &str {
        self.channel.entry.sender.subject()
    }

    /// The address that was dialled, or the one that the peer dialled from.
    #[napi(getter, catch_unwind)]
    pub fn address(&self) -> String {
        self.channel.entry.sender.address().to_string()
    }

    /// How the peer is connected.
    #[napi(getter, catch_unwind)]
    pub fn transport(&self) -> String {
        self.channel.entry.sender.address().transport.to_string()
    }

    /// Whether a third peer relays the connection.
    #[napi(getter, catch_unwind)]
    pub fn relayed(&self) -> bool {
        self.channel.entry.sender.relayed()
    }

    /// The round trip time in milliseconds, once it was measured.
    #[napi(getter, catch_unwind)]
    pub fn rtt(&self) -> Option<f64> {
        self.channel.entry.sender.rtt().map(|rtt| rtt.as_secs_f64() * 1000.0)
    }

    /// The length of the longest message that can be sent, in bytes.
    #[napi(catch_unwind)]
    pub fn longest(&self) -> u32 {
        u32::try_from(self.channel.entry.sender.longest_message()).unwrap_or(u32::MAX)
    }

    /// Sends a message, the first so many bytes there; false if there is no room.
    #[napi(catch_unwind)]
    pub fn send(&self, kind: u32, data: &[u8], length: u32) -> Result<bool, Failure> {
        let message = Outgoing::new(kind, data.get(..length as usize)).map_err(thrown)?;
        room(self.channel.entry.sender.try_send(message).map(|()| true), false)
    }

    /// Sends messages while there is room, and answers how many. For each there are three numbers: its
    /// kind, and where in the slab it begins and ends.
    ///
    /// # Errors
    /// Why the first was not sent; if it is a later one, the next call says why.
    #[napi(catch_unwind)]
    pub fn send_many(&self, slab: &[u8], index: &[u32], count: u32) -> Result<u32, Failure> {
        let mut messages = Vec::with_capacity(index.len() / 3);
        for &[kind, begin, end] in index.as_chunks().0.iter().take(count as usize) {
            match Outgoing::new(kind, slab.get(begin as usize..end as usize)) {
                Ok(message) => messages.push(message),
                Err(error) if messages.is_empty() => return Err(thrown(error)),
                Err(_) => break,
            }
        }
        let sent = self.channel.entry.sender.try_send_many(&messages);
        room(sent.map(|sent| u32::try_from(sent).unwrap_or(u32::MAX)), 0)
    }

    /// Asks for a record once there is room.
    #[napi(catch_unwind)]
    pub fn await_room(&self) {
        self.node.polled.hub().await_room(self.channel.id, self.channel.entry.clone());
    }

    /// Whether messages, and the end after them, are to come.
    #[napi(catch_unwind)]
    pub fn flow(&self, wanted: bool) {
        let was_wanted = self.channel.own.want(wanted);
        if !wanted || was_wanted {
            return;
        }
        if self.channel.has_messages() {
            self.node.polled.mailbox().tell(Told::Readable(self.channel.clone()));
            self.node.wake();
        } else {
            self.channel.entry.resume();
        }
    }

    /// Says that no more messages follow.
    #[napi(catch_unwind)]
    pub fn finish(&self) {
        self.channel.entry.sender.finish();
    }

    /// Ends it, and tells the peer that not everything was read.
    #[napi(catch_unwind)]
    pub fn leave_unread(&self) {
        self.channel.entry.sender.leave_unread();
    }

    /// As `finish`; what the peer still sends is thrown away.
    #[napi(catch_unwind)]
    pub fn abandon(&self) {
        self.channel.abandon();
    }

    /// Ends it at once, and tells the peer that it is not wanted.
    #[napi(catch_unwind)]
    pub fn refuse(&self) {
        self.channel.entry.sender.refuse();
        self.abandon();
    }
}

impl Drop for NativeRemote {
    /// Nobody can read it any more.
    fn drop(&mut self) {
        self.abandon();
    }
}
