//! One channel of a connection: what it still has to send, what it has received, how it ends.

use bytes::{Bytes, BytesMut};

use super::{
    budget::{Budget, Reservation},
    inbox::{Batch, Inbox},
    outbox::Outbox,
    reason::{CloseCode, Reason},
    traffic::{ChannelStatus, Traffic},
};
use crate::{subject::SubjectKey, time::Time, wire::Kind};

/// The number of a channel on its connection: even if the connection's dialler offered its subject,
/// odd if the acceptor did, ascending from 0 or 1 in the order of the offers' matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u64);

/// How far this side is with ending the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It sends.
    No,
    /// It will send FIN (or RESET) once the outbox is empty.
    Flushing,
    /// FIN is sent.
    Finished,
}

/// A message of several frames that is still arriving.
#[derive(Debug)]
struct Assembly {
    kind: Kind,
    buffer: BytesMut,
    total: u64,
    cost: u64,
    /// A message that is long against the window returns its credit as it arrives, once all of it
    /// has been set aside in the node's budget.
    reservation: Option<Reservation>,
}

/// Why a DATA frame breaks the protocol or a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misfit(pub(super) CloseCode, pub(super) &'static str);

const fn broken(why: &'static str) -> Misfit {
    Misfit(CloseCode::Protocol, why)
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    pub(super) subject: SubjectKey,
    pub(super) outbox: Outbox,
    pub(super) ending: Ending,
    /// The program waits for room in the outbox.
    pub(super) wants_writable: bool,
    /// The program waits for the outbox to be empty.
    pub(super) wants_flushed: bool,
    /// The program has taken everything and waits for more.
    pub(super) wants_readable: bool,
    /// When ending takes too long, unless something has moved by then.
    pub(super) deadline: Option<Time>,
    /// The program has let go: what arrives is dropped, and the peer is told if anything was.
    pub(super) abandoned: bool,
    pub(super) unread_dropped: bool,
    /// The program has messages in its hands that it has not read.
    pub(super) handed_over: bool,
    pub(super) peer_finished: bool,
    /// DONE is sent: everything up to the peer's FIN has been read here.
    pub(super) done: bool,
    /// DONE has come: the peer has read everything up to our FIN.
    pub(super) peer_done: bool,
    /// Something moved since the deadline was set.
    pub(super) progressed: bool,
    pub(super) ended: Option<Reason>,
    pub(super) traffic: Traffic,
    inbox: Inbox,
    assembly: Option<Assembly>,
    window: u64,
    /// What the peer may still send.
    allowance: u64,
}

impl Channel {
    pub(super) fn new(id: ChannelId, subject: SubjectKey, window: u64, credit: u64) -> Self {
        Self {
            id,
            subject,
            outbox: Outbox::new(credit),
            ending: Ending::No,
            wants_writable: false,
            wants_flushed: false,
            wants_readable: false,
            deadline: None,
            abandoned: false,
            unread_dropped: false,
            handed_over: false,
            peer_finished: false,
            done: false,
            peer_done: false,
            progressed: false,
            ended: None,
            traffic: Traffic::default(),
            inbox: Inbox::default(),
            assembly: None,
            window,
            allowance: window,
        }
    }

    pub(super) const fn is_live(&self) -> bool {
        self.ended.is_none()
    }

    pub(super) const fn is_assembling(&self) -> bool {
        self.assembly.is_some()
    }

    pub(super) fn status(&self) -> ChannelStatus {
        ChannelStatus {
            traffic: self.traffic,
            queued: self.outbox.queued(),
            unread: self.inbox.unread(),
            credit: self.outbox.credit(),
        }
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Charges the window for a frame of `cost` bytes.
    pub(super) fn charge(&mut self, cost: u64) -> Result<(), Misfit> {
        if self.peer_finished {
            return Err(broken("DATA after FIN"));
        }
        self.allowance =
            self.allowance.checked_sub(cost).ok_or(broken("more DATA than the window allows"))?;
        Ok(())
    }

    /// A whole message in one frame.
    #[inline]
    pub(super) fn receive(
        &mut self,
        kind: Kind,
        payload: &[u8],
        cost: u64,
        coming: usize,
    ) -> Result<(), Misfit> {
        if kind != Kind::Bytes && std::str::from_utf8(payload).is_err() {
            return Err(broken("text that is not UTF-8"));
        }
        self.count(payload);
        if self.abandoned {
            self.unread_dropped = true;
        } else {
            self.inbox.push(kind, payload, cost, coming);
        }
        Ok(())
    }

    #[inline]
    const fn count(&mut self, payload: &[u8]) {
        self.traffic.messages_received += 1;
        self.traffic.bytes_received += payload.len() as u64;
    }

    /// A whole message in a buffer of its own.
    pub(super) fn receive_owned(
        &mut self,
        kind: Kind,
        payload: Bytes,
        cost: u64,
    ) -> Result<(), Misfit> {
        if kind != Kind::Bytes && std::str::from_utf8(&payload).is_err() {
            return Err(broken("text that is not UTF-8"));
        }
        self.count(&payload);
        if self.abandoned {
            self.unread_dropped = true;
        } else {
            self.inbox.push_owned(kind, payload, cost);
        }
        Ok(())
    }

    /// Begins a message of `total` bytes in several pieces.
    pub(super) fn begin(&mut self, kind: Kind, total: u64) {
        let buffer = BytesMut::new();
        self.assembly = Some(Assembly { kind, buffer, total, cost: 0, reservation: None });
    }

    /// Part of a piece. `cost` is the length of the frame, counted once, with its first part.
    pub(super) fn extend(&mut self, part: &[u8], cost: u64) -> Result<(), Misfit> {
        let Some(assembly) = &mut self.assembly else {
            return Err(broken("a piece of no message"));
        };
        assembly.cost += cost;
        if (assembly.buffer.len() + part.len()) as u64 > assembly.total {
            return Err(broken("a message longer than it said"));
        }
        assembly.buffer.extend_from_slice(part);
        Ok(())
    }

    /// The last piece is complete.
    pub(super) fn finish_message(&mut self) -> Result<(), Misfit> {
        let Some(assembly) = self.assembly.take() else { return Ok(()) };
        if assembly.buffer.len() as u64 != assembly.total {
            return Err(broken("a message shorter than it said"));
        }
        self.receive_owned(assembly.kind, assembly.buffer.freeze(), assembly.cost)
    }

    pub(super) fn matches_assembly(&self, kind: Kind) -> bool {
        self.assembly.as_ref().is_none_or(|assembly| assembly.kind == kind)
    }

    /// Whether a long message waits for a place in the node's budget. A short one needs none: the
    /// window has room for it.
    pub(super) fn is_starved(&self) -> bool {
        self.assembly
            .as_ref()
            .is_some_and(|it| it.total > self.window / 4 && it.reservation.is_none())
    }

    /// What is set aside for the message that is arriving.
    pub(super) fn reserved(&self) -> u64 {
        let assembly = self.assembly.as_ref();
        assembly.filter(|it| it.reservation.is_some()).map_or(0, |it| it.total)
    }

    /// Tries to set a long message's bytes aside, at most `most`.
    pub(super) fn reserve(&mut self, budget: &Budget, most: u64) {
        if let Some(assembly) = &mut self.assembly
            && assembly.reservation.is_none()
            && assembly.total <= most
        {
            assembly.reservation = budget.reserve(assembly.total);
            if assembly.reservation.is_some() {
                // All of it is set aside: no need to grow step by step.
                let total = usize::try_from(assembly.total).unwrap_or(0);
                assembly.buffer.reserve(total.saturating_sub(assembly.buffer.len()));
            }
        }
    }

    /// The credit to give now: what the window leaves beside unread messages, once it is worth a
    /// frame. A quarter of the window keeps the sender going while the rest travels.
    pub(super) fn credit_due(&mut self) -> Option<u64> {
        let arriving = match &self.assembly {
            Some(assembly) if assembly.reservation.is_none() => assembly.cost,
            _ => 0,
        };
        let room = self.window.saturating_sub(self.inbox.unread() + arriving);
        let due = room.saturating_sub(self.allowance);
        if due < self.window / 4 || self.peer_finished {
            return None;
        }
        self.allowance += due;
        Some(due)
    }

    pub(super) fn take(&mut self) -> Batch {
        self.handed_over = true;
        self.inbox.take()
    }

    /// Ends the channel. What has been received whole stays to be read.
    pub(super) fn end(&mut self, reason: Reason) {
        self.ended.get_or_insert(reason);
        self.outbox.clear();
        self.assembly = None;
        self.deadline = None;
    }

    /// The program lets go of the channel.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.handed_over = false;
        self.unread_dropped |= self.has_unread();
        drop(self.inbox.take());
    }
}
