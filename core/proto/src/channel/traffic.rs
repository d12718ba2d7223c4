//! What went over a connection and its channels: plain counters, kept as it goes.

use std::{
    iter::Sum,
    ops::{Add, AddAssign},
    time::Duration,
};

use super::{
    proof::Side,
    session::{Session, State},
    state::{Channel, ChannelId},
};
use crate::time::Time;

/// Messages and bytes in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages that the program gave to be sent; some may still wait.
    pub messages_sent: u64,
    /// Whole messages that arrived, whether or not the program took them.
    pub messages_received: u64,
    /// Of a channel, bytes of the messages sent; of a connection, bytes of the frames.
    pub bytes_sent: u64,
    /// Of a channel, bytes of the messages received; of a connection, bytes of the frames.
    pub bytes_received: u64,
}

impl Add for Traffic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            messages_sent: self.messages_sent + other.messages_sent,
            messages_received: self.messages_received + other.messages_received,
            bytes_sent: self.bytes_sent + other.bytes_sent,
            bytes_received: self.bytes_received + other.bytes_received,
        }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(traffic: I) -> Self {
        traffic.fold(Self::default(), Add::add)
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// Which side of it this one is.
    pub side: Side,
    /// Whether a subject has been proved and it has not ended.
    pub open: bool,
    /// When it was made.
    pub began: Time,
    /// The smoothed round trip time; `None` until it was measured.
    pub rtt: Option<Duration>,
    /// What went over it, channels that have ended included.
    pub traffic: Traffic,
    /// Bytes of messages that wait to be sent, of all channels.
    pub queued: usize,
    /// Bytes per channel that the peer takes before its program reads them; `None` until it has
    /// said so.
    pub window: Option<u64>,
}

/// What a channel is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelStatus {
    /// What went over it.
    pub traffic: Traffic,
    /// Bytes that wait to be sent.
    pub queued: usize,
    /// Bytes that arrived and that the program has not taken.
    pub unread: u64,
    /// Bytes that the peer still takes before its program reads some.
    pub credit: u64,
}

impl Session {
    /// What the connection is doing.
    pub fn status(&self) -> SessionStatus {
        SessionStatus {
            side: self.side,
            open: self.state == State::Open,
            began: self.started(),
            rtt: self.rtt(),
            traffic: self.traffic(),
            queued: self.channels.iter().map(|channel| channel.outbox.queued()).sum(),
            window: self.peer.as_ref().map(|about| about.window),
        }
    }

    /// What went over the connection.
    pub fn traffic(&self) -> Traffic {
        let channels = self.channels.iter().map(|channel| channel.traffic);
        let messages = self.forgotten + channels.sum();
        Traffic { bytes_sent: self.bytes_sent, bytes_received: self.bytes_received, ..messages }
    }

    /// What a channel is doing; `None` if it is not known any more.
    pub fn channel_status(&self, id: ChannelId) -> Option<ChannelStatus> {
        self.channels.iter().find(|channel| channel.id == id).map(Channel::status)
    }
}
