//! Noticing that the computer was suspended.
//!
//! A laptop that wakes up has connections that may be long dead at the other side, and timers that
//! stood still while it slept. So the node compares two clocks now and then, one of which goes on in
//! a sleep; when that one is ahead, time jumps for all machines of the node, and they ask their peers
//! at once whether they are still there. A wall clock that is set forward looks the same, and costs a
//! PING to each peer.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep};

use super::inner::Inner;

/// How long a sleep goes unnoticed after the computer is awake.
const LOOK: Duration = Duration::from_secs(5);
/// Shorter ones are left to the timers, and so is a wall clock that is merely corrected.
const LEAST: Duration = Duration::from_secs(10);

/// Both clocks as they were at the last look.
struct Watch {
    wall: SystemTime,
    running: Instant,
}

impl Watch {
    /// How long the computer was suspended since the last look, if it was.
    fn look(&mut self, wall: SystemTime, running: Instant) -> Option<Duration> {
        let passed = wall.duration_since(self.wall).unwrap_or_default();
        let ran = running.duration_since(self.running);
        *self = Self { wall, running };
        passed.checked_sub(ran).filter(|slept| *slept >= LEAST)
    }
}

impl Inner {
    /// Looks for sleeps until the node closes.
    pub(super) fn watch_for_sleep(self: &Arc<Self>) {
        let inner = self.clone();
        self.spawn_until_closing(async move {
            let mut watch = Watch { wall: SystemTime::now(), running: Instant::now() };
            loop {
                sleep(LOOK).await;
                if let Some(slept) = watch.look(SystemTime::now(), Instant::now()) {
                    inner.handle_sleep(slept);
                }
            }
        });
    }

    fn handle_sleep(&self, slept: Duration) {
        tracing::info!(target: "p2pchan", ?slept, "the computer was suspended");
        self.clock.note_sleep(slept);
        for link in self.core().table.values() {
            // Its timers are looked at anew.
            link.command(|_| ());
        }
        self.plans_changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Node;

    #[test]
    fn only_time_that_passed_on_one_clock_alone_is_a_sleep() {
        let (wall, running) = (SystemTime::now(), Instant::now());
        let seconds = Duration::from_secs;
        let mut watch = Watch { wall, running };
        assert_eq!(watch.look(wall + seconds(5), running + seconds(5)), None);
        // The process was stopped, or the machine is slow: both clocks went on.
        assert_eq!(watch.look(wall + seconds(500), running + seconds(500)), None);
        let slept = watch.look(wall + seconds(4105), running + seconds(505));
        assert_eq!(slept, Some(seconds(3600)));
        // It is told once, and a clock that is corrected, or set back, is no sleep.
        assert_eq!(watch.look(wall + seconds(4119), running + seconds(510)), None);
        assert_eq!(watch.look(wall, running + seconds(515)), None);
    }

    #[tokio::test]
    async fn remotes_outlive_a_sleep_if_the_other_side_still_answers() {
        let near = Node::builder().set("listen", "127.0.0.1:0").start().await.unwrap();
        near.discover_topic([7; 32]).unwrap();
        for address in near.addresses() {
            let far = Node::builder().start().await.unwrap();
            far.discover_topic([7; 32]).unwrap();
            let to_near = far.connect(address).await.unwrap();
            let mut to_far = near.next_remote().await.unwrap();
            let (inner, day) = (&far.handle.inner, Duration::from_secs(24 * 3600));
            let before = inner.clock.now();
            inner.handle_sleep(day);
            assert!(inner.clock.now() - before >= day);
            to_near.send("good morning").await.unwrap();
            let message = to_far.recv().await.unwrap().unwrap();
            assert_eq!(message.as_text(), Some("good morning"));
            to_near.end().await.unwrap();
            assert_eq!(to_far.recv().await.unwrap(), None);
            far.close().await;
        }
        near.close().await;
    }
}
