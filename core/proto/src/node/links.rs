//! Exactly one connection per peer.
//!
//! Two programs that find each other at the same moment dial each other at the same moment. Both
//! connections get through TLS, so both sides know who the other is before anything is open:
//!
//! - The dialler, before HELLO: already connected or already greeting that peer, then it closes
//!   (DUPLICATE). The address leads to itself, then it closes (OWN).
//! - The acceptor, on HELLO, while its own HELLO to that peer waits for its answer: the one with the
//!   smaller id holds its WELCOME until its own dial is decided; the other one answers at once and
//!   gives its own dial up. So the dial of the smaller id wins, on both sides.
//! - The acceptor, on HELLO, while a connection is open: the peer seems to have lost that one. The
//!   WELCOME is held and the old connection probed. An answer means the newcomer is a duplicate;
//!   silence means the old one is dead and is replaced.
//!
//! Nothing is open before WELCOME, so whatever is closed here had no data.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::{
    channel::{CloseCode, Side},
    id::PeerId,
    subject::SubjectKey,
    time::Time,
};

/// How long an old connection has to answer before a newcomer takes its place.
const PROBE: Duration = Duration::from_secs(2);

/// How long a WELCOME waits for the fate of this side's own dial: less than a dial has for its HELLO to
/// be answered, as the held one has begun to wait already.
fn hold(handshake: Duration) -> Duration {
    handshake * 3 / 5
}

/// A node's own number for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send HELLO on this connection, which was dialled.
    Greet(LinkId),
    /// Answer the HELLO on this connection with WELCOME.
    Welcome(LinkId),
    /// Send PING on this connection, and report the PONG.
    Probe(LinkId),
    /// Close this connection.
    Close(LinkId, CloseCode),
    /// Offer these subjects on this open connection: other dials of the same peer, now given up,
    /// would have.
    Offer(LinkId, Vec<SubjectKey>),
}

#[derive(Debug)]
struct Link {
    peer: PeerId,
    /// What its HELLO offers, if it was dialled.
    subjects: Vec<SubjectKey>,
}

/// What is known of one peer. Bounded by the number of links.
#[derive(Debug, Default)]
struct Peer {
    open: Option<LinkId>,
    /// Our HELLO waits for its answer here.
    greeting: Option<LinkId>,
    /// Its HELLO waits for our answer here, until then.
    held: Option<(LinkId, Time)>,
    /// Subjects to offer once a connection is open.
    wanted: BTreeSet<SubjectKey>,
}

/// All connections whose peer is known. Bounded by what the driver lets in.
#[derive(Debug)]
pub struct Links {
    own: PeerId,
    cap: usize,
    hold: Duration,
    open: usize,
    links: BTreeMap<LinkId, Link>,
    peers: BTreeMap<PeerId, Peer>,
    outputs: VecDeque<Output>,
}

impl Links {
    /// For the node with this identity, with at most `cap` open connections, and so much time for a
    /// handshake.
    pub fn new(own: PeerId, cap: usize, handshake: Duration) -> Self {
        Self {
            own,
            cap,
            hold: hold(handshake),
            open: 0,
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// At most `cap` open connections from now on, and so much time for a handshake. Those that are
    /// open stay.
    pub fn set_limits(&mut self, cap: usize, handshake: Duration) {
        (self.cap, self.hold) = (cap, hold(handshake));
    }

    /// Open connections.
    pub const fn open_count(&self) -> usize {
        self.open
    }

    /// The open connection to a peer.
    pub fn open_link(&self, peer: &PeerId) -> Option<LinkId> {
        self.peers.get(peer)?.open
    }

    /// TLS is done and the peer's identity known. `subjects` are what a dialler would offer.
    pub fn handle_secured(
        &mut self,
        link: LinkId,
        peer: PeerId,
        side: Side,
        subjects: Vec<SubjectKey>,
    ) {
        if peer == self.own {
            return self.close(link, CloseCode::Own);
        }
        let state = self.peers.entry(peer).or_default();
        if side == Side::Dialler {
            if let Some(open) = state.open {
                self.close(link, CloseCode::Duplicate);
                return self.outputs.push_back(Output::Offer(open, subjects));
            }
            if state.greeting.is_some() {
                state.wanted.extend(subjects);
                return self.close(link, CloseCode::Duplicate);
            }
            state.greeting = Some(link);
            self.outputs.push_back(Output::Greet(link));
        }
        self.links.insert(link, Link { peer, subjects });
    }

    /// A HELLO with a common subject came on an accepted connection.
    pub fn handle_hello(&mut self, link: LinkId, now: Time) {
        let Some(peer) = self.links.get(&link).map(|it| it.peer) else { return };
        let full = self.open >= self.cap;
        let own_goes_first = self.own < peer;
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let held_before = state.held.take();
        match (state.open, state.greeting) {
            (Some(open), _) => {
                state.held = Some((link, now + PROBE));
                self.outputs.push_back(Output::Probe(open));
            }
            (None, _) if full => self.close(link, CloseCode::Busy),
            (None, Some(_)) if own_goes_first => state.held = Some((link, now + self.hold)),
            (None, Some(greeting)) => {
                self.give_up(greeting, CloseCode::Duplicate);
                self.welcome(link, peer);
            }
            (None, None) => self.welcome(link, peer),
        }
        if let Some((before, _)) = held_before {
            self.close(before, CloseCode::Replaced);
        }
    }

    /// WELCOME came on a dialled connection.
    pub fn handle_welcomed(&mut self, link: LinkId) {
        let Some(peer) = self.links.get(&link).map(|it| it.peer) else { return };
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if state.greeting != Some(link) {
            return;
        }
        state.greeting = None;
        state.open = Some(link);
        self.open += 1;
        if let Some((held, _)) = state.held.take() {
            self.close(held, CloseCode::Duplicate);
        }
        self.offer_wanted(link, peer);
    }

    /// The peer answered a probe.
    pub fn handle_pong(&mut self, link: LinkId) {
        let Some(peer) = self.links.get(&link).map(|it| it.peer) else { return };
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if state.open == Some(link)
            && let Some((held, _)) = state.held.take()
        {
            self.close(held, CloseCode::Duplicate);
        }
    }

    /// The connection is gone, whoever closed it.
    pub fn handle_closed(&mut self, link: LinkId) {
        let Some(Link { peer, .. }) = self.links.remove(&link) else { return };
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.held.take_if(|(held, _)| *held == link);
        state.greeting.take_if(|greeting| *greeting == link);
        if state.open.take_if(|open| *open == link).is_some() {
            self.open -= 1;
        }
        match (state.open, state.greeting, state.held) {
            (None, None, Some((held, _))) => {
                state.held = None;
                self.welcome(held, peer);
            }
            (None, None, None) if !self.links.values().any(|it| it.peer == peer) => {
                self.peers.remove(&peer);
            }
            _ => {}
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Links::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.peers.values().filter_map(|state| state.held).map(|(_, deadline)| deadline).min()
    }

    /// Lets newcomers in whose rivals did not answer in time. If this machine has slept meanwhile, the
    /// rivals could not, and get their time anew.
    pub fn handle_timeout(&mut self, now: Time) {
        let due: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, state)| state.held.is_some_and(|(_, deadline)| now >= deadline))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in due {
            let Some(state) = self.peers.get_mut(&peer) else { continue };
            let (open, greeting) = (state.open, state.greeting);
            if let Some((_, deadline)) = &mut state.held
                && now.has_slept(*deadline)
            {
                *deadline = now + if open.is_some() { PROBE } else { self.hold };
                self.outputs.extend(open.map(Output::Probe));
                continue;
            }
            let held = state.held.take();
            if let Some(open) = open {
                self.give_up(open, CloseCode::Replaced);
            }
            if let Some(greeting) = greeting {
                self.give_up(greeting, CloseCode::Timeout);
            }
            if let Some((held, _)) = held {
                self.welcome(held, peer);
            }
        }
    }

    fn welcome(&mut self, link: LinkId, peer: PeerId) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.open = Some(link);
        self.open += 1;
        self.outputs.push_back(Output::Welcome(link));
        self.offer_wanted(link, peer);
    }

    /// Closes a connection in favour of another one of the same peer.
    fn give_up(&mut self, link: LinkId, code: CloseCode) {
        if let Some(Link { peer, subjects }) = self.links.remove(&link)
            && let Some(state) = self.peers.get_mut(&peer)
        {
            state.greeting.take_if(|greeting| *greeting == link);
            if state.open.take_if(|open| *open == link).is_some() {
                self.open -= 1;
            }
            state.wanted.extend(subjects);
        }
        self.close(link, code);
    }

    fn close(&mut self, link: LinkId, code: CloseCode) {
        self.links.remove(&link);
        self.outputs.push_back(Output::Close(link, code));
    }

    fn offer_wanted(&mut self, link: LinkId, peer: PeerId) {
        let offered = self.links.get(&link).map(|it| it.subjects.clone()).unwrap_or_default();
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let mut wanted = std::mem::take(&mut state.wanted);
        wanted.retain(|subject| !offered.contains(subject));
        if !wanted.is_empty() {
            self.outputs.push_back(Output::Offer(link, wanted.into_iter().collect()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const LOW: PeerId = PeerId::from_bytes([1; 32]);
    const HIGH: PeerId = PeerId::from_bytes([9; 32]);
    const SUBJECT: SubjectKey = SubjectKey(0);
    const HANDSHAKE: Duration = Duration::from_secs(5);

    fn outputs(links: &mut Links) -> Vec<Output> {
        std::iter::from_fn(|| links.poll_output()).collect()
    }

    fn dialled(links: &mut Links, link: u64, peer: PeerId) -> Vec<Output> {
        links.handle_secured(LinkId(link), peer, Side::Dialler, vec![SUBJECT]);
        outputs(links)
    }

    fn hello(links: &mut Links, link: u64, peer: PeerId) -> Vec<Output> {
        links.handle_secured(LinkId(link), peer, Side::Acceptor, vec![]);
        links.handle_hello(LinkId(link), Time::ZERO);
        outputs(links)
    }

    #[test]
    fn a_connection_to_ourselves_is_closed_before_hello() {
        let closed = [Output::Close(LinkId(1), CloseCode::Own)];
        assert_eq!(dialled(&mut Links::new(LOW, 9, HANDSHAKE), 1, LOW), closed);
    }

    #[test]
    fn a_second_dial_of_a_connected_peer_is_closed_and_its_subjects_offered_on_the_first() {
        let mut links = Links::new(LOW, 9, HANDSHAKE);
        dialled(&mut links, 1, HIGH);
        links.handle_welcomed(LinkId(1));
        let done = dialled(&mut links, 2, HIGH);
        assert_eq!(done[0], Output::Close(LinkId(2), CloseCode::Duplicate));
        assert_eq!(done[1], Output::Offer(LinkId(1), vec![SUBJECT]));
    }

    #[test]
    fn the_smaller_id_holds_its_welcome_until_its_own_dial_is_decided() {
        let mut links = Links::new(LOW, 9, HANDSHAKE);
        dialled(&mut links, 1, HIGH);
        assert_eq!(hello(&mut links, 2, HIGH), []);
        links.handle_welcomed(LinkId(1));
        assert_eq!(outputs(&mut links), [Output::Close(LinkId(2), CloseCode::Duplicate)]);
    }

    #[test]
    fn a_held_welcome_is_given_when_the_own_dial_fails_or_takes_too_long() {
        let mut links = Links::new(LOW, 9, HANDSHAKE);
        dialled(&mut links, 1, HIGH);
        hello(&mut links, 2, HIGH);
        links.handle_closed(LinkId(1));
        assert_eq!(outputs(&mut links), [Output::Welcome(LinkId(2))]);

        let mut links = Links::new(LOW, 9, HANDSHAKE);
        dialled(&mut links, 1, HIGH);
        hello(&mut links, 2, HIGH);
        links.handle_timeout(links.poll_timeout().unwrap());
        let done = outputs(&mut links);
        assert_eq!(done[0], Output::Close(LinkId(1), CloseCode::Timeout));
        assert_eq!(done[1], Output::Welcome(LinkId(2)));
    }

    #[test]
    fn the_larger_id_answers_at_once_and_gives_its_own_dial_up() {
        let mut links = Links::new(HIGH, 9, HANDSHAKE);
        dialled(&mut links, 1, LOW);
        let done = hello(&mut links, 2, LOW);
        assert_eq!(done[0], Output::Close(LinkId(1), CloseCode::Duplicate));
        assert_eq!(done[1], Output::Welcome(LinkId(2)));
        assert_eq!(done[2], Output::Offer(LinkId(2), vec![SUBJECT]));
    }

    #[test]
    fn an_old_connection_that_answers_stays_and_the_newcomer_is_a_duplicate() {
        let mut links = Links::new(LOW, 9, HANDSHAKE);
        hello(&mut links, 1, HIGH);
        assert_eq!(hello(&mut links, 2, HIGH), [Output::Probe(LinkId(1))]);
        links.handle_pong(LinkId(1));
        assert_eq!(outputs(&mut links), [Output::Close(LinkId(2), CloseCode::Duplicate)]);
        assert_eq!(links.poll_timeout(), None);
    }

    #[test]
    fn an_old_connection_that_is_silent_is_replaced() {
        let mut links = Links::new(LOW, 9, HANDSHAKE);
        hello(&mut links, 1, HIGH);
        hello(&mut links, 2, HIGH);
        links.handle_timeout(Time::ZERO + PROBE);
        let done = outputs(&mut links);
        assert_eq!(done[0], Output::Close(LinkId(1), CloseCode::Replaced));
        assert_eq!(done[1], Output::Welcome(LinkId(2)));
        assert_eq!(links.open_link(&HIGH), Some(LinkId(2)));
        assert_eq!(links.open_count(), 1);
    }

    #[test]
    fn after_a_sleep_an_old_connection_is_asked_again_before_it_is_replaced() {
        let mut links = Links::new(LOW, 9, HANDSHAKE);
        hello(&mut links, 1, HIGH);
        hello(&mut links, 2, HIGH);
        let woken = Time::ZERO + Duration::from_secs(3600);
        links.handle_timeout(woken);
        assert_eq!(outputs(&mut links), [Output::Probe(LinkId(1))]);
        assert_eq!(links.poll_timeout(), Some(woken + PROBE));
        links.handle_pong(LinkId(1));
        assert_eq!(outputs(&mut links), [Output::Close(LinkId(2), CloseCode::Duplicate)]);

        let mut links = Links::new(LOW, 9, HANDSHAKE);
        dialled(&mut links, 1, HIGH);
        hello(&mut links, 2, HIGH);
        links.handle_timeout(woken);
        assert_eq!(outputs(&mut links), []);
        links.handle_timeout(woken + HANDSHAKE * 3 / 5);
        assert_eq!(outputs(&mut links)[0], Output::Close(LinkId(1), CloseCode::Timeout));
    }

    #[test]
    fn whoever_gives_handshakes_more_time_also_waits_longer_for_its_own_dial() {
        let mut links = Links::new(LOW, 9, HANDSHAKE);
        links.set_limits(9, HANDSHAKE * 10);
        dialled(&mut links, 1, HIGH);
        hello(&mut links, 2, HIGH);
        assert_eq!(links.poll_timeout(), Some(Time::ZERO + HANDSHAKE * 6));
    }

    #[test]
    fn beyond_the_cap_newcomers_are_told_that_the_node_is_busy() {
        let mut links = Links::new(LOW, 1, HANDSHAKE);
        hello(&mut links, 1, HIGH);
        let other = PeerId::from_bytes([5; 32]);
        assert_eq!(hello(&mut links, 2, other), [Output::Close(LinkId(2), CloseCode::Busy)]);
    }

    #[test]
    fn nothing_is_remembered_of_peers_without_connections() {
        let mut links = Links::new(LOW, 9, HANDSHAKE);
        hello(&mut links, 1, HIGH);
        links.handle_closed(LinkId(1));
        assert!(links.peers.is_empty() && links.links.is_empty());
        assert_eq!(links.open_count(), 0);
    }

    /// What travels between two nodes; each link delivers in order.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Wire {
        Hello,
        Welcome,
        Close,
    }

    /// Two nodes, dials `0..dials` of the one and `100..` of the other, and what is under way.
    struct World {
        nodes: [Links; 2],
        under_way: BTreeMap<(usize, LinkId), VecDeque<Wire>>,
        closed: [BTreeSet<LinkId>; 2],
    }

    impl World {
        fn flush(&mut self, node: usize) {
            while let Some(output) = self.nodes[node].poll_output() {
                let (link, wire) = match output {
                    Output::Greet(link) => (link, Wire::Hello),
                    Output::Welcome(link) => (link, Wire::Welcome),
                    Output::Close(link, _) => {
                        self.closed[node].insert(link);
                        self.nodes[node].handle_closed(link);
                        (link, Wire::Close)
                    }
                    Output::Probe(link) => {
                        // An open link whose other side is open too answers.
                        if !self.closed[1 - node].contains(&link) {
                            self.nodes[node].handle_pong(link);
                        }
                        continue;
                    }
                    Output::Offer(..) => continue,
                };
                self.under_way.entry((1 - node, link)).or_default().push_back(wire);
            }
        }

        fn deliver(&mut self, choice: usize) -> bool {
            let waiting: Vec<_> = self.under_way.keys().copied().collect();
            if waiting.is_empty() {
                return false;
            }
            let (node, link) = waiting[choice % waiting.len()];
            let queue = self.under_way.get_mut(&(node, link)).unwrap();
            let wire = queue.pop_front().unwrap();
            if queue.is_empty() {
                self.under_way.remove(&(node, link));
            }
            if !self.closed[node].contains(&link) {
                match wire {
                    Wire::Hello => self.nodes[node].handle_hello(link, Time::ZERO),
                    Wire::Welcome => self.nodes[node].handle_welcomed(link),
                    Wire::Close => {
                        self.closed[node].insert(link);
                        self.nodes[node].handle_closed(link);
                    }
                }
                self.flush(node);
            }
            true
        }
    }

    proptest! {
        #[test]
        fn however_dials_cross_exactly_one_connection_survives_the_same_on_both_sides(
            order in vec(any::<usize>(), 64), dials in vec(0..2usize, 1..6),
        ) {
            let (ids, none) = ([LOW, HIGH], BTreeSet::new());
            let mut world = World {
                nodes: ids.map(|id| Links::new(id, 9, HANDSHAKE)),
                under_way: BTreeMap::new(),
                closed: [none.clone(), none],
            };
            let mut order = order.into_iter();
            for (link, dialler) in (0..).map(LinkId).zip(dials) {
                for (node, side) in [(1 - dialler, Side::Acceptor), (dialler, Side::Dialler)] {
                    world.nodes[node].handle_secured(link, ids[1 - node], side, vec![SUBJECT]);
                    world.flush(node);
                }
                if order.next().is_some_and(|choice| choice % 2 == 0) {
                    world.deliver(order.next().unwrap_or(0));
                }
            }
            for choice in order.chain(std::iter::repeat(0)) {
                if !world.deliver(choice) {
                    break;
                }
            }
            let open = [world.nodes[0].open_link(&HIGH), world.nodes[1].open_link(&LOW)];
            prop_assert!(open[0].is_some());
            prop_assert_eq!(open[0], open[1]);
        }
    }
}
