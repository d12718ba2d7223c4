//! A discovery service of the tests' own that finds nobody and notes what it is asked.

use std::sync::{Arc, Mutex, PoisonError};

use p2pchan::{Address, BoxFuture, DiscoveryService, Error, Found, Topic};
use tokio::sync::watch;

/// What the node asked for, and with which addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Announce(Vec<Address>),
    LookUp,
    Withdraw,
    Pause,
    Close,
}

/// Clones share what they note.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    asked: Arc<Mutex<Vec<Asked>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Recorder {
    fn note(&self, asked: Asked) {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(asked);
        self.count.send_replace(all.len());
    }

    /// Everything but lookups, which come when they like.
    pub(crate) fn told(&self) -> Vec<Asked> {
        let all = self.asked.lock().unwrap().clone();
        all.into_iter().filter(|asked| *asked != Asked::LookUp).collect()
    }

    /// Waits until something of a kind was asked.
    pub(crate) async fn asked(&self, pick: impl Fn(&Asked) -> bool) {
        let mut count = self.count.subscribe();
        let there = |_: &usize| self.asked.lock().unwrap().iter().any(&pick);
        super::within(count.wait_for(there)).await.unwrap();
    }
}

impl DiscoveryService for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    fn announce<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            self.note(Asked::Announce(topic.listening().to_vec()));
            Ok(())
        })
    }

    fn look_up<'a>(&'a self, _: &'a Topic, _: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            self.note(Asked::LookUp);
            Ok(())
        })
    }

    fn withdraw<'a>(&'a self, _: &'a Topic) -> BoxFuture<'a, ()> {
        Box::pin(async { self.note(Asked::Withdraw) })
    }

    fn pause(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.note(Asked::Pause) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.note(Asked::Close) })
    }
}
