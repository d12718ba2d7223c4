//! Frames and the header of DATA frames.

use super::varint::{push_varint, varint_len};

/// The most that a frame's length field may say.
pub const MAX_FRAME: usize = MAX_PAYLOAD + 16;
/// The most payload that one DATA frame carries; longer messages are cut into several.
pub const MAX_PAYLOAD: usize = 65_536;

/// The types of frames that version 1 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    /// The dialler's first frame.
    Hello = 1,
    /// The acceptor's answer.
    Welcome = 2,
    /// Further subjects offered on an open connection.
    Subjects = 3,
    /// Which of them are common.
    SubjectsAck = 4,
    /// A message, or a piece of one.
    Data = 7,
    /// No more messages on this channel from this side.
    Fin = 8,
    /// The channel ends at once, in both directions.
    Reset = 9,
    /// The receiver has room for more bytes.
    Credit = 10,
    /// Are you there?
    Ping = 11,
    /// Yes.
    Pong = 12,
    /// The connection ends at once, and why.
    Close = 14,
    /// Everything up to the other side's FIN has been read.
    Done = 15,
}

impl FrameType {
    /// The type with this number.
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Hello,
            2 => Self::Welcome,
            3 => Self::Subjects,
            4 => Self::SubjectsAck,
            7 => Self::Data,
            8 => Self::Fin,
            9 => Self::Reset,
            10 => Self::Credit,
            11 => Self::Ping,
            12 => Self::Pong,
            14 => Self::Close,
            15 => Self::Done,
            _ => return None,
        })
    }
}

/// How a message is marked, so that it arrives in the other language as what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Any bytes.
    #[default]
    Bytes = 0,
    /// UTF-8 text; checked on arrival.
    Text = 1,
    /// One JSON value (RFC 8259) in UTF-8; that it is UTF-8 is checked on arrival, its syntax by
    /// whoever reads it.
    Json = 2,
}

impl Kind {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Bytes,
            1 => Self::Text,
            2 => Self::Json,
            _ => return None,
        })
    }
}

/// The flags of a DATA frame: bits 0 and 1 the kind, bit 2 whether more pieces follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFlags {
    /// How the message is marked; the same in all its pieces.
    pub kind: Kind,
    /// Another piece of the same message follows.
    pub more: bool,
}

impl DataFlags {
    const MORE: u8 = 4;

    /// The flags as a byte.
    pub const fn to_bits(self) -> u8 {
        self.kind as u8 | if self.more { Self::MORE } else { 0 }
    }

    /// The flags that a byte stands for; `None` for bits that version 1 does not know.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match Kind::from_bits(bits & !Self::MORE) {
            Some(kind) => Some(Self { kind, more: bits & Self::MORE != 0 }),
            None => None,
        }
    }
}

/// Appends a whole frame.
pub fn push_frame(out: &mut Vec<u8>, frame_type: FrameType, body: &[u8]) {
    push_varint(out, 1 + body.len() as u64);
    out.push(frame_type as u8);
    out.extend_from_slice(body);
}

/// Appends what stands before the payload of a DATA frame. `total` is the length of the whole
/// message, and stands only in the first piece of a message of several.
#[inline]
pub fn push_data_header(
    out: &mut Vec<u8>,
    channel: u64,
    flags: DataFlags,
    total: Option<u64>,
    payload: usize,
) {
    let length = 2 + varint_len(channel) + total.map_or(0, varint_len) + payload;
    if let (Ok(channel @ 0..0x40), 0x40..0x4000, None) = (u8::try_from(channel), length, total) {
        // Most frames by far: written at once.
        #[expect(clippy::cast_possible_truncation, reason = "of 14 bits, each takes some")]
        let (high, low) = (0x40 | (length >> 8) as u8, length as u8);
        return out.extend_from_slice(&[
            high,
            low,
            FrameType::Data as u8,
            channel,
            flags.to_bits(),
        ]);
    }
    push_varint(out, length as u64);
    out.push(FrameType::Data as u8);
    push_varint(out, channel);
    out.push(flags.to_bits());
    if let Some(total) = total {
        push_varint(out, total);
    }
}
