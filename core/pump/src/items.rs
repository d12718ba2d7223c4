//! Events and statistics of a polled node, one item at a time, when the program asks for it.
//!
//! What is not asked for waits where the Rust interface lets it wait: of events the newest 1,024 are kept
//! for each stream, and `missed` says how many were not; statistics are not even looked at.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use p2pchan::{Error, ErrorKind, Event, Events, Stats, StatsChange};
use tokio::task::AbortHandle;

use crate::{
    events::named,
    fork::{forked_error, generation},
    polled::PolledNode,
};

/// Where items come from.
enum Source {
    Events(Events),
    Stats(Stats),
}

enum Item {
    Event(Event),
    Stats(StatsChange),
}

impl Source {
    async fn next(&mut self) -> Option<Item> {
        match self {
            Self::Events(events) => events.next().await.map(Item::Event),
            Self::Stats(stats) => stats.next().await.map(Item::Stats),
        }
    }
}

/// One item at most, so that nothing is lost if nobody takes it after all.
struct State {
    /// Not here while the next item is waited for.
    source: Option<Source>,
    item: Option<Item>,
    /// Gives up what is waited for.
    asking: Option<AbortHandle>,
}

/// A stream of items; it ends when it is dropped. In a child of a fork nothing is touched, not even by
/// dropping.
pub struct Items {
    generation: u64,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Items {
    /// What is open, and then what happens.
    pub fn events(events: Events) -> Self {
        Self::new(Source::Events(events))
    }

    /// The counters that change.
    pub fn stats(stats: Stats) -> Self {
        Self::new(Source::Stats(stats))
    }

    fn new(source: Source) -> Self {
        let state = State { source: Some(source), item: None, asking: None };
        Self { generation: generation(), state: Arc::new(Mutex::new(state)) }
    }

    /// Begins to wait for the next item; a request of the node.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is waited for already, and as [`PolledNode::request`].
    pub fn ask<T: Default + Send + Sync + 'static>(
        &self,
        node: &PolledNode<T>,
    ) -> Result<u64, Error> {
        if self.generation != generation() {
            return Err(forked_error());
        }
        let mut here = lock(&self.state);
        if here.asking.is_some() {
            let message = "somebody waits for the next item already; give each a stream";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let state = self.state.clone();
        let (request, asking) = node.request(async move {
            // Not for long: whoever asks holds it until all is in its place.
            let Some(mut source) = lock(&state).source.take() else { return Ok(None) };
            let item = source.next().await;
            *lock(&state) = State { source: Some(source), item, asking: None };
            Ok(None)
        })?;
        here.asking = Some(asking);
        Ok(request)
    }

    /// What the answer brought, as JSON, with its name (`stats` for counters); nothing if the stream is
    /// over.
    pub fn take(&self) -> Option<(&'static str, serde_json::Value)> {
        lock(&self.state).item.take().map(|item| match item {
            Item::Event(event) => named(&event),
            Item::Stats(change) => ("stats", serde_json::json!(change)),
        })
    }
}

impl Drop for Items {
    /// Nobody takes the next item any more.
    fn drop(&mut self) {
        if self.generation == generation() {
            let asking = lock(&self.state).asking.take();
            asking.into_iter().for_each(|asking| asking.abort());
        } else {
            mem::forget(self.state.clone());
        }
    }
}
