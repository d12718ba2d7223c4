//! Taking frames out of the bytes that came.
//!
//! Frames are read where they lie. The payload of a DATA frame goes straight to its channel, in
//! whatever parts it arrives; only the head of a frame, or a control frame, that is cut in two is
//! copied and waits for the rest.

use super::{
    reason::{CloseCode, Reason},
    session::{Event, Session, State},
    state::{Channel, ChannelId, Misfit},
};
use crate::{
    time::Time,
    wire::{
        Close, DataFlags, FrameType, Hello, Kind, MAX_FRAME, MAX_HELLO, Malformed, Reader,
        Subjects, SubjectsAck, Welcome, read_varint,
    },
};

/// The most bytes that tell what a frame is: length, type, channel, flags, total, each integer as
/// long as it can be written.
const MAX_HEAD: usize = 8 + 1 + MAX_DATA_HEAD;
/// What of it stands in the body of a DATA frame: channel, flags, total.
const MAX_DATA_HEAD: usize = 8 + 1 + 8;

/// Answers to a peer that asks and does not read; the rates of what it may ask bound it first where
/// the transport notices that nothing is read.
const MAX_CONTROL: usize = 256 * 1024;

/// Where the reading of the byte stream stands.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The beginning of a frame whose head is not complete; at most [`MAX_HEAD`] bytes.
    head: Vec<u8>,
    body: Body,
}

#[derive(Debug, Default)]
enum Body {
    /// Between two frames.
    #[default]
    None,
    /// A control frame; at most [`MAX_FRAME`] bytes gather here.
    Control { frame_type: FrameType, gathered: Vec<u8>, length: usize },
    /// A piece of a message; `cost` is charged with its first part.
    Piece { channel: ChannelId, left: usize, last: bool, cost: u64 },
    /// A whole message in one frame that is cut in two.
    Whole { channel: ChannelId, kind: Kind, gathered: Vec<u8>, length: usize, cost: u64 },
    /// Nothing that concerns us.
    Skip { left: usize },
}

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
enum Head {
    Control(FrameType),
    Data { channel: ChannelId, flags: DataFlags, total: Option<u64> },
    Skip,
}

impl Parser {
    fn is_between_frames(&self) -> bool {
        self.head.is_empty() && matches!(self.body, Body::None)
    }
}

/// A DATA frame that holds a whole message of under 16 KiB, on one of the first 64 channels.
struct ShortMessage<'a> {
    channel: ChannelId,
    kind: Kind,
    payload: &'a [u8],
    cost: u64,
    rest: &'a [u8],
}

impl<'a> ShortMessage<'a> {
    /// The frame at the beginning of `data`, if it is one and all there.
    #[inline]
    fn read(data: &'a [u8]) -> Option<Self> {
        let (length, body) = match *data {
            [length @ 0..0x40, ref body @ ..] => (usize::from(length), body),
            [high @ 0x40..0x80, low, ref body @ ..] => {
                (usize::from(high & 0x3f) << 8 | usize::from(low), body)
            }
            _ => return None,
        };
        let (frame, rest) = body.split_at_checked(length)?;
        let [frame_type, channel @ 0..0x40, flags, payload @ ..] = frame else { return None };
        let DataFlags { kind, more: false } = DataFlags::from_bits(*flags)? else { return None };
        if *frame_type != FrameType::Data as u8 {
            return None;
        }
        let cost = (data.len() - rest.len()) as u64;
        Some(Self { channel: ChannelId(u64::from(*channel)), kind, payload, cost, rest })
    }
}

impl From<Malformed> for Misfit {
    fn from(Malformed(why): Malformed) -> Self {
        Self(CloseCode::Protocol, why)
    }
}

fn broken(why: &'static str) -> Misfit {
    Misfit(CloseCode::Protocol, why)
}

impl Session {
    /// Takes in bytes of the peer, in order. A breach of the protocol ends the session, and the
    /// peer is told why; so does everything after it, unread.
    pub fn handle_bytes(&mut self, mut data: &[u8], now: Time) {
        if !data.is_empty() {
            self.liveness.handle_received(now);
            self.bytes_received += data.len() as u64;
        }
        while !data.is_empty() && self.closed().is_none() {
            match self.handle_run(data).and_then(|rest| self.handle_part(rest, now)) {
                Ok(rest) => data = rest,
                Err(Misfit(code, why)) => self.close(code, why),
            }
        }
    }

    /// Takes in the short messages of one channel that lie here whole, one behind the other, and
    /// returns the rest. This is only faster than frame by frame, not different.
    fn handle_run<'a>(&mut self, mut data: &'a [u8]) -> Result<&'a [u8], Misfit> {
        if self.state != State::Open || !self.parser.is_between_frames() {
            return Ok(data);
        }
        let Some(ShortMessage { channel: id, .. }) = ShortMessage::read(data) else {
            return Ok(data);
        };
        let max_message = self.config.max_message;
        let plain = |channel: &&mut Channel| channel.is_live() && !channel.is_assembling();
        let Some(channel) = self.channel(id).filter(plain) else { return Ok(data) };
        while let Some(message) = ShortMessage::read(data)
            && message.channel == id
            && message.payload.len() as u64 <= max_message
        {
            channel.charge(message.cost)?;
            channel.receive(message.kind, message.payload, message.cost, message.rest.len())?;
            data = message.rest;
        }
        self.after_data(id);
        Ok(data)
    }

    /// Takes in some bytes and returns the rest.
    fn handle_part<'a>(&mut self, data: &'a [u8], now: Time) -> Result<&'a [u8], Misfit> {
        match &mut self.parser.body {
            Body::None => self.handle_head(data, now),
            Body::Skip { left } => {
                let (_, rest) = data.split_at((*left).min(data.len()));
                *left -= data.len() - rest.len();
                if *left == 0 {
                    self.parser.body = Body::None;
                }
                Ok(rest)
            }
            Body::Piece { channel, left, last, cost } => {
                let (part, rest) = data.split_at((*left).min(data.len()));
                *left -= part.len();
                let (channel, last, cost) = (*channel, *last && *left == 0, std::mem::take(cost));
                if *left == 0 {
                    self.parser.body = Body::None;
                }
                self.handle_piece(channel, part, cost, last)?;
                Ok(rest)
            }
            Body::Control { gathered, length, .. } | Body::Whole { gathered, length, .. } => {
                let (part, rest) = data.split_at((*length - gathered.len()).min(data.len()));
                gathered.extend_from_slice(part);
                if gathered.len() == *length {
                    match std::mem::take(&mut self.parser.body) {
                        Body::Control { frame_type, gathered, .. } => {
                            self.handle_control(frame_type, &gathered, now)?;
                        }
                        Body::Whole { channel, kind, gathered, cost, .. } => {
                            self.handle_message(channel, kind, gathered, cost)?;
                        }
                        Body::None | Body::Piece { .. } | Body::Skip { .. } => {}
                    }
                }
                Ok(rest)
            }
        }
    }

    /// At the beginning of a frame, or within a head that came in parts.
    #[inline]
    fn handle_head<'a>(&mut self, data: &'a [u8], now: Time) -> Result<&'a [u8], Misfit> {
        if self.parser.head.is_empty() {
            return match self.read_head(data)? {
                Some((head, length, cost, rest)) => self.begin(head, length, cost, rest, now),
                None => {
                    self.parser.head.extend_from_slice(data);
                    Ok(&[])
                }
            };
        }
        let mut head = std::mem::take(&mut self.parser.head);
        let before = head.len();
        head.extend_from_slice(&data[..data.len().min(MAX_HEAD - before)]);
        let Some((parsed, length, cost, rest)) = self.read_head(&head)? else {
            if head.len() == MAX_HEAD {
                return Err(broken("an overlong head"));
            }
            self.parser.head = head;
            return Ok(&[]);
        };
        let read = head.len() - rest.len();
        if let Some(surplus) = before.checked_sub(read) {
            // The channel has ended since the head began, so less of it counts as head than came: the
            // surplus belongs to what is skipped.
            return self.begin(parsed, length.saturating_sub(surplus), cost, data, now);
        }
        self.begin(parsed, length, cost, &data[read - before..], now)
    }

    /// Reads the head of a frame: what it is, how long the rest of its body is, how long the whole
    /// frame is, and what follows the head. `None` if the head is not all there.
    #[inline]
    #[expect(clippy::type_complexity, reason = "four values that live for one call")]
    fn read_head<'a>(
        &self,
        data: &'a [u8],
    ) -> Result<Option<(Head, usize, u64, &'a [u8])>, Misfit> {
        let Some((length, length_len)) = read_varint(data) else { return Ok(None) };
        let most = if self.state == State::Open { MAX_FRAME } else { MAX_HELLO };
        let length = match usize::try_from(length) {
            Ok(0) => return Err(broken("an empty frame")),
            Ok(length) if length <= most => length,
            _ => return Err(broken("a frame longer than the limit")),
        };
        let cost = (length_len + length) as u64;
        let body = &data[length_len..];
        let Some((number, body)) = body.split_first() else { return Ok(None) };
        let left = length - 1;
        match FrameType::from_u8(*number) {
            Some(FrameType::Data) => {}
            Some(control) => return Ok(Some((Head::Control(control), left, cost, body))),
            None if *number >= 0x40 => return Ok(Some((Head::Skip, left, cost, body))),
            None => return Err(broken("a frame of an unknown type")),
        }
        let most = left.min(MAX_DATA_HEAD);
        let start = body.get(..most).unwrap_or(body);
        match self.read_data_head(start) {
            Ok((head, used)) => Ok(Some((head, left - used, cost, &body[used..]))),
            // More bytes would not help.
            Err(Malformed(why)) if start.len() == most => Err(broken(why)),
            Err(_) => Ok(None),
        }
    }

    #[inline]
    fn read_data_head(&self, body: &[u8]) -> Result<(Head, usize), Malformed> {
        let mut reader = Reader::new(body);
        let channel = ChannelId(reader.varint()?);
        let flags = DataFlags::from_bits(reader.u8()?).ok_or(Malformed("unknown DATA flags"))?;
        // For a channel that has ended here the rest is skipped, whatever it is.
        let begins = |it: &Channel| it.id == channel && it.is_live() && !it.is_assembling();
        let first_of_many = flags.more && self.channels.iter().any(begins);
        let total = if first_of_many { Some(reader.varint()?) } else { None };
        Ok((Head::Data { channel, flags, total }, body.len() - reader.rest().len()))
    }

    /// Handles what of the frame is here already.
    #[inline]
    fn begin<'a>(
        &mut self,
        head: Head,
        length: usize,
        cost: u64,
        rest: &'a [u8],
        now: Time,
    ) -> Result<&'a [u8], Misfit> {
        match head {
            Head::Skip => self.parser.body = Body::Skip { left: length },
            Head::Control(frame_type) => {
                if let Some((body, rest)) = rest.split_at_checked(length) {
                    self.handle_control(frame_type, body, now)?;
                    return Ok(rest);
                }
                self.parser.body = Body::Control { frame_type, gathered: Vec::new(), length };
            }
            Head::Data { channel, flags, total } => {
                return self.begin_data(channel, flags, total, length, cost, rest);
            }
        }
        Ok(rest)
    }

    #[inline]
    fn begin_data<'a>(
        &mut self,
        id: ChannelId,
        flags: DataFlags,
        total: Option<u64>,
        length: usize,
        cost: u64,
        rest: &'a [u8],
    ) -> Result<&'a [u8], Misfit> {
        let (max_message, opened) = (self.config.max_message, self.was_opened(id));
        let live = |channel: &&mut Channel| channel.id == id && channel.is_live();
        let Some(channel) = self.channels.iter_mut().find(live) else {
            // The channel has ended here, and the peer does not know yet.
            self.parser.body = Body::Skip { left: length };
            return if opened { Ok(rest) } else { Err(broken("DATA on a channel never opened")) };
        };
        channel.charge(cost)?;
        if total.unwrap_or(length as u64) > max_message {
            return Err(Misfit(CloseCode::TooBig, "see limits.message"));
        }
        if !channel.matches_assembly(flags.kind) {
            return Err(broken("pieces of one message differ in kind"));
        }
        if let Some(total) = total {
            channel.begin(flags.kind, total);
        }
        if channel.is_assembling() {
            self.reserve(id);
            self.parser.body = Body::Piece { channel: id, left: length, last: !flags.more, cost };
            if length == 0 {
                self.parser.body = Body::None;
                self.handle_piece(id, &[], cost, !flags.more)?;
            }
            return Ok(rest);
        }
        if let Some((payload, rest)) = rest.split_at_checked(length) {
            channel.receive(flags.kind, payload, cost, rest.len())?;
            self.after_data(id);
            return Ok(rest);
        }
        let gathered = Vec::with_capacity(length);
        self.parser.body = Body::Whole { channel: id, kind: flags.kind, gathered, length, cost };
        Ok(rest)
    }

    fn handle_message(
        &mut self,
        id: ChannelId,
        kind: Kind,
        payload: Vec<u8>,
        cost: u64,
    ) -> Result<(), Misfit> {
        if let Some(channel) = self.channel(id).filter(|channel| channel.is_live()) {
            channel.receive_owned(kind, payload.into(), cost)?;
            self.after_data(id);
        }
        Ok(())
    }

    fn handle_piece(
        &mut self,
        id: ChannelId,
        part: &[u8],
        cost: u64,
        last: bool,
    ) -> Result<(), Misfit> {
        if let Some(channel) = self.channel(id).filter(|channel| channel.is_live()) {
            channel.extend(part, cost)?;
            if last {
                channel.finish_message()?;
            }
            self.after_data(id);
        }
        Ok(())
    }

    fn handle_control(
        &mut self,
        frame_type: FrameType,
        body: &[u8],
        now: Time,
    ) -> Result<(), Misfit> {
        match (&self.state, frame_type) {
            (State::Greeting | State::Deciding, FrameType::Close)
            | (State::Open, FrameType::Close) => {
                let Close { code, message } = Close::decode(body)?;
                self.control.clear();
                self.end(Reason::Peer { code: CloseCode::from_wire(code), message });
            }
            (State::Greeting, FrameType::Hello) if !self.is_dialler() => {
                let hello = Hello::decode(body)?;
                self.learn(&hello.about)?;
                self.state = State::Deciding;
                self.events.push_back(Event::Hello(hello));
            }
            (State::Greeting, FrameType::Welcome) if self.is_dialler() => {
                let welcome = Welcome::decode(body)?;
                self.learn(&welcome.about)?;
                if welcome.matches.is_empty() {
                    return Err(broken("a WELCOME to no subject"));
                }
                self.state = State::Open;
                self.liveness.set_rtt(now - self.started());
                self.confirm(0, &welcome.matches).map_err(broken)?;
            }
            (State::Open, _) => self.handle_open_control(frame_type, body, now)?,
            _ => return Err(broken("a frame that does not belong into the handshake")),
        }
        Ok(())
    }

    fn handle_open_control(
        &mut self,
        frame_type: FrameType,
        body: &[u8],
        now: Time,
    ) -> Result<(), Misfit> {
        let mut reader = Reader::new(body);
        if self.control.len() > MAX_CONTROL {
            return Err(broken("more questions than answers read"));
        }
        match frame_type {
            FrameType::Ping => {
                let number = reader.u64()?;
                if !self.pinged_rate.allows(now) {
                    return Err(broken("too many PINGs"));
                }
                self.pong(number);
            }
            FrameType::Pong => {
                if self.liveness.handle_pong(reader.u64()?, now) {
                    self.events.push_back(Event::Pong);
                }
            }
            FrameType::Credit => {
                let id = ChannelId(reader.varint()?);
                self.handle_credit(id, reader.varint()?)?;
            }
            FrameType::Done => self.handle_done(ChannelId(reader.varint()?))?,
            FrameType::Fin => self.handle_fin(ChannelId(reader.varint()?), now)?,
            FrameType::Reset => {
                let id = ChannelId(reader.varint()?);
                self.handle_reset(id, CloseCode::from_wire(reader.varint()?))?;
            }
            FrameType::Subjects => {
                let subjects = Subjects::decode(body)?;
                if !self.offered_rate.allows(now) {
                    return Err(broken("too many SUBJECTS"));
                }
                // Another number would bind its tags to an offer that was made before.
                self.peer_offers += 1;
                if subjects.number != self.peer_offers {
                    return Err(broken("SUBJECTS out of turn"));
                }
                self.events.push_back(Event::Subjects(subjects));
            }
            FrameType::SubjectsAck => {
                let SubjectsAck { number, matches } = SubjectsAck::decode(body)?;
                self.confirm(number, &matches).map_err(broken)?;
            }
            FrameType::Hello | FrameType::Welcome | FrameType::Data | FrameType::Close => {
                return Err(broken("a frame that belongs into the handshake"));
            }
        }
        Ok(())
    }
}
