//! Numbered messages, as fast as they go, and a reader that misses none.

use p2pchan::{Remote, Sender};
use tokio::sync::watch;

use super::within;

/// A message that ends with a number; so long that taking all that have come does not take long.
fn numbered(number: u64) -> String {
    format!("{number:>2000}")
}

/// Sends messages with their numbers until it is told to stop; then a last one.
pub(crate) async fn flood(sender: Sender, stop: watch::Receiver<bool>) {
    let mut number = 0_u64;
    while !*stop.borrow() {
        sender.send(numbered(number)).await.unwrap();
        number += 1;
    }
    sender.send("last").await.unwrap();
}

/// Reads what [`flood`] sends, to the last message: nothing is missing, and nothing comes twice.
pub(crate) async fn assert_whole(remote: &mut Remote) {
    let mut expected = 0_u64;
    loop {
        let message = within(remote.recv()).await.unwrap().expect("the last message");
        if message.as_text() == Some("last") {
            assert!(expected > 0);
            return;
        }
        assert_eq!(message.as_text(), Some(&*numbered(expected)));
        expected += 1;
    }
}
