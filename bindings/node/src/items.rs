//! Events and statistics: one item at a time, when JavaScript asks for it.

use std::sync::Arc;

use napi_derive::napi;
use p2pchan_pump::Items;

use crate::{
    error::{Failure, thrown},
    node::Shared,
};

/// A stream of items; it ends when it is forgotten.
#[napi]
pub struct NativeItems {
    node: Arc<Shared>,
    items: Option<Items>,
}

impl NativeItems {
    pub(crate) const fn new(node: Arc<Shared>, items: Items) -> Self {
        Self { node, items: Some(items) }
    }
}

#[napi]
impl NativeItems {
    /// Begins to wait for the next item; a request.
    #[napi(catch_unwind)]
    pub fn next(&self) -> Result<i64, Failure> {
        let closed = || thrown(p2pchan_pump::closed());
        let request = self.items.as_ref().ok_or_else(closed)?.ask(&self.node.polled);
        request.map(u64::cast_signed).map_err(thrown)
    }

    /// What the answer to `next` brought: its name and the particulars as JSON; nothing if the stream
    /// is over.
    #[napi(catch_unwind)]
    pub fn take(&self) -> Option<Vec<String>> {
        let (name, particulars) = self.items.as_ref()?.take()?;
        Some(vec![name.into(), particulars.to_string()])
    }

    /// Ends the stream.
    #[napi(catch_unwind)]
    pub fn stop(&mut self) {
        self.items = None;
    }
}
