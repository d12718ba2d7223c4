//! Two sessions pumped in memory: what one wants to send is handed to the other, in whatever parts.

mod hostile;
mod properties;
mod traffic;
mod turns;

use std::time::Duration;

use super::{session::State, *};
use crate::{
    id::PeerId,
    subject::{Subject, SubjectKey, SubjectName},
    time::Time,
    wire::{
        DataFlags, FrameType, Kind, MAX_PAYLOAD, Subjects, push_data_header, push_frame,
        push_varint,
    },
};

const CHANNEL: ChannelId = ChannelId(0);

fn config() -> Config {
    Config {
        max_message: 16 << 20,
        window: 1 << 20,
        high_water: 1 << 20,
        low_water: 256 << 10,
        channels: 64,
        handshake_timeout: Duration::from_secs(5),
        close_timeout: Duration::from_secs(5),
        ping_interval: Duration::from_secs(15),
        idle_timeout: Duration::from_secs(60),
        budget: Budget::new(64 << 20),
        pool: BlockPool::default(),
    }
}

fn subject(number: u8) -> Subject {
    Subject::derive(SubjectName::Topic([number; 32]), None).unwrap()
}

fn keyed(subjects: &[Subject]) -> impl Iterator<Item = (SubjectKey, &Subject)> {
    (0..).map(SubjectKey).zip(subjects)
}

/// A dialler and an acceptor, their subjects, and the time they live in.
struct Pair {
    now: Time,
    dialler: Session,
    acceptor: Session,
    subjects: [Vec<Subject>; 2],
    events: [Vec<Event>; 2],
    /// Bytes handed over at once; small parts cut frames everywhere.
    part: usize,
}

impl Pair {
    fn new(dialler_subjects: &[u8], acceptor_subjects: &[u8]) -> Self {
        Self::with(config(), dialler_subjects, acceptor_subjects)
    }

    fn with(config: Config, dialler_subjects: &[u8], acceptor_subjects: &[u8]) -> Self {
        let subjects = [dialler_subjects, acceptor_subjects]
            .map(|numbers| numbers.iter().map(|number| subject(*number)).collect::<Vec<_>>());
        let binding =
            Binding::new(&[1; 32], &PeerId::from_bytes([2; 32]), &PeerId::from_bytes([3; 32]));
        let offer = Offer::new(keyed(&subjects[0]), &binding, &[4; 32]);
        let now = Time::ZERO;
        Self {
            now,
            dialler: Session::dialler(config.clone(), binding, offer, None, vec![], now),
            acceptor: Session::acceptor(config, binding, now),
            subjects,
            events: [vec![], vec![]],
            part: usize::MAX,
        }
    }

    /// A pair with one common subject, its handshake done and its events taken.
    fn open() -> Self {
        Self::open_with(config())
    }

    fn open_with(config: Config) -> Self {
        let mut pair = Self::with(config, &[1], &[1]);
        pair.pump();
        assert!(pair.dialler.state == State::Open && pair.acceptor.state == State::Open);
        pair.events = [vec![], vec![]];
        pair
    }

    /// Hands everything over, both ways, until nothing moves.
    fn pump(&mut self) {
        while self.step(true) | self.step(false) {}
    }

    fn step(&mut self, from_dialler: bool) -> bool {
        let (from, to) = match from_dialler {
            true => (&mut self.dialler, &mut self.acceptor),
            false => (&mut self.acceptor, &mut self.dialler),
        };
        let mut moved = false;
        while let Some(transmit) = from.poll_transmit(self.now) {
            moved = true;
            for part in transmit.bytes.chunks(self.part) {
                to.handle_bytes(part, self.now);
            }
            from.recycle(transmit);
        }
        moved | self.react(from_dialler)
    }

    /// Does what a node does on the events of the acceptor or the dialler.
    fn react(&mut self, at_acceptor: bool) -> bool {
        let mut moved = false;
        let to = if at_acceptor { &mut self.acceptor } else { &mut self.dialler };
        while let Some(event) = to.poll_event() {
            moved = true;
            let own = &self.subjects[usize::from(at_acceptor)];
            match &event {
                Event::Hello(hello) => {
                    let common = common(&hello.tags, keyed(own), &to.peer_binding(0));
                    match common.is_empty() {
                        true => to.close(CloseCode::NoSubject, ""),
                        false => drop(to.welcome(&common, hello.tags.len(), None, self.now)),
                    }
                }
                Event::Subjects(subjects) => {
                    let binding = to.peer_binding(subjects.number);
                    let mut common = common(&subjects.tags, keyed(own), &binding);
                    common.retain(|common| to.has_room_for(common.subject));
                    to.acknowledge(subjects, &common);
                }
                _ => {}
            }
            self.events[usize::from(at_acceptor)].push(event);
        }
        moved
    }

    fn advance(&mut self, duration: Duration) {
        self.now += duration;
        self.dialler.handle_timeout(self.now);
        self.acceptor.handle_timeout(self.now);
        self.pump();
    }

    fn send(&mut self, payload: &[u8]) {
        self.dialler.send(CHANNEL, Kind::Bytes, payload).unwrap();
    }

    fn receive(&mut self) -> Vec<Vec<u8>> {
        let taken = self.acceptor.take(CHANNEL).0;
        self.acceptor.consumed(CHANNEL, || self.now);
        match taken {
            Taken::Messages(batch) => batch.map(|message| message.payload.to_vec()).collect(),
            _ => vec![],
        }
    }

    fn ended(&mut self) -> [Option<Reason>; 2] {
        [&mut self.dialler, &mut self.acceptor].map(|it| match it.take(CHANNEL).0 {
            Taken::Ended(reason) => Some(reason),
            _ => None,
        })
    }

    /// Bytes of a hostile peer.
    fn inject(&mut self, bytes: &[u8]) -> Option<CloseCode> {
        self.acceptor.handle_bytes(bytes, self.now);
        self.acceptor.closed().and_then(Reason::code)
    }
}

#[test]
fn only_common_subjects_become_channels() {
    let mut pair = Pair::new(&[1, 2, 3], &[3, 9, 1]);
    pair.pump();
    let opened = |events: &[Event]| match events {
        [Event::Opened(opened), ..] => opened.clone(),
        other => panic!("{other:?}"),
    };
    let mut subjects: Vec<_> = opened(&pair.events[0]).iter().map(|it| it.subject.0).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, [0, 2]);
    assert_eq!(pair.acceptor.live_channels(), 2);
}

#[test]
fn without_a_common_subject_nothing_opens_and_both_learn_why() {
    let mut pair = Pair::new(&[1], &[2]);
    pair.pump();
    assert_eq!(pair.dialler.closed().and_then(Reason::code), Some(CloseCode::NoSubject));
    assert_eq!(pair.acceptor.live_channels() + pair.dialler.live_channels(), 0);
}

#[test]
fn messages_of_all_sizes_arrive_whole_in_order_and_once_however_the_bytes_are_cut() {
    for part in [1, 2, 3, 7, 100, 16_384, usize::MAX] {
        let mut pair = Pair::open();
        pair.part = part;
        let sizes = [0, 1, 63, 64, 4095, 4096, MAX_PAYLOAD, MAX_PAYLOAD + 1, 200_000, 5, 0];
        let messages: Vec<Vec<u8>> =
            (0..).zip(sizes).map(|(fill, size)| vec![fill; size]).collect();
        let mut received = vec![];
        for message in &messages {
            pair.send(message);
            pair.pump();
            received.extend(pair.receive());
        }
        assert!(received == messages, "cut into parts of {part}");
    }
}

#[test]
fn a_message_longer_than_the_window_arrives() {
    let mut pair = Pair::open();
    let message = vec![7; 16 << 20];
    pair.send(&message);
    pair.pump();
    assert!(pair.receive() == [message]);
}

#[test]
fn a_long_message_asks_for_its_place_in_the_budget_when_it_said_it_would() {
    let mut pair = Pair::open_with(Config { budget: Budget::new(1 << 20), ..config() });
    let taken = pair.acceptor.config.budget.reserve(1 << 20).unwrap();
    pair.dialler.send(CHANNEL, Kind::Bytes, &[0; 1 << 20]).unwrap();
    pair.pump();
    let due = pair.acceptor.poll_timeout(pair.now).unwrap();
    assert!(due < pair.now + Duration::from_secs(1), "{due:?}");
    // A driver that looks again, when the time has come, must not hear of a later one.
    pair.now = due;
    assert_eq!(pair.acceptor.poll_timeout(pair.now), Some(due));
    drop(taken);
    pair.acceptor.handle_timeout(pair.now);
    pair.pump();
    assert!(matches!(pair.acceptor.take(CHANNEL).0, Taken::Messages(_)));
}

#[test]
fn long_messages_beyond_the_budget_wait_and_then_arrive() {
    let mut pair = Pair::open_with(Config { budget: Budget::new(1 << 20), ..config() });
    let budget = pair.acceptor.config.budget.clone();
    let taken = budget.reserve(1 << 20).unwrap();
    pair.send(&vec![7; 1 << 20]);
    pair.pump();
    pair.advance(Duration::from_secs(1));
    assert!(pair.receive().is_empty());
    drop(taken);
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.receive().len(), 1);
}

#[test]
fn a_sender_is_held_back_at_high_water_and_told_once_when_there_is_room() {
    let mut pair = Pair::open();
    let message = vec![0; 100_000];
    let mut accepted = 0;
    while pair.dialler.send(CHANNEL, Kind::Bytes, &message).is_ok() {
        accepted += 1;
    }
    assert_eq!(pair.dialler.send(CHANNEL, Kind::Bytes, &message), Err(SendError::WouldBlock));
    assert!(pair.dialler.queued(CHANNEL) <= 1 << 20);
    pair.pump();
    let mut received = pair.receive().len();
    pair.pump();
    received += pair.receive().len();
    assert_eq!(received, accepted);
    let writable = pair.events[0].iter().filter(|it| **it == Event::Writable(CHANNEL));
    assert_eq!(writable.count(), 1);
}

#[test]
fn a_reader_that_does_not_read_stops_the_sender_at_the_window() {
    let mut pair = Pair::open();
    let mut sent = 0;
    for _ in 0..1000 {
        sent += u64::from(pair.dialler.send(CHANNEL, Kind::Bytes, &[0; 10_000]).is_ok());
        pair.pump();
    }
    assert!(sent * 10_000 < (1 << 20) + (1 << 20) + 10_000, "{sent} messages were taken");
    let mut received = 0;
    loop {
        match pair.receive().len() {
            0 => break,
            count => received += count as u64,
        }
        pair.pump();
    }
    assert_eq!(received, sent);
}

#[test]
fn control_frames_pass_between_the_pieces_of_a_long_message() {
    let mut pair = Pair::open();
    pair.send(&vec![0; 900_000]);
    let first = pair.dialler.poll_transmit(pair.now).unwrap();
    assert!(first.bytes.len() <= MAX_PAYLOAD + 32);
    pair.dialler.ping(pair.now);
    assert!(pair.dialler.poll_transmit(pair.now).unwrap().bytes.len() < 16);
}

#[test]
fn a_message_over_the_peers_limit_is_refused_before_it_is_queued() {
    let mut pair = Pair::open_with(Config { max_message: 1000, ..config() });
    let error = pair.dialler.send(CHANNEL, Kind::Bytes, &[0; 1001]).unwrap_err();
    assert_eq!(error, SendError::TooBig(1000));
    pair.send(&[0; 1000]);
    pair.pump();
    assert_eq!(pair.receive().len(), 1);
}

#[test]
fn an_end_comes_after_all_data_and_is_clean_on_both_sides() {
    let mut pair = Pair::open();
    pair.send(b"last words");
    pair.dialler.finish(CHANNEL, pair.now);
    assert!(pair.dialler.send(CHANNEL, Kind::Bytes, b"").is_err());
    pair.pump();
    assert_eq!(pair.dialler.live_channels(), 1, "the peer has not read everything yet");
    assert_eq!(pair.receive(), [b"last words"]);
    pair.pump();
    assert_eq!(pair.ended(), [Some(Reason::Clean), Some(Reason::Clean)]);
}

#[test]
fn what_the_peer_still_had_queued_arrives_before_the_end() {
    let mut pair = Pair::open();
    pair.acceptor.send(CHANNEL, Kind::Text, "too late?".as_bytes()).unwrap();
    pair.dialler.finish(CHANNEL, pair.now);
    pair.pump();
    let Taken::Messages(batch) = pair.dialler.take(CHANNEL).0 else { panic!() };
    assert_eq!(batch.len(), 1);
    pair.pump();
    assert_eq!(pair.acceptor.live_channels(), 1, "the message is taken, not read");
    pair.dialler.consumed(CHANNEL, || pair.now);
    pair.pump();
    assert_eq!(pair.ended(), [Some(Reason::Clean), Some(Reason::Clean)]);
}

#[test]
fn an_end_that_is_never_answered_times_out_with_the_reason() {
    let mut pair = Pair::open();
    pair.send(b"unread");
    pair.dialler.finish(CHANNEL, pair.now);
    pair.pump();
    // What was sent counts as progress, once.
    pair.advance(Duration::from_secs(5));
    pair.advance(Duration::from_secs(5));
    let reason = pair.ended()[0].clone().unwrap();
    assert_eq!(reason.code(), Some(CloseCode::Timeout));
    assert!(reason.to_string().contains("not read everything"), "{reason}");
}

#[test]
fn when_both_end_at_once_neither_end_is_clean_before_the_other_has_read_everything() {
    let mut pair = Pair::open();
    pair.send(b"last words");
    pair.dialler.finish(CHANNEL, pair.now);
    pair.acceptor.finish(CHANNEL, pair.now);
    pair.pump();
    assert_eq!(pair.dialler.live_channels(), 1);
    assert_eq!(pair.receive(), [b"last words"]);
    pair.pump();
    assert_eq!(pair.ended(), [Some(Reason::Clean), Some(Reason::Clean)]);
}

#[test]
fn an_end_waits_as_long_as_anything_moves() {
    let mut pair = Pair::open();
    pair.send(&[0; 500]);
    pair.acceptor.send(CHANNEL, Kind::Bytes, &[0; 500_000]).unwrap();
    pair.dialler.finish(CHANNEL, pair.now);
    for _ in 0..10 {
        pair.advance(Duration::from_secs(4));
        pair.acceptor.send(CHANNEL, Kind::Bytes, b"still talking").unwrap();
        pair.pump();
    }
    assert_eq!(pair.dialler.live_channels(), 1);
}

#[test]
fn a_peer_that_begins_long_messages_and_never_ends_them_leaves_room_for_others() {
    let mut pair = Pair::new(&[1, 2], &[1, 2]);
    pair.pump();
    let budget = pair.acceptor.config.budget.clone();
    let mut bytes = vec![];
    for channel in [0, 2] {
        let flags = DataFlags { kind: Kind::Bytes, more: true };
        push_data_header(&mut bytes, channel, flags, Some(16 << 20), 0);
    }
    assert_eq!(pair.inject(&bytes), None);
    assert!(budget.reserve(48 << 20).is_some());
}

#[test]
fn dropping_a_channel_with_unread_messages_tells_the_peer() {
    let mut pair = Pair::open();
    pair.send(b"nobody reads this");
    pair.pump();
    pair.acceptor.abandon(CHANNEL, pair.now);
    pair.pump();
    assert_eq!(pair.ended()[0].as_ref().and_then(Reason::code), Some(CloseCode::Unread));
}

#[test]
fn what_arrives_after_a_channel_was_dropped_counts_as_unread() {
    let mut pair = Pair::open();
    pair.acceptor.abandon(CHANNEL, pair.now);
    pair.send(b"too late");
    pair.pump();
    assert_eq!(pair.ended()[0].as_ref().and_then(Reason::code), Some(CloseCode::Unread));
}

#[test]
fn what_was_taken_and_is_left_unread_ends_the_channel_and_tells_the_peer() {
    let mut pair = Pair::open();
    pair.send(b"taken");
    pair.pump();
    assert!(matches!(pair.acceptor.take(CHANNEL).0, Taken::Messages(_)));
    let now = pair.now;
    assert!(pair.dialler.finish(CHANNEL, now));
    pair.pump();
    assert!(pair.acceptor.leave_unread(CHANNEL, now));
    pair.pump();
    assert_eq!(pair.ended()[0].as_ref().and_then(Reason::code), Some(CloseCode::Unread));
}

#[test]
fn subjects_that_the_peer_does_not_have_are_declined_and_may_be_offered_again() {
    let mut pair = Pair::new(&[1, 2], &[1]);
    pair.pump();
    assert!(pair.events[0].contains(&Event::Declined(vec![SubjectKey(1)])));
    pair.subjects[1].push(subject(2));
    assert!(pair.dialler.offer([(SubjectKey(1), &pair.subjects[0][1])], &[9; 32], pair.now));
    pair.pump();
    assert_eq!(pair.acceptor.live_channels(), 2);
}

#[test]
fn offers_that_cross_keep_the_limit_on_both_sides() {
    let mut pair = Pair::with(Config { channels: 2, ..config() }, &[1], &[1]);
    pair.pump();
    for subjects in &mut pair.subjects {
        subjects.extend([subject(5), subject(6)]);
    }
    assert!(pair.dialler.offer([(SubjectKey(1), &pair.subjects[0][1])], &[8; 32], pair.now));
    assert!(pair.acceptor.offer([(SubjectKey(2), &pair.subjects[1][2])], &[9; 32], pair.now));
    pair.pump();
    assert_eq!((pair.dialler.closed(), pair.acceptor.closed()), (None, None));
    assert!(pair.dialler.live_channels() <= 2);
}

#[test]
fn dropping_a_channel_sends_what_was_queued_and_ends_it_cleanly() {
    let mut pair = Pair::open();
    pair.send(b"goodbye");
    pair.dialler.abandon(CHANNEL, pair.now);
    pair.pump();
    assert_eq!(pair.receive(), [b"goodbye"]);
    pair.pump();
    assert_eq!(pair.ended()[1], Some(Reason::Clean));
    assert!(pair.dialler.channels.is_empty());
}

#[test]
fn a_lost_connection_says_how_much_may_not_have_arrived() {
    let mut pair = Pair::open();
    pair.send(&[0; 5000]);
    pair.dialler.handle_lost("connection reset by peer");
    let reason = pair.ended()[0].clone().unwrap();
    assert!(reason.to_string().contains("bytes were still waiting"), "{reason}");
}

#[test]
fn messages_received_before_a_loss_can_still_be_read() {
    let mut pair = Pair::open();
    pair.send(b"made it");
    pair.pump();
    pair.acceptor.handle_lost("gone");
    assert_eq!(pair.receive(), [b"made it"]);
    assert_eq!(pair.ended()[1], Some(Reason::lost("gone")));
}

#[test]
fn a_silent_peer_times_out_and_a_living_one_does_not() {
    let mut pair = Pair::open();
    for _ in 0..40 {
        pair.advance(Duration::from_secs(5));
    }
    assert_eq!(pair.dialler.closed(), None);
    for _ in 0..8 {
        pair.now += Duration::from_secs(5);
        pair.dialler.handle_timeout(pair.now);
    }
    assert_eq!(pair.dialler.closed().and_then(Reason::code), Some(CloseCode::Timeout));
}

#[test]
fn a_connection_outlives_a_sleep_of_either_machine_if_the_other_still_answers() {
    let day = Duration::from_secs(24 * 3600);
    for asked in 0..=2 {
        let mut pair = Pair::open();
        // So many PINGs go unheard, as the network is switched off first.
        for _ in 0..asked {
            pair.now = pair.dialler.poll_timeout(pair.now).unwrap();
            pair.dialler.handle_timeout(pair.now);
            while pair.dialler.poll_transmit(pair.now).is_some() {}
        }
        pair.advance(day);
        assert_eq!(pair.dialler.closed(), None);
        assert_eq!(pair.events[1], [Event::Pong]);
        pair.send(b"good morning");
        pair.pump();
        assert_eq!(pair.receive(), [b"good morning"]);
    }
}

#[test]
fn a_peer_that_went_during_a_sleep_is_noticed_twenty_seconds_after_it() {
    let mut pair = Pair::open();
    pair.now += Duration::from_secs(24 * 3600);
    let woken = pair.now;
    while pair.dialler.closed().is_none() {
        pair.dialler.handle_timeout(pair.now);
        pair.now = pair.dialler.poll_timeout(pair.now).unwrap_or(pair.now);
    }
    assert_eq!(pair.dialler.closed().and_then(Reason::code), Some(CloseCode::Timeout));
    assert_eq!(pair.now - woken, Duration::from_secs(20));
}

#[test]
fn an_end_that_was_slept_through_gets_its_time_anew() {
    let mut pair = Pair::open();
    pair.send(b"last words");
    pair.dialler.finish(CHANNEL, pair.now);
    pair.advance(Duration::from_secs(3600));
    assert_eq!(pair.receive(), [b"last words"]);
    pair.pump();
    assert_eq!(pair.ended(), [Some(Reason::Clean), Some(Reason::Clean)]);
}

#[test]
fn a_handshake_that_stops_half_way_times_out() {
    let mut pair = Pair::new(&[1], &[1]);
    assert_eq!(pair.acceptor.poll_timeout(pair.now), Some(Time::ZERO + Duration::from_secs(5)));
    pair.acceptor.handle_timeout(Time::ZERO + Duration::from_secs(5));
    assert_eq!(pair.acceptor.closed().and_then(Reason::code), Some(CloseCode::Timeout));
}

#[test]
fn a_connection_whose_channels_have_ended_closes_when_idle_and_not_before() {
    let mut pair = Pair::open();
    pair.dialler.finish(CHANNEL, pair.now);
    pair.pump();
    pair.ended();
    pair.pump();
    pair.dialler.poll_timeout(pair.now);
    pair.advance(Duration::from_secs(59));
    assert_eq!(pair.dialler.closed(), None);
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.dialler.closed().and_then(Reason::code), Some(CloseCode::Normal));
}

#[test]
fn a_further_subject_opens_another_channel_on_the_same_connection() {
    let mut pair = Pair::open();
    for subjects in &mut pair.subjects {
        subjects.push(subject(5));
    }
    let new = SubjectKey(1);
    assert!(pair.dialler.offer([(new, &pair.subjects[0][1])], &[9; 32], pair.now));
    pair.pump();
    let channel = ChannelId(2);
    assert!(pair.events[0].contains(&Event::Opened(vec![Opened { channel, subject: new }])));
    pair.dialler.send(channel, Kind::Json, b"{}").unwrap();
    pair.pump();
    assert!(matches!(pair.acceptor.take(channel).0, Taken::Messages(_)));
}

#[test]
fn when_both_offer_the_same_subject_at_once_one_channel_opens() {
    let mut pair = Pair::open();
    for subjects in &mut pair.subjects {
        subjects.push(subject(5));
    }
    let key = SubjectKey(1);
    assert!(pair.dialler.offer([(key, &pair.subjects[0][1])], &[8; 32], pair.now));
    assert!(pair.acceptor.offer([(key, &pair.subjects[1][1])], &[9; 32], pair.now));
    // Both are under way before either arrives.
    let from_acceptor = pair.acceptor.poll_transmit(pair.now).unwrap();
    pair.step(true);
    pair.dialler.handle_bytes(&from_acceptor.bytes, pair.now);
    pair.react(false);
    pair.pump();
    assert_eq!((pair.dialler.live_channels(), pair.acceptor.live_channels()), (2, 2));
    assert_eq!((pair.dialler.closed(), pair.acceptor.closed()), (None, None));
}
