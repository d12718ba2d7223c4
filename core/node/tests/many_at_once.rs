//! Many messages in one call: as many as there is room for, in order, and what becomes of the others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{borrow::Cow, thread};

use common::{Pair, pair, within};
use p2pchan::{AsMessage, Error, ErrorKind, Kind, Message, Remote, Sender};
use serde_json::json;
use tokio::sync::oneshot;

fn numbered(numbers: std::ops::Range<u32>, length: usize) -> Vec<Vec<u8>> {
    let message = |number: u32| {
        let mut message = number.to_be_bytes().to_vec();
        message.resize(length, 0x5a);
        message
    };
    numbers.map(message).collect()
}

async fn receive(remote: &mut Remote, expected: &[Vec<u8>]) {
    for message in expected {
        assert_eq!(within(remote.recv()).await.unwrap().unwrap().payload()[..], message[..]);
    }
}

#[tokio::test]
async fn messages_of_one_call_arrive_in_order_and_as_what_they_are() {
    let Pair { to_near, mut to_far, nodes: _nodes } = pair().await;
    let mixed = [Message::text("one"), Message::bytes("two"), Message::text("")];
    assert_eq!(to_near.try_send_many(&mixed).unwrap(), 3);
    assert_eq!(to_near.sender().try_send_many(&numbered(0..1000, 64)).unwrap(), 1000);
    assert_eq!(to_near.try_send_many(&[""; 0]).unwrap(), 0);
    for message in mixed {
        assert_eq!(within(to_far.recv()).await.unwrap().unwrap(), message);
    }
    receive(&mut to_far, &numbered(0..1000, 64)).await;
    assert!(to_far.try_recv().is_none());
}

#[tokio::test]
async fn what_there_is_no_room_for_is_not_sent_and_the_answer_says_how_many_were() {
    let Pair { to_near, mut to_far, nodes: _nodes } = pair().await;
    let sender = to_near.sender();
    // A short one would fit behind a long one that does not, and must not overtake it.
    let lengths = (0..500).map(|number| if number % 2 == 0 { 4 } else { 20_000 });
    let messages: Vec<_> = (0..500)
        .zip(lengths)
        .flat_map(|(number, length)| numbered(number..number + 1, length))
        .collect();
    let mut sent = 0;
    while sent < messages.len() {
        let taken = sender.try_send_many(&messages[sent..]).unwrap();
        assert!((1..=105).contains(&taken), "{taken} messages fill the send buffer");
        let queued = sender.queued();
        let full = sender.try_send_many(&messages[sent + taken..]);
        if sent + taken < messages.len() {
            assert_eq!(full.unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        assert_eq!(sender.queued(), queued);
        let (writable, ()) = tokio::join!(
            within(sender.writable()),
            receive(&mut to_far, &messages[sent..sent + taken])
        );
        writable.unwrap();
        sent += taken;
    }
    assert!(to_far.try_recv().is_none());
}

#[tokio::test]
async fn those_before_one_that_cannot_travel_are_sent_and_the_next_call_says_why() {
    let Pair { to_near, mut to_far, nodes: _nodes } = pair().await;
    let values = [json!({"a": 1}), json!([2]), json!(null), json!("b")];
    assert_eq!(to_near.try_send_many(&values).unwrap(), 2);
    let error = to_near.try_send_many(&values[2..]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(to_near.try_send_many(&values[3..]).unwrap(), 1);
    for value in [&values[0], &values[1], &values[3]] {
        let message = within(to_far.recv()).await.unwrap().unwrap();
        assert_eq!(message.json::<serde_json::Value>().unwrap(), *value);
    }
    let long = [vec![], vec![0; 64 << 20]];
    assert_eq!(to_near.try_send_many(&long).unwrap(), 1);
    assert_eq!(to_near.try_send_many(&long[1..]).unwrap_err().kind(), ErrorKind::TooBig);
}

#[tokio::test]
async fn a_remote_that_has_ended_takes_nothing_and_says_so() {
    let Pair { to_near, to_far, nodes: _nodes } = pair().await;
    let sender = to_near.sender();
    within(async { tokio::join!(to_near.end(), to_far.end()) }).await.0.unwrap();
    assert_eq!(sender.try_send_many(&["late"]).unwrap_err().kind(), ErrorKind::Closed);
}

/// A message that looks at the remote while it is asked for its bytes.
struct Curious(Sender);

impl AsMessage for Curious {
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
        Ok((Kind::Bytes, self.0.queued().to_be_bytes().to_vec().into()))
    }
}

#[tokio::test]
async fn a_message_may_use_the_remote_while_it_becomes_bytes() {
    let Pair { to_near, to_far: _to_far, nodes: _nodes } = pair().await;
    let sender = to_near.sender();
    let (done, when_done) = oneshot::channel();
    // On a thread of its own: a lock that is taken twice would hold up this one for ever.
    thread::spawn(move || {
        let messages = [Curious(sender.clone()), Curious(sender.clone())];
        done.send(sender.try_send_many(&messages))
    });
    assert_eq!(within(when_done).await.unwrap().unwrap(), 2);
}
