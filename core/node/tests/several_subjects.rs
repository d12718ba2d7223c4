//! Peers with several subjects in common: one connection, a remote for each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use common::{exchange, listening, proxy::Proxy, start, within};
use p2pchan::{CloseCode, ErrorKind, Event, Node, Reason, Remote};

const FIRST: [u8; 32] = common::TOPIC;
const SECOND: [u8; 32] = [8; 32];
const THIRD: [u8; 32] = [9; 32];

fn name(topic: [u8; 32]) -> String {
    p2pchan_proto::subject::SubjectName::Topic(topic).to_string()
}

/// Two nodes that find each other through a proxy, which counts their connections.
struct Finding {
    near: Node,
    far: Node,
    proxy: Proxy,
}

impl Finding {
    /// With the first subject at both.
    async fn start() -> Self {
        let near = start(listening()).await;
        let proxy = Proxy::to(near.addresses()[0]).await;
        let seed = proxy.address.socket.to_string();
        let far = Node::builder()
            .set("discovery.seeds", seed.as_str())
            .set("discovery.lookup_interval", "1s~2s")
            .set("discovery.lookup_interval_alone", "100ms~1s");
        Self { near, far: start(far).await, proxy }
    }

    /// Adds a subject at both sides, first at the one that is asked for it.
    async fn discover(&self, topic: [u8; 32]) {
        within(self.near.discover_topic(topic).unwrap().flushed()).await.unwrap();
        self.far.discover_topic(topic).unwrap();
    }

    /// The next remote at each side, of the same subject.
    async fn remotes(&self) -> (Remote, Remote) {
        let (here, there) =
            within(async { tokio::join!(self.near.next_remote(), self.far.next_remote()) }).await;
        let (here, there) = (here.unwrap(), there.unwrap());
        assert_eq!(here.subject(), there.subject());
        (here, there)
    }
}

#[tokio::test]
async fn two_common_subjects_are_two_remotes_over_one_connection_each_with_its_own_end() {
    let finding = Finding::start().await;
    let (mut here, there) = finding.remotes().await;
    finding.discover(SECOND).await;
    let (mut also_here, mut also_there) = finding.remotes().await;
    assert_eq!((here.subject(), also_here.subject()), (&*name(FIRST), &*name(SECOND)));
    assert_eq!(finding.proxy.accepted(), 1);
    for number in 0..100u8 {
        there.send([number, 1]).await.unwrap();
        also_there.send([number, 2]).await.unwrap();
    }
    for (remote, mark) in [(&mut also_here, 2), (&mut here, 1)] {
        for number in 0..100u8 {
            let message = within(remote.recv()).await.unwrap().unwrap();
            assert_eq!(message.payload()[..], [number, mark]);
        }
    }
    let (ended, end) = tokio::join!(within(there.end()), within(here.recv()));
    assert_eq!((ended, end), (Ok(()), Ok(None)));
    exchange(&mut also_here, &mut also_there).await;
    assert!(also_there.reason().is_none());
    assert_eq!(finding.proxy.accepted(), 1);
}

#[tokio::test]
async fn subjects_that_are_added_later_open_on_the_same_connection() {
    let finding = Finding::start().await;
    let mut remotes = vec![finding.remotes().await];
    for topic in [SECOND, THIRD] {
        finding.discover(topic).await;
        remotes.push(finding.remotes().await);
    }
    for (here, there) in &mut remotes {
        exchange(here, there).await;
    }
    let subjects: Vec<_> = remotes.iter().map(|(here, _)| here.subject()).collect();
    assert_eq!(subjects, [name(FIRST), name(SECOND), name(THIRD)]);
    assert_eq!(finding.proxy.accepted(), 1);
}

#[tokio::test]
async fn a_subject_that_the_peer_gets_after_it_was_asked_for_it_opens_all_the_same() {
    let finding = Finding::start().await;
    let _first = finding.remotes().await;
    finding.far.discover_topic(SECOND).unwrap();
    let mut events = finding.far.events();
    // It has been found, offered and declined; the peer gets the subject only now.
    within(async {
        while !matches!(events.next().await, Some(Event::Found { subject, .. }) if *subject == *name(SECOND)) {}
    })
    .await;
    within(finding.near.discover_topic(SECOND).unwrap().flushed()).await.unwrap();
    let (mut here, mut there) = finding.remotes().await;
    exchange(&mut here, &mut there).await;
    assert_eq!((here.subject(), finding.proxy.accepted()), (&*name(SECOND), 1));
}

#[tokio::test]
async fn a_subject_that_only_one_side_has_stays_its_own() {
    let finding = Finding::start().await;
    let (mut here, mut there) = finding.remotes().await;
    finding.far.discover_topic(SECOND).unwrap();
    finding.near.discover_topic([10; 32]).unwrap();
    finding.discover(THIRD).await;
    // The next one is the third, so the others have opened nothing.
    let (also_here, _also_there) = finding.remotes().await;
    assert_eq!(also_here.subject(), name(THIRD));
    exchange(&mut here, &mut there).await;
}

#[tokio::test]
async fn connect_returns_one_remote_and_gives_the_others_to_next_remote() {
    let near = start(listening()).await;
    let far = start(Node::builder()).await;
    for topic in [SECOND, THIRD] {
        // Whoever is asked has them all first: it answers with what it has when it is asked.
        within(near.discover_topic(topic).unwrap().flushed()).await.unwrap();
        far.discover_topic(topic).unwrap();
    }
    let first = within(far.connect(near.addresses()[0])).await.unwrap();
    let mut subjects = vec![first.subject().to_owned()];
    for _ in 0..2 {
        let remote = within(far.next_remote()).await.unwrap();
        assert_eq!(remote.peer(), near.id());
        subjects.push(remote.subject().to_owned());
    }
    subjects.sort();
    assert_eq!(subjects, [name(FIRST), name(SECOND), name(THIRD)]);
}

#[tokio::test]
async fn stopping_a_subject_ends_no_remote() {
    let finding = Finding::start().await;
    let (mut here, mut there) = finding.remotes().await;
    finding.discover(SECOND).await;
    let (mut also_here, mut also_there) = finding.remotes().await;
    finding.near.discover_topic(SECOND).unwrap().stop();
    finding.far.discover_topic(FIRST).unwrap().stop();
    exchange(&mut here, &mut there).await;
    exchange(&mut also_here, &mut also_there).await;
}

#[tokio::test]
async fn dropping_a_remote_with_unread_messages_tells_the_sender() {
    let finding = Finding::start().await;
    let (here, mut there) = finding.remotes().await;
    finding.discover(SECOND).await;
    let (mut also_here, mut also_there) = finding.remotes().await;
    there.send("never read").await.unwrap();
    // What was sent before is there when an answer on the same connection comes.
    for _ in 0..2 {
        exchange(&mut also_there, &mut also_here).await;
    }
    drop(here);
    let error = within(there.recv()).await.unwrap_err();
    assert_eq!(there.reason().and_then(Reason::code), Some(CloseCode::Unread), "{error}");
    assert_eq!(error.kind(), ErrorKind::Closed);
    exchange(&mut also_here, &mut also_there).await;
}

#[tokio::test]
async fn dropping_a_remote_after_the_first_of_many_messages_tells_the_sender() {
    let finding = Finding::start().await;
    let (mut here, mut there) = finding.remotes().await;
    finding.discover(SECOND).await;
    let (mut also_here, mut also_there) = finding.remotes().await;
    for number in 0..10u8 {
        there.send([number]).await.unwrap();
    }
    for _ in 0..2 {
        exchange(&mut also_there, &mut also_here).await;
    }
    assert_eq!(within(here.recv()).await.unwrap().unwrap().payload()[..], [0]);
    drop(here);
    let error = within(there.recv()).await.unwrap_err();
    assert_eq!(there.reason().and_then(Reason::code), Some(CloseCode::Unread), "{error}");
}
