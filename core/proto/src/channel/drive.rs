//! What the driver polls: bytes to send, and time.

use std::time::Duration;

use super::{
    liveness::Beat,
    outbox::BLOCK,
    reason::{CloseCode, Reason},
    session::{Event, Session, State},
    state::{Channel, ChannelId, Ending},
};
use crate::{
    time::Time,
    wire::{FrameType, push_frame},
};

/// How often a long message asks again for a place in the node's budget.
const STARVED_RETRY: Duration = Duration::from_millis(100);

impl Session {
    /// The next bytes to send, in order, up to about 64 KiB. `None` makes the driver idle: a call
    /// that returns `true` asks for it again. Give the buffer back with [`Session::recycle`].
    pub fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if !self.control.is_empty() {
            let bytes = std::mem::take(&mut self.control);
            return Some(self.transmit(bytes));
        }
        for _ in 0..self.channels.len() {
            if self.channels.is_empty() {
                break;
            }
            self.turn = (self.turn + 1) % self.channels.len();
            let Channel { id, outbox, .. } = &mut self.channels[self.turn];
            let id = *id;
            if let Some(bytes) = outbox.take() {
                self.after_transmit(id);
                return Some(self.transmit(bytes));
            }
            self.advance_end(id, now);
            if !self.control.is_empty() {
                return self.poll_transmit(now);
            }
        }
        self.driver_idle = true;
        None
    }

    /// Whether the driver would find nothing to do: it has polled everything, or what was sent in its
    /// place has led to nothing more. Time is not asked for.
    pub fn is_settled(&self) -> bool {
        self.driver_idle && self.events.is_empty()
    }

    fn transmit(&mut self, bytes: Vec<u8>) -> Transmit {
        self.bytes_sent += bytes.len() as u64;
        Transmit { bytes }
    }

    fn after_transmit(&mut self, id: ChannelId) {
        let low_water = self.config.low_water;
        let Some(channel) = self.channel(id) else { return };
        channel.progressed = true;
        let writable =
            channel.outbox.queued() <= low_water && std::mem::take(&mut channel.wants_writable);
        let flushed = channel.outbox.is_empty() && std::mem::take(&mut channel.wants_flushed);
        if writable || flushed {
            self.events.push_back(Event::Writable(id));
        }
    }

    /// Gives a sent buffer back for reuse.
    pub fn recycle(&self, Transmit { bytes }: Transmit) {
        self.config.pool.give(bytes, BLOCK);
    }

    /// Channels that have not ended.
    pub fn live_channels(&self) -> usize {
        self.channels.iter().filter(|channel| channel.is_live()).count()
    }

    /// When [`Session::handle_timeout`] is due.
    pub fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        match self.state {
            State::Closed(_) => return None,
            State::Greeting | State::Deciding => return Some(self.handshake_deadline),
            State::Open => {}
        }
        if self.live_channels() > 0 {
            self.idle_since = None;
        } else {
            self.idle_since.get_or_insert(now);
        }
        let live = || self.channels.iter().filter(|channel| channel.is_live());
        let deadlines = live().filter_map(|channel| channel.deadline);
        let starved = live().any(Channel::is_starved);
        self.starved_until = starved.then(|| self.starved_until.unwrap_or(now + STARVED_RETRY));
        let idle = self.idle_since.map(|since| since + self.config.idle_timeout);
        deadlines.chain(self.starved_until).chain(idle).chain([self.liveness.poll_timeout()]).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.state {
            State::Closed(_) => return,
            State::Greeting | State::Deciding => {
                if now >= self.handshake_deadline {
                    self.close(CloseCode::Timeout, "the handshake took too long");
                }
                return;
            }
            State::Open => {}
        }
        self.starved_until.take_if(|until| *until <= now);
        match self.liveness.handle_timeout(now) {
            Some(Beat::Ping(number)) => {
                push_frame(&mut self.control, FrameType::Ping, &number.to_be_bytes());
                self.config.pool.shrink();
            }
            Some(Beat::Dead) => {
                self.close(CloseCode::Timeout, "the peer has been silent and answers no PING");
                return;
            }
            None => {}
        }
        if self.idle_since.is_some_and(|since| now >= since + self.config.idle_timeout) {
            self.close(CloseCode::Normal, "no subject is in use");
            return;
        }
        let ids: Vec<_> = self.channels.iter().map(|channel| channel.id).collect();
        for id in ids {
            self.handle_channel_timeout(id, now);
        }
    }

    fn handle_channel_timeout(&mut self, id: ChannelId, now: Time) {
        self.reserve(id);
        self.give_credit(id);
        let close_timeout = self.config.close_timeout;
        let Some(channel) = self.channel(id) else { return };
        let Some(deadline) = channel.deadline.filter(|deadline| *deadline <= now) else { return };
        // Nothing can have moved while this machine slept.
        if std::mem::take(&mut channel.progressed) || now.has_slept(deadline) {
            channel.deadline = Some(now + close_timeout);
            return;
        }
        let queued = channel.outbox.queued();
        let what = match (queued, channel.ending) {
            (0, Ending::Finished) => "the peer has not read everything in time".into(),
            (queued, _) => format!("{queued} bytes could not be sent in time"),
        };
        self.reset_with(id, Reason::here(CloseCode::Timeout, what));
    }
}

/// Bytes to send, see [`Session::poll_transmit`].
#[derive(Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Whole frames.
    pub bytes: Vec<u8>,
}
