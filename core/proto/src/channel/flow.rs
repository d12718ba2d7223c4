//! The channels of an open session: sending, reading, credit, ending.

use super::{
    inbox::Batch,
    proof::Side,
    reason::{CloseCode, Reason},
    session::{Event, MIN_WINDOW, Session, State},
    state::{Channel, ChannelId, Ending, Misfit},
};
use crate::{
    time::Time,
    wire::{About, FrameType, Kind, push_frame, push_varint},
};

/// Why a message was not queued. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The buffer is full; [`Event::Writable`] comes once when there is room.
    WouldBlock,
    /// The message is longer than this side sends or the peer takes; the limit in bytes.
    TooBig(u64),
    /// The channel has ended or is ending; see [`Session::reason`].
    Ended,
}

/// What [`Session::take`] found.
#[derive(Debug)]
pub enum Taken {
    /// At least one message.
    Messages(Batch),
    /// Nothing yet; [`Event::Readable`] or [`Event::Ended`] comes once when that changes.
    Nothing,
    /// Nothing, and nothing will come.
    Ended(Reason),
    /// The channel was abandoned and has ended; [`Event::Ended`] said why.
    Forgotten,
}

impl Session {
    /// Queues a message. `Ok(true)` asks for the driver, which was idle.
    ///
    /// # Errors
    /// See [`SendError`].
    #[inline]
    pub fn send(&mut self, id: ChannelId, kind: Kind, payload: &[u8]) -> Result<bool, SendError> {
        let max = self.longest_message();
        let (high_water, low_water) = (self.config.high_water, self.config.low_water);
        let Some(channel) = self.channels.iter_mut().find(|channel| channel.id == id) else {
            return Err(SendError::Ended);
        };
        if channel.ended.is_some() || channel.ending != Ending::No || channel.abandoned {
            return Err(SendError::Ended);
        }
        if payload.len() as u64 > max {
            return Err(SendError::TooBig(max));
        }
        let queued = channel.outbox.queued();
        if queued > low_water && queued + payload.len() > high_water {
            channel.wants_writable = true;
            return Err(SendError::WouldBlock);
        }
        channel.outbox.push(id.0, kind, payload, &self.config.pool);
        channel.traffic.messages_sent += 1;
        channel.traffic.bytes_sent += payload.len() as u64;
        Ok(std::mem::take(&mut self.driver_idle))
    }

    /// The length of the longest message that this side sends and the peer takes.
    #[inline]
    pub fn longest_message(&self) -> u64 {
        let max = self.peer.as_ref().map_or(0, |about| about.max_message);
        max.min(self.config.max_message)
    }

    /// Whether a message of ordinary length would be queued now; if not, [`Event::Writable`] comes
    /// once when there is room.
    ///
    /// # Errors
    /// [`SendError::Ended`].
    pub fn poll_writable(&mut self, id: ChannelId) -> Result<bool, SendError> {
        let low_water = self.config.low_water;
        let Some(channel) = self.channel(id) else { return Err(SendError::Ended) };
        if channel.ended.is_some() || channel.ending != Ending::No {
            return Err(SendError::Ended);
        }
        channel.wants_writable = channel.outbox.queued() > low_water;
        Ok(!channel.wants_writable)
    }

    /// Whether everything that was queued is on its way; if not, [`Event::Writable`] comes once when
    /// it is.
    pub fn poll_flushed(&mut self, id: ChannelId) -> bool {
        let Some(channel) = self.channel(id) else { return true };
        channel.wants_flushed = !channel.outbox.is_empty();
        !channel.wants_flushed
    }

    /// Why a channel has ended, if it has and the program still holds it.
    pub fn reason(&self, id: ChannelId) -> Option<&Reason> {
        self.channels.iter().find(|channel| channel.id == id)?.ended.as_ref()
    }

    /// Takes all messages that wait; say [`Session::consumed`] when they have been read. The flag asks
    /// for the driver: there is credit to give.
    pub fn take(&mut self, id: ChannelId) -> (Taken, bool) {
        let Some(channel) = self.channel(id) else {
            return (Taken::Forgotten, false);
        };
        if channel.has_unread() {
            let batch = channel.take();
            self.give_credit(id);
            return (Taken::Messages(batch), self.has_news());
        }
        match &channel.ended {
            Some(reason) => (Taken::Ended(reason.clone()), false),
            None => {
                channel.wants_readable = true;
                (Taken::Nothing, false)
            }
        }
    }

    /// The program has read all messages that it took. Until it says so, the peer is not
    /// told that everything was read. The time is only asked for if something hangs on it. Returns
    /// whether the driver is asked for.
    pub fn consumed(&mut self, id: ChannelId, now: impl FnOnce() -> Time) -> bool {
        let Some(channel) = self.channel(id) else { return false };
        if std::mem::take(&mut channel.handed_over) && channel.peer_finished {
            self.advance_end(id, now());
        }
        self.has_news()
    }

    /// Whether there is something for the driver, and it does not know.
    fn has_news(&mut self) -> bool {
        let news = !self.control.is_empty() || !self.events.is_empty();
        news && std::mem::take(&mut self.driver_idle)
    }

    /// Says that no more messages follow: what is queued is sent, then FIN. The channel ends when
    /// the peer has done likewise and both have said, by DONE, that they have read everything.
    /// Returns whether the driver is asked for.
    pub fn finish(&mut self, id: ChannelId, now: Time) -> bool {
        let deadline = now + self.config.close_timeout;
        let Some(channel) = self.channel(id) else { return false };
        if channel.is_live() && channel.ending == Ending::No {
            channel.ending = Ending::Flushing;
            channel.deadline = Some(deadline);
            channel.progressed = false;
            return std::mem::take(&mut self.driver_idle);
        }
        false
    }

    /// The program will not read all of what it has taken: what is queued is still sent, then the
    /// channel ends, and the peer is told so. Returns whether the driver is asked for.
    pub fn leave_unread(&mut self, id: ChannelId, now: Time) -> bool {
        let Some(channel) = self.channel(id) else { return false };
        channel.unread_dropped = true;
        if !channel.is_live() {
            return false;
        }
        self.finish(id, now);
        self.advance_end(id, now);
        self.driver_idle = false;
        true
    }

    /// Lets go of the channel: what is queued is still sent, what arrives is dropped, and if
    /// anything is, the peer is told so. Returns whether the driver is asked for.
    pub fn abandon(&mut self, id: ChannelId, now: Time) -> bool {
        let Some(channel) = self.channel(id) else { return false };
        channel.abandon();
        if !channel.is_live() {
            self.forget(id);
            return false;
        }
        self.finish(id, now);
        self.give_credit(id);
        self.advance_end(id, now);
        self.driver_idle = false;
        true
    }

    /// Ends the channel at once, in both directions. Returns whether the driver is asked for.
    pub fn reset(&mut self, id: ChannelId, code: CloseCode) -> bool {
        self.reset_with(id, Reason::here(code, ""));
        std::mem::take(&mut self.driver_idle)
    }

    pub(super) fn reset_with(&mut self, id: ChannelId, reason: Reason) {
        let live = self.channel(id).is_some_and(|channel| channel.is_live());
        if let (State::Open, true, Some(code)) = (&self.state, live, reason.code()) {
            let mut body = Vec::new();
            push_varint(&mut body, id.0);
            push_varint(&mut body, code.to_wire());
            push_frame(&mut self.control, FrameType::Reset, &body);
            self.end_channel(id, reason);
        }
    }

    /// Forgets an ended channel that the program has let go of.
    pub fn forget(&mut self, id: ChannelId) {
        let ended = |channel: &Channel| channel.id == id && !channel.is_live();
        if let Some(position) = self.channels.iter().position(ended) {
            self.forgotten += self.channels.remove(position).traffic;
        }
    }

    /// Bytes of messages that wait to be sent on a channel.
    pub fn queued(&self, id: ChannelId) -> usize {
        self.channels.iter().find(|it| it.id == id).map_or(0, |it| it.outbox.queued())
    }

    pub(super) fn is_dialler(&self) -> bool {
        self.side == Side::Dialler
    }

    pub(super) fn learn(&mut self, about: &About) -> Result<(), Misfit> {
        if about.window < MIN_WINDOW {
            return Err(Misfit(CloseCode::Protocol, "a window under 256 KiB"));
        }
        self.peer = Some(about.clone());
        Ok(())
    }

    pub(super) fn started(&self) -> Time {
        let elapsed = self.config.handshake_timeout;
        Time::from_micros(
            self.handshake_deadline
                .as_micros()
                .saturating_sub(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)),
        )
    }

    pub(super) fn pong(&mut self, number: u64) {
        push_frame(&mut self.control, FrameType::Pong, &number.to_be_bytes());
    }

    /// Messages or parts of one have arrived.
    #[inline]
    pub(super) fn after_data(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.iter_mut().find(|channel| channel.id == id) else {
            return;
        };
        channel.progressed = true;
        if channel.has_unread() && std::mem::take(&mut channel.wants_readable) {
            self.events.push_back(Event::Readable(id));
        }
        self.give_credit(id);
    }

    /// Lets the peer send more, if there is room for more.
    #[inline]
    pub(super) fn give_credit(&mut self, id: ChannelId) {
        if let Some(credit) = self.channel(id).and_then(Channel::credit_due) {
            push_credit(&mut self.control, id, credit);
        }
    }

    /// Looks for a place in the node's budget for a long message that is arriving.
    pub(super) fn reserve(&mut self, id: ChannelId) {
        if !self.channel(id).is_some_and(|channel| channel.is_starved()) {
            return;
        }
        let budget = self.config.budget.clone();
        let held: u64 = self.channels.iter().map(Channel::reserved).sum();
        let most = if held == 0 { u64::MAX } else { budget.share().saturating_sub(held) };
        if let Some(channel) = self.channel(id) {
            channel.reserve(&budget, most);
        }
    }

    pub(super) fn handle_credit(&mut self, id: ChannelId, bytes: u64) -> Result<(), Misfit> {
        let opened = self.was_opened(id);
        match self.channel(id) {
            Some(channel) => {
                channel.outbox.add_credit(bytes);
                channel.progressed = true;
                Ok(())
            }
            None if opened => Ok(()),
            None => Err(Misfit(CloseCode::Protocol, "CREDIT on a channel never opened")),
        }
    }

    pub(super) fn handle_fin(&mut self, id: ChannelId, now: Time) -> Result<(), Misfit> {
        let opened = self.was_opened(id);
        match self.channel(id) {
            Some(channel) if channel.peer_finished || channel.is_assembling() => {
                Err(Misfit(CloseCode::Protocol, "FIN twice or within a message"))
            }
            Some(channel) => {
                channel.peer_finished = true;
                self.advance_end(id, now);
                Ok(())
            }
            None if opened => Ok(()),
            None => Err(Misfit(CloseCode::Protocol, "FIN on a channel never opened")),
        }
    }

    pub(super) fn handle_done(&mut self, id: ChannelId) -> Result<(), Misfit> {
        let opened = self.was_opened(id);
        match self.channel(id) {
            Some(channel) if channel.ending == Ending::Finished => {
                channel.peer_done = true;
                self.end_if_done(id);
                Ok(())
            }
            // Both may have reset the channel at once.
            Some(channel) if !channel.is_live() => Ok(()),
            None if opened => Ok(()),
            _ => Err(Misfit(CloseCode::Protocol, "DONE before FIN")),
        }
    }

    pub(super) fn handle_reset(&mut self, id: ChannelId, code: CloseCode) -> Result<(), Misfit> {
        if !self.was_opened(id) {
            return Err(Misfit(CloseCode::Protocol, "RESET on a channel never opened"));
        }
        self.end_channel(id, Reason::Peer { code, message: String::new() });
        Ok(())
    }

    /// Moves the end of a channel on as far as it goes: what is queued, FIN; everything read up to the
    /// peer's FIN, DONE; and with the peer's DONE, the end.
    pub(super) fn advance_end(&mut self, id: ChannelId, now: Time) {
        let close_timeout = self.config.close_timeout;
        let Some(channel) = self.channel(id) else { return };
        if !channel.is_live() {
            return;
        }
        let unread = channel.has_unread() || channel.handed_over || channel.unread_dropped;
        let read_all = channel.peer_finished && !unread;
        if read_all && channel.ending == Ending::No {
            channel.ending = Ending::Flushing;
            channel.deadline = Some(now + close_timeout);
        }
        let flushed = channel.outbox.is_empty();
        if flushed && channel.unread_dropped {
            self.reset(id, CloseCode::Unread);
            return;
        }
        if flushed && channel.ending == Ending::Flushing {
            channel.ending = Ending::Finished;
            self.push_channel(FrameType::Fin, id);
        }
        let Some(channel) = self.channel(id) else { return };
        if read_all && !std::mem::replace(&mut channel.done, true) {
            self.push_channel(FrameType::Done, id);
        }
        self.end_if_done(id);
    }

    fn end_if_done(&mut self, id: ChannelId) {
        if self.channel(id).is_some_and(|channel| channel.done && channel.peer_done) {
            self.end_channel(id, Reason::Clean);
        }
    }

    fn push_channel(&mut self, frame_type: FrameType, ChannelId(channel): ChannelId) {
        let mut body = Vec::with_capacity(8);
        push_varint(&mut body, channel);
        push_frame(&mut self.control, frame_type, &body);
    }

    fn end_channel(&mut self, id: ChannelId, reason: Reason) {
        let Some(channel) = self.channel(id) else { return };
        if !channel.is_live() {
            return;
        }
        channel.end(reason.clone());
        let abandoned = channel.abandoned;
        self.events.push_back(Event::Ended(id, reason));
        if abandoned {
            self.forget(id);
        }
        self.close_if_done();
    }
}

fn push_credit(control: &mut Vec<u8>, ChannelId(channel): ChannelId, credit: u64) {
    let mut body = Vec::with_capacity(16);
    push_varint(&mut body, channel);
    push_varint(&mut body, credit);
    push_frame(control, FrameType::Credit, &body);
}
