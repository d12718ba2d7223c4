//! Subjects that the settings name, beside those that the program discovers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use common::{event, exchange, listening, meet, within};
use p2pchan::{Changes, ErrorKind, Event, Node, Value};

fn subjects(value: impl Into<Value>) -> Changes {
    [("subjects", value)].into_iter().collect()
}

/// That nothing is discovered, as `connect` says.
async fn discovers_nothing(node: &Node, other: &Node) -> bool {
    let error = within(node.connect(other.addresses()[0])).await;
    error.is_err_and(|error| error.message().contains("has none"))
}

#[tokio::test]
async fn a_subject_of_the_settings_is_discovered_from_the_start() {
    let near = listening().set("subjects", ["one, with a comma", "two"]).start().await.unwrap();
    let far = Node::builder().set("subjects", "one, with a comma").start().await.unwrap();
    let (mut here, mut there) = loop {
        // The other side may still be deriving its keys.
        match within(far.connect(near.addresses()[0])).await {
            Ok(there) => break (within(near.next_remote()).await.unwrap(), there),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Auth, "{error}"),
        }
    };
    assert_eq!(here.subject(), "one, with a comma");
    exchange(&mut here, &mut there).await;
}

#[tokio::test]
async fn updates_add_subjects_and_take_them_away_and_remotes_live_on() {
    let near = listening().start().await.unwrap();
    let far = Node::builder().start().await.unwrap();
    assert!(discovers_nothing(&far, &near).await);
    for node in [&near, &far] {
        node.update(subjects(["one"])).await.unwrap();
        // The same discovery, which is how one waits for it.
        within(node.discover("one").unwrap().flushed()).await.unwrap();
        node.stop_discover("one").unwrap();
    }
    let (mut here, mut there) = meet(&near, &far, near.addresses()[0]).await;
    far.update(subjects(Value::Null)).await.unwrap();
    assert!(discovers_nothing(&far, &near).await);
    exchange(&mut here, &mut there).await;
}

#[tokio::test]
async fn a_subject_that_both_want_stays_until_both_have_let_go() {
    let near = listening().start().await.unwrap();
    let node = Node::builder().set("subjects", "both").start().await.unwrap();
    let discovery = node.discover("both").unwrap();
    node.update(subjects(Value::Null)).await.unwrap();
    assert!(!discovers_nothing(&node, &near).await);
    node.update(subjects("both")).await.unwrap();
    discovery.stop();
    node.stop_discover("both").unwrap();
    assert!(!discovers_nothing(&node, &near).await);
    node.update(subjects("[]")).await.unwrap();
    assert!(discovers_nothing(&node, &near).await);
}

#[tokio::test]
async fn subjects_that_cannot_be_are_refused_without_being_shown() {
    let node = listening().set("limits.subjects", 2).start().await.unwrap();
    node.discover_with_secret("s3cret", "password").unwrap();
    for (wrong, words) in [
        (Value::from(""), &["subjects", "place 1", "empty"] as &[_]),
        ("s3cret".into(), &["subjects", "with a secret"]),
        (["s3cret A", "s3cret B"].into(), &["2 phrases", "1 others", "limits.subjects = 2"]),
        (["s3cret A", "s3cret B", "s3cret C"].into(), &["at most limits.subjects = 2"]),
    ] {
        let before = node.settings();
        let error = node.update(subjects(wrong)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Settings);
        assert!(words.iter().all(|word| error.message().contains(word)), "{error}");
        assert!(!error.message().contains("s3cret"), "{error}");
        assert_eq!(node.settings(), before);
    }
    node.update(subjects("s3cret A")).await.unwrap();
    assert!(!format!("{:?}", node.settings()).contains("s3cret"));
    // The other way round, too.
    let error = node.discover_with_secret("s3cret A", "password").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn subjects_without_a_service_are_a_warning() {
    let node = listening().start().await.unwrap();
    let mut events = node.events();
    node.update(subjects("lonely")).await.unwrap();
    event(&mut events, |event| match event {
        Event::Warning { message } => message.contains("discovery.seeds").then_some(()),
        _ => None,
    })
    .await;
}
