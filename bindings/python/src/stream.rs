//! Events and statistics as streams: one item at a time, when Python asks for it.
//!
//! What is not asked for waits where the Rust interface lets it wait: of events the newest 1,024 are kept
//! for each stream, and `missed` says how many were not; statistics are not even looked at.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use p2pchan::{Event, Events, Stats, StatsChange};
use p2pchan_pump::{forked_error, generation, named};
use pyo3::{IntoPyObjectExt, prelude::*};
use tokio::task::AbortHandle;

use crate::{
    error::{invalid, raise},
    node::Shared,
    value::as_dict,
};

/// Where items come from.
pub(crate) enum Source {
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

/// A stream without an event loop; it ends when it is forgotten.
#[pyclass(frozen, name = "NativeStream", module = "p2pchan._native")]
pub(crate) struct NativeStream {
    node: Arc<Shared>,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NativeStream {
    pub(crate) fn new(node: Arc<Shared>, source: Source) -> Self {
        let state = State { source: Some(source), item: None, asking: None };
        Self { node, state: Arc::new(Mutex::new(state)) }
    }

    fn ask(&self) -> Result<u64, p2pchan::Error> {
        if self.node.generation != generation() {
            return Err(forked_error());
        }
        let mut here = lock(&self.state);
        if here.asking.is_some() {
            return Err(invalid("somebody waits for the next item already; give each a stream"));
        }
        let state = self.state.clone();
        let (request, asking) = self.node.request(async move {
            // Not for long: whoever asks holds it until all is in its place.
            let Some(mut source) = lock(&state).source.take() else { return Ok(None) };
            let item = source.next().await;
            *lock(&state) = State { source: Some(source), item, asking: None };
            Ok(None)
        })?;
        here.asking = Some(asking);
        Ok(request)
    }
}

#[pymethods]
impl NativeStream {
    /// Begins to wait for the next item; a request.
    fn next(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask().map_err(|error| raise(py, &error))
    }

    /// What the answer to `next` brought: the name and the particulars of an event, or counters; None
    /// if the stream is over.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let item = lock(&self.state).item.take();
        match item {
            None => Ok(None),
            Some(Item::Event(event)) => {
                let (name, particulars) = named(&event);
                (name, as_dict(py, &particulars)?).into_bound_py_any(py).map(Some)
            }
            Some(Item::Stats(change)) => as_dict(py, &serde_json::json!(change)).map(Some),
        }
    }
}

impl Drop for NativeStream {
    /// Nobody takes the next item any more. In a child of a fork nothing is touched, not even by
    /// dropping.
    fn drop(&mut self) {
        if self.node.generation == generation() {
            let asking = lock(&self.state).asking.take();
            asking.into_iter().for_each(|asking| asking.abort());
        } else {
            mem::forget((self.state.clone(), self.node.clone()));
        }
    }
}
