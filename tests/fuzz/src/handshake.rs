//! Two programs, the network between them, and the clock.

use std::{collections::BTreeMap, time::Duration};

use p2pchan_proto::{
    channel::{ChannelId, CloseCode, Event, Reason, SendError, Session, Taken},
    time::Time,
    wire::Kind,
};

use crate::{
    input::Input,
    pair::{chosen, common_in, strangers},
};

/// Steps in one run: enough for every state, few enough to try many runs.
const MOST_STEPS: usize = 400;
/// More than the sessions hold back for a peer that reads nothing.
const MOST_SAID: usize = 2 << 20;

/// The first two bytes are the subjects of the two; then come steps.
pub fn handshake(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new(input.byte(), input.byte());
    world.gather(0);
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.check();
    }
    world.settle();
}

struct World {
    now: Time,
    ends: [End; 2],
    subjects: [u8; 2],
    /// The network has changed bytes, made some up or lost some.
    tampered: bool,
    /// Something was done after which messages may be lost.
    ended: bool,
}

struct End {
    session: Session,
    /// What it has sent and the other has not got yet.
    wire: Vec<u8>,
    closed: bool,
    /// How many messages were sent and received, by channel.
    sent: BTreeMap<ChannelId, u32>,
    received: BTreeMap<ChannelId, u32>,
}

impl World {
    fn new(offered: u8, accepted: u8) -> Self {
        let end = |session| End {
            session,
            wire: vec![],
            closed: false,
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
        };
        Self {
            now: Time::ZERO,
            ends: strangers(offered).map(end),
            subjects: [offered, accepted],
            tampered: false,
            ended: false,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let verb = input.byte();
        let at = usize::from(verb >> 7);
        let channel = ChannelId(u64::from(verb >> 4 & 7));
        let now = self.now;
        let session = &mut self.ends[at].session;
        match verb & 15 {
            0..=3 => self.deliver(at, usize::from(input.number())),
            4 => self.send(at, channel, input),
            5 => self.take(at, channel),
            6 => self.advance(Duration::from_millis(u64::from(input.number()))),
            7 => self.advance(Duration::from_secs(u64::from(input.number()))),
            8 => self.offer(at, input.byte()),
            9 => {
                session.finish(channel, now);
                self.ended = true;
            }
            10 => {
                let (how, code) = (input.byte(), CloseCode::Unread);
                match how % 4 {
                    0 => drop(session.abandon(channel, now)),
                    1 => drop(session.reset(channel, code)),
                    2 => drop(session.leave_unread(channel, now)),
                    _ => session.forget(channel),
                }
                self.ended = true;
            }
            11 => {
                match input.byte() % 3 {
                    0 => session.shut_down(now),
                    1 => session.close(CloseCode::Normal, "enough"),
                    _ => session.handle_lost("cut"),
                }
                self.ended = true;
            }
            12 => session.ping(now),
            13 => self.tamper(at, input),
            14 => {
                let made_up = input.take(usize::from(verb >> 4 & 7) * 8 + 1).to_vec();
                session.handle_bytes(&made_up, now);
                self.tampered = true;
            }
            _ => {
                let _ = session.poll_writable(channel);
                session.poll_flushed(channel);
                let _ = (session.queued(channel), session.reason(channel), session.rtt());
            }
        }
        self.gather(at);
    }

    /// Hands bytes of one end to the other.
    fn deliver(&mut self, from: usize, count: usize) {
        let count = match count {
            0 => self.ends[from].wire.len(),
            count => count.min(self.ends[from].wire.len()),
        };
        let bytes: Vec<_> = self.ends[from].wire.drain(..count).collect();
        self.ends[1 - from].session.handle_bytes(&bytes, self.now);
        self.react(1 - from);
        self.gather(1 - from);
    }

    /// Takes what an end has to say.
    fn gather(&mut self, at: usize) {
        let End { session, wire, .. } = &mut self.ends[at];
        let before = wire.len();
        while wire.len() < MOST_SAID
            && let Some(transmit) = session.poll_transmit(self.now)
        {
            wire.extend_from_slice(&transmit.bytes);
            session.recycle(transmit);
        }
        assert!(wire.len() - before <= MOST_SAID, "an end says more than it holds");
        self.react(at);
    }

    /// Does what a node does on events.
    fn react(&mut self, at: usize) {
        let own = self.subjects[at];
        let End { session, closed, .. } = &mut self.ends[at];
        while let Some(event) = session.poll_event() {
            assert!(!*closed, "{event:?} after the last event");
            match event {
                Event::Hello(hello) => {
                    let common = common_in(own, &hello.tags, &session.peer_binding(0));
                    if common.is_empty() {
                        session.close(CloseCode::NoSubject, "");
                    } else {
                        session.welcome(&common, hello.tags.len(), None, self.now);
                    }
                }
                Event::Subjects(offer) => {
                    let binding = session.peer_binding(offer.number);
                    let mut common = common_in(own, &offer.tags, &binding);
                    common.retain(|common| session.has_room_for(common.subject));
                    session.acknowledge(&offer, &common);
                }
                Event::Closed(reason) => {
                    *closed = true;
                    assert_eq!(session.closed(), Some(&reason));
                    let broken = matches!(
                        reason,
                        Reason::Here { code: CloseCode::Protocol | CloseCode::TooBig, .. }
                    );
                    assert!(
                        self.tampered || !broken,
                        "an honest peer broke the protocol: {reason}"
                    );
                    self.ended = true;
                }
                Event::Ended(..) => self.ended = true,
                _ => {}
            }
        }
    }

    /// Sends a message that tells its number.
    fn send(&mut self, at: usize, channel: ChannelId, input: &mut Input<'_>) {
        let length = usize::from(input.number());
        // Now and then one that fits no window, or that is too long.
        let length = match length {
            65_000..65_300 => length * 4,
            65_300.. => length * 5,
            _ => length,
        };
        let End { session, sent, .. } = &mut self.ends[at];
        let number = sent.entry(channel).or_default();
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(length.max(4), b'x');
        let kind = if input.flag() { Kind::Bytes } else { Kind::Json };
        // Numbers above 0x7f are no UTF-8.
        let kind = if *number > 0x7f { Kind::Bytes } else { kind };
        match session.send(channel, kind, &payload) {
            Ok(_) => *number += 1,
            Err(SendError::TooBig(most)) => assert!(payload.len() as u64 > most),
            Err(SendError::WouldBlock | SendError::Ended) => {}
        }
    }

    /// Takes what has come; unless the network made it up, it is what was sent, in order.
    fn take(&mut self, at: usize, channel: ChannelId) {
        let now = self.now;
        let End { session, received, .. } = &mut self.ends[at];
        if let Taken::Messages(batch) = session.take(channel).0 {
            let expected = received.entry(channel).or_default();
            for message in batch {
                let number = message.payload.first_chunk().map(|it| u32::from_be_bytes(*it));
                assert!(self.tampered || number == Some(*expected), "{number:?}, not {expected}");
                *expected += 1;
            }
            session.consumed(channel, || now);
        }
    }

    fn offer(&mut self, at: usize, set: u8) {
        let own = &mut self.subjects[at];
        *own |= set;
        let session = &mut self.ends[at].session;
        let new: Vec<_> = chosen(set).filter(|(key, _)| session.has_room_for(*key)).collect();
        let room = session.room();
        session.offer(new.into_iter().take(room), &[7; 32], self.now);
    }

    fn advance(&mut self, duration: Duration) {
        self.now += duration;
        for at in 0..2 {
            let session = &mut self.ends[at].session;
            if let Some(due) = session.poll_timeout(self.now)
                && due <= self.now
            {
                session.handle_timeout(self.now);
                let again = session.poll_timeout(self.now);
                assert!(again.is_none_or(|again| again > self.now), "a timer that stays due");
            }
            self.gather(at);
        }
    }

    /// Changes, loses or adds bytes on the way.
    fn tamper(&mut self, at: usize, input: &mut Input<'_>) {
        let (how, place, byte) = (input.byte(), usize::from(input.number()), input.byte());
        let wire = &mut self.ends[at].wire;
        let place = place.min(wire.len());
        match how % 3 {
            0 if place < wire.len() => wire[place] ^= byte,
            1 => drop(wire.drain(place..(place + usize::from(byte)).min(wire.len()))),
            _ => drop(wire.splice(place..place, input.take(usize::from(byte)).iter().copied())),
        }
        self.tampered = true;
    }

    fn check(&self) {
        for End { session, .. } in &self.ends {
            assert!(session.live_channels() <= 3, "more channels than allowed");
        }
    }

    /// The network hands everything over, and both programs read: what was sent arrives.
    fn settle(&mut self) {
        for _ in 0..200 {
            let before = self.progress();
            self.deliver(0, 0);
            self.deliver(1, 0);
            for at in 0..2 {
                (0..8).for_each(|channel| self.take(at, ChannelId(channel)));
                self.gather(at);
            }
            self.advance(Duration::from_millis(100));
            if self.progress() == before && self.ends.iter().all(|end| end.wire.is_empty()) {
                break;
            }
        }
        if self.tampered || self.ended {
            return;
        }
        let [dialler, acceptor] = &self.ends;
        for (one, other) in [(dialler, acceptor), (acceptor, dialler)] {
            let sent: Vec<_> = one.sent.iter().filter(|(_, count)| **count > 0).collect();
            let received: Vec<_> = other.received.iter().filter(|(_, it)| **it > 0).collect();
            assert_eq!(sent, received);
        }
    }

    fn progress(&self) -> [u32; 2] {
        [0, 1].map(|at: usize| self.ends[at].received.values().sum())
    }
}
