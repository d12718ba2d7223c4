//! One authenticated connection: handshake, channels, liveness, end.
//!
//! The driver calls, in this order: [`Session::handle_bytes`] for what came, and
//! [`Session::handle_timeout`] when [`Session::poll_timeout`] is due; then [`Session::poll_event`]
//! and [`Session::poll_transmit`] until both are empty. The program's calls (`send`, `take`, `end`)
//! may come at any time; those that return `true` ask the driver to poll again.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use super::{
    budget::Budget,
    liveness::Liveness,
    parse::Parser,
    pool::BlockPool,
    proof::{Binding, Common, Offer, Side},
    rate::Rate,
    reason::{CloseCode, Reason},
    state::{Channel, ChannelId},
    traffic::Traffic,
};
use crate::{
    address::Address,
    subject::{Subject, SubjectKey},
    time::Time,
    wire::{About, Close, FrameType, Hello, Subjects, SubjectsAck, Welcome, push_frame},
};

/// The smallest window that a peer may announce: four largest blocks, so that one always fits.
pub const MIN_WINDOW: u64 = 256 * 1024;
/// Offers of subjects that may wait for their answer at once.
const MAX_OFFERS: usize = 8;

/// The limits of a session; the same for all of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The longest message taken from the peer, bytes.
    pub max_message: u64,
    /// Bytes of DATA frames that each channel takes before the program reads them; at least
    /// [`MIN_WINDOW`].
    pub window: u64,
    /// A message is queued while no more than this would wait with it, bytes.
    pub high_water: usize,
    /// Or while no more than this waits, however long it is; then the channel is writable again.
    pub low_water: usize,
    /// Channels at once.
    pub channels: usize,
    /// How long the handshake may take, from the `now` that the session is made with.
    pub handshake_timeout: Duration,
    /// How often an ending channel must have made progress; it ends if it has not.
    pub close_timeout: Duration,
    /// Silence after which the peer is asked whether it is there.
    pub ping_interval: Duration,
    /// How long a connection without channels stays.
    pub idle_timeout: Duration,
    /// What the node sets aside for long messages that are arriving.
    pub budget: Budget,
    /// Where the node's connections keep memory for what they send.
    pub pool: BlockPool,
}

/// What the driver has to know or decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The dialler's HELLO: answer with [`Session::welcome`] or [`Session::close`].
    Hello(Hello),
    /// An offer of further subjects: answer with [`Session::acknowledge`].
    Subjects(Subjects),
    /// Channels that opened because the peer has subjects that were offered to it; empty if the
    /// peer has none of a later offer.
    Opened(Vec<Opened>),
    /// Subjects that were offered and that the peer does not have, or not yet.
    Declined(Vec<SubjectKey>),
    /// The program waited for messages, and there are some.
    Readable(ChannelId),
    /// The program waited for room to send, and there is some.
    Writable(ChannelId),
    /// The channel has ended; its last messages may still wait to be taken.
    Ended(ChannelId, Reason),
    /// The peer answered the last PING.
    Pong,
    /// The connection has ended, and every channel with it. The last event; what
    /// [`Session::poll_transmit`] still has should be sent before the transport is closed.
    Closed(Reason),
}

/// A channel that opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its number.
    pub channel: ChannelId,
    /// The subject that both sides proved.
    pub subject: SubjectKey,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The dialler sent HELLO, or the acceptor waits for it.
    Greeting,
    /// The acceptor has HELLO and its driver decides.
    Deciding,
    Open,
    Closed(Reason),
}

/// One connection between two peers that know each other's identity.
#[derive(Debug)]
pub struct Session {
    pub(super) config: Config,
    pub(super) side: Side,
    pub(super) state: State,
    pub(super) channels: Vec<Channel>,
    pub(super) parser: Parser,
    /// Control frames to send; they go before DATA. Bounded: each kind waits at most once per
    /// channel or is an answer to a frame whose rate is bounded, and a peer that sends more while it
    /// reads nothing is cut off.
    pub(super) control: Vec<u8>,
    pub(super) liveness: Liveness,
    pub(super) events: VecDeque<Event>,
    /// What the peer said of itself.
    pub(super) peer: Option<About>,
    pub(super) offered_rate: Rate,
    /// Half of what a peer takes, as its minutes begin at other times.
    offering_rate: Rate,
    pub(super) pinged_rate: Rate,
    /// Round robin over the channels in [`Session::poll_transmit`].
    pub(super) turn: usize,
    /// The driver has polled everything; it must be woken for more.
    pub(super) driver_idle: bool,
    pub(super) handshake_deadline: Time,
    /// Closes when the last channel has ended.
    pub(super) shutting_down: bool,
    /// When the last channel ended.
    pub(super) idle_since: Option<Time>,
    /// When a long message asks again for a place in the node's budget.
    pub(super) starved_until: Option<Time>,
    /// Bytes of frames in each direction.
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    /// What went over channels that are not in the list any more.
    pub(super) forgotten: Traffic,
    binding: Binding,
    offers: Vec<(u32, Offer)>,
    offers_made: u32,
    /// Offers that the peer has made after HELLO.
    pub(super) peer_offers: u32,
    /// How many channels each side's offers opened: the next channel numbers.
    opened: [u64; 2],
}

impl Session {
    /// The side that dialled: it sends HELLO with `offer`, which was made for `binding`.
    pub fn dialler(
        config: Config,
        binding: Binding,
        offer: Offer,
        observed: Option<SocketAddr>,
        listen: Vec<Address>,
        now: Time,
    ) -> Self {
        let mut session = Self::new(config, Side::Dialler, binding, now);
        let about = session.about(observed);
        let hello = Hello { about, listen, tags: offer.tags().to_vec() };
        push_frame(&mut session.control, FrameType::Hello, &hello.encode());
        // The answer measures the first round trip; WELCOME stands for the PONG of PING 0.
        session.offers.push((0, offer));
        session
    }

    /// The side that accepted: it waits for HELLO.
    pub fn acceptor(config: Config, binding: Binding, now: Time) -> Self {
        Self::new(config, Side::Acceptor, binding, now)
    }

    fn new(config: Config, side: Side, binding: Binding, now: Time) -> Self {
        Self {
            handshake_deadline: now + config.handshake_timeout,
            liveness: Liveness::new(config.ping_interval, now),
            config,
            side,
            state: State::Greeting,
            channels: Vec::new(),
            parser: Parser::default(),
            control: Vec::new(),
            events: VecDeque::new(),
            peer: None,
            offered_rate: Rate::per_minute(64),
            offering_rate: Rate::per_minute(32),
            pinged_rate: Rate::per_minute(600),
            turn: 0,
            driver_idle: false,
            shutting_down: false,
            idle_since: None,
            starved_until: None,
            bytes_sent: 0,
            bytes_received: 0,
            forgotten: Traffic::default(),
            binding,
            offers: Vec::new(),
            offers_made: 0,
            peer_offers: 0,
            opened: [0, 0],
        }
    }

    /// Other limits and timeouts apply from now on. What the peer was told or promised stays as it was:
    /// the largest message, the window, and how many channels there may be.
    pub fn set_config(&mut self, config: Config) {
        let Config { max_message, window, channels, .. } = self.config;
        self.liveness.set_interval(config.ping_interval);
        self.config = Config { max_message, window, channels, ..config };
    }

    fn about(&self, observed: Option<SocketAddr>) -> About {
        let Config { max_message, window, .. } = self.config;
        About { features: 0, max_message, window, observed }
    }

    /// What tags of the peer's offer `number` are bound to; 0 is the HELLO.
    pub fn peer_binding(&self, number: u32) -> Binding {
        self.offer_binding(self.side.other(), number)
    }

    fn offer_binding(&self, side: Side, number: u32) -> Binding {
        if number == 0 { self.binding } else { self.binding.later(side, number) }
    }

    /// The smoothed round trip time; `None` until it was measured.
    pub const fn rtt(&self) -> Option<Duration> {
        self.liveness.rtt()
    }

    /// Why the session ended, once it has.
    pub const fn closed(&self) -> Option<&Reason> {
        match &self.state {
            State::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    /// How many further channels there is room for; no more subjects may be offered.
    pub fn room(&self) -> usize {
        let offered: usize = self.offers.iter().map(|(_, offer)| offer.subjects().count()).sum();
        self.config.channels.saturating_sub(self.channels.len() + offered)
    }

    /// Whether a further channel for this subject may open: there is none, and none is about to by
    /// this side's own offer, which goes first if this side dialled.
    pub fn has_room_for(&self, subject: SubjectKey) -> bool {
        let live = |channel: &Channel| channel.is_live() && channel.subject == subject;
        let ours_goes_first = self.side == Side::Dialler
            && self.offers.iter().any(|(_, offer)| offer.subjects().any(|it| it == subject));
        !self.channels.iter().any(live) && !ours_goes_first
    }

    /// The acceptor's yes to HELLO: `common` are the subjects both share, at least one. `offered` is
    /// the number of tags in HELLO.
    pub fn welcome(
        &mut self,
        common: &[Common],
        offered: usize,
        observed: Option<SocketAddr>,
        now: Time,
    ) -> Vec<Opened> {
        if self.state != State::Deciding || common.is_empty() {
            return Vec::new();
        }
        self.state = State::Open;
        let common = &common[..common.len().min(self.config.channels)];
        let matches = common.iter().map(|common| common.answer).collect();
        let welcome = Welcome { about: self.about(observed), matches };
        push_frame(&mut self.control, FrameType::Welcome, &welcome.encode(offered));
        self.ping(now);
        self.open(Side::Dialler, common.iter().map(|common| common.subject))
    }

    /// The answer to [`Event::Subjects`].
    pub fn acknowledge(&mut self, subjects: &Subjects, common: &[Common]) -> Vec<Opened> {
        if self.state != State::Open {
            return Vec::new();
        }
        let common = &common[..common.len().min(self.room())];
        let matches = common.iter().map(|common| common.answer).collect();
        let answer = SubjectsAck { number: subjects.number, matches };
        let body = answer.encode(subjects.tags.len());
        push_frame(&mut self.control, FrameType::SubjectsAck, &body);
        self.open(self.side.other(), common.iter().map(|common| common.subject))
    }

    /// Offers further subjects on the open connection. `seed` as for [`Offer::new`]. Returns false,
    /// and does nothing, while too many offers wait for their answer or were made lately.
    pub fn offer<'a>(
        &mut self,
        subjects: impl IntoIterator<Item = (SubjectKey, &'a Subject)>,
        seed: &[u8; 32],
        now: Time,
    ) -> bool {
        if self.state != State::Open || self.offers.len() >= MAX_OFFERS {
            return false;
        }
        if !self.offering_rate.allows(now) {
            return false;
        }
        let number = self.offers_made + 1;
        let offer = Offer::new(subjects, &self.offer_binding(self.side, number), seed);
        let frame = Subjects { number, tags: offer.tags().to_vec() };
        push_frame(&mut self.control, FrameType::Subjects, &frame.encode());
        self.offers_made = number;
        self.offers.push((number, offer));
        true
    }

    /// The peer's proofs for one of our offers.
    pub(super) fn confirm(
        &mut self,
        number: u32,
        matches: &[crate::wire::Match],
    ) -> Result<(), &'static str> {
        let position = self.offers.iter().position(|(offered, _)| *offered == number);
        let (_, offer) =
            self.offers.remove(position.ok_or("an answer to an offer that was not made")?);
        let subjects = offer.confirm(matches).ok_or("a wrong proof of a subject")?;
        let declined: Vec<_> = offer.subjects().filter(|it| !subjects.contains(it)).collect();
        if self.channels.len() + subjects.len() > self.config.channels {
            return Err("more channels than this side takes");
        }
        if subjects.iter().any(|subject| !self.has_room_for(*subject)) {
            return Err("a subject that already has a channel");
        }
        let opened = self.open(self.side, subjects);
        self.events.push_back(Event::Opened(opened));
        if !declined.is_empty() {
            self.events.push_back(Event::Declined(declined));
        }
        Ok(())
    }

    fn open(
        &mut self,
        offering: Side,
        subjects: impl IntoIterator<Item = SubjectKey>,
    ) -> Vec<Opened> {
        let credit = self.peer.as_ref().map_or(0, |about| about.window);
        let next = &mut self.opened[usize::from(offering == Side::Acceptor)];
        let mut opened = Vec::new();
        for subject in subjects {
            // Mostly there is one for ever: no room for more until there are more.
            if self.channels.is_empty() {
                self.channels.reserve_exact(1);
            }
            let channel = ChannelId(*next * 2 + u64::from(offering == Side::Acceptor));
            *next += 1;
            self.channels.push(Channel::new(channel, subject, self.config.window, credit));
            opened.push(Opened { channel, subject });
        }
        if !opened.is_empty() {
            self.idle_since = None;
        }
        opened
    }

    /// Whether a channel with this number has ever been open.
    pub(super) fn was_opened(&self, ChannelId(number): ChannelId) -> bool {
        number / 2 < self.opened[usize::from(number % 2 == 1)]
    }

    /// Asks whether the peer is there; [`Event::Pong`] is the answer. Does nothing unless the
    /// connection is open: before and after, PING has no place.
    pub fn ping(&mut self, now: Time) {
        if self.state != State::Open {
            return;
        }
        let number = self.liveness.ping(now);
        push_frame(&mut self.control, FrameType::Ping, &number.to_be_bytes());
    }

    /// Ends the connection at once and tells the peer why. What was queued is not sent.
    pub fn close(&mut self, code: CloseCode, message: impl Into<String>) {
        if self.closed().is_none() {
            let message = message.into();
            let close = Close { code: code.to_wire(), message: message.clone() };
            push_frame(&mut self.control, FrameType::Close, &close.encode());
            self.end(Reason::here(code, message));
        }
    }

    /// Ends the connection in peace: what is queued goes out and every channel ends, then it closes.
    pub fn shut_down(&mut self, now: Time) {
        if self.state != State::Open {
            return self.close(CloseCode::Normal, "");
        }
        self.shutting_down = true;
        let live: Vec<_> = self.channels.iter().map(|channel| channel.id).collect();
        for channel in live {
            self.abandon(channel, now);
        }
        self.close_if_done();
    }

    pub(super) fn close_if_done(&mut self) {
        if self.shutting_down && self.live_channels() == 0 {
            self.close(CloseCode::Normal, "");
        }
    }

    /// The transport has ended.
    pub fn handle_lost(&mut self, message: &str) {
        if self.closed().is_none() {
            self.control.clear();
            self.end(Reason::lost(message));
        }
    }

    /// Ends the connection and all channels, without a word to the peer.
    pub(super) fn end(&mut self, reason: Reason) {
        for channel in &mut self.channels {
            if channel.is_live() {
                let reason = reason_for(channel, &reason);
                channel.end(reason.clone());
                self.events.push_back(Event::Ended(channel.id, reason));
            }
        }
        self.events.push_back(Event::Closed(reason.clone()));
        self.state = State::Closed(reason);
        self.offers.clear();
    }

    /// The next thing that the driver has to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn channel(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.id == id)
    }
}

/// What a channel that goes down with its connection says: how much of what it accepted may not
/// have arrived.
fn reason_for(channel: &Channel, reason: &Reason) -> Reason {
    let queued = channel.outbox.queued();
    let mut reason = reason.clone();
    if let (
        true,
        Reason::Here { message, .. } | Reason::Peer { message, .. } | Reason::Lost { message },
    ) = (queued > 0, &mut reason)
    {
        if !message.is_empty() {
            message.push_str("; ");
        }
        message.push_str(&format!("{queued} bytes were still waiting to be sent"));
    }
    reason
}
