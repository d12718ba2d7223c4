//! Two sessions that speak to each other.

use std::{sync::OnceLock, time::Duration};

use p2pchan_proto::{
    channel::{Binding, BlockPool, Budget, ChannelId, Config, Offer, Session, Side, common},
    channel::{Common, Event},
    id::PeerId,
    subject::{Subject, SubjectKey, SubjectName},
    time::Time,
    wire::Tag,
};

/// The channel of the first common subject.
pub(crate) const FIRST: ChannelId = ChannelId(0);

/// Small limits, so that they are reached.
pub(crate) fn config() -> Config {
    Config {
        max_message: 300_000,
        window: 256 * 1024,
        high_water: 200_000,
        low_water: 50_000,
        channels: 3,
        handshake_timeout: Duration::from_secs(5),
        close_timeout: Duration::from_secs(5),
        ping_interval: Duration::from_secs(15),
        idle_timeout: Duration::from_secs(60),
        budget: Budget::new(400_000),
        pool: BlockPool::default(),
    }
}

pub(crate) fn subjects() -> &'static [Subject; 4] {
    static SUBJECTS: OnceLock<[Subject; 4]> = OnceLock::new();
    let derive = |number| Subject::derive(SubjectName::Topic([number; 32]), None).unwrap();
    SUBJECTS.get_or_init(|| [1, 2, 3, 4].map(derive))
}

/// Those of the subjects that are in the set, with their keys.
pub(crate) fn chosen(set: u8) -> impl Iterator<Item = (SubjectKey, &'static Subject)> {
    (0..)
        .zip(subjects())
        .filter(move |(at, _)| set >> at & 1 == 1)
        .map(|(at, it)| (SubjectKey(at), it))
}

/// The subjects of a set that were asked for by their tags.
pub(crate) fn common_in(set: u8, tags: &[Tag], binding: &Binding) -> Vec<Common> {
    common(tags, chosen(set), binding)
}

/// A dialler that offers one set of subjects, and an acceptor.
pub(crate) fn strangers(offered: u8) -> [Session; 2] {
    let [dialler, acceptor] = [2, 3].map(|number| PeerId::from_bytes([number; 32]));
    let binding = Binding::new(&[1; 32], &dialler, &acceptor);
    let offer = Offer::new(chosen(offered), &binding, &[4; 32]);
    let dialler = Session::dialler(config(), binding, offer, None, vec![], Time::ZERO);
    [dialler, Session::acceptor(config(), binding, Time::ZERO)]
}

/// One of the two after a handshake for the first subject, with nothing left to say.
pub(crate) fn opened(side: Side) -> Session {
    let [mut dialler, mut acceptor] = strangers(1);
    hand_over(&mut dialler, &mut acceptor);
    while let Some(event) = acceptor.poll_event() {
        if let Event::Hello(hello) = event {
            let common = common_in(1, &hello.tags, &acceptor.peer_binding(0));
            acceptor.welcome(&common, hello.tags.len(), None, Time::ZERO);
        }
    }
    hand_over(&mut acceptor, &mut dialler);
    hand_over(&mut dialler, &mut acceptor);
    while dialler.poll_event().is_some() {}
    while acceptor.poll_event().is_some() {}
    match side {
        Side::Dialler => dialler,
        Side::Acceptor => acceptor,
    }
}

fn hand_over(from: &mut Session, to: &mut Session) {
    while let Some(transmit) = from.poll_transmit(Time::ZERO) {
        to.handle_bytes(&transmit.bytes, Time::ZERO);
        from.recycle(transmit);
    }
}
