//! Events and statistics as streams: one item at a time, when Python asks for it.

use std::{mem, sync::Arc};

use p2pchan_pump::Items;
use pyo3::{IntoPyObjectExt, prelude::*};

use crate::{error::raise, node::Shared, value::as_dict};

/// A stream without an event loop; it ends when it is forgotten.
#[pyclass(frozen, name = "NativeStream", module = "p2pchan._native")]
pub(crate) struct NativeStream {
    node: Arc<Shared>,
    items: Items,
}

impl NativeStream {
    pub(crate) const fn new(node: Arc<Shared>, items: Items) -> Self {
        Self { node, items }
    }
}

#[pymethods]
impl NativeStream {
    /// Begins to wait for the next item; a request.
    fn next(&self, py: Python<'_>) -> PyResult<u64> {
        self.items.ask(&self.node).map_err(|error| raise(py, &error))
    }

    /// What the answer to `next` brought: the name and the particulars of an event, or counters; None
    /// if the stream is over.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((name, particulars)) = self.items.take() else { return Ok(None) };
        let particulars = as_dict(py, &particulars)?;
        if name == "stats" {
            return Ok(Some(particulars));
        }
        (name, particulars).into_bound_py_any(py).map(Some)
    }
}

impl Drop for NativeStream {
    /// In a child of a fork nothing is touched, not even by dropping.
    fn drop(&mut self) {
        if !self.node.is_own() {
            mem::forget(self.node.clone());
        }
    }
}
