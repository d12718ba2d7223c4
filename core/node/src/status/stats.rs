//! What changes: the names of all counters, and the items of the stream.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Totals, seconds};

/// An item of the stream of statistics: the counters that are not what they were in the item before.
/// In the first item all of them are there. `docs/status.md` lists their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StatsChange {
    /// How long the node has been running.
    #[serde(rename = "uptime_seconds", with = "seconds")]
    pub uptime: Duration,
    /// The counters that changed, with their new values.
    #[serde(flatten)]
    pub changed: BTreeMap<String, u64>,
}

impl StatsChange {
    pub(crate) fn new(uptime: Duration, changed: BTreeMap<String, u64>) -> Self {
        Self { uptime, changed }
    }
}

/// What goes up and down.
pub(crate) struct Gauges {
    pub(crate) links: usize,
    pub(crate) unproven: usize,
    pub(crate) remotes: usize,
    pub(crate) dialling: usize,
    pub(crate) addresses: usize,
    pub(crate) subjects: usize,
    pub(crate) queued: usize,
}

/// All counters of the stream, always in the same order.
pub(crate) const fn counters(gauges: &Gauges, totals: &Totals) -> [(&'static str, u64); 21] {
    [
        ("links", gauges.links as u64),
        ("unproven", gauges.unproven as u64),
        ("remotes", gauges.remotes as u64),
        ("dialling", gauges.dialling as u64),
        ("addresses", gauges.addresses as u64),
        ("subjects", gauges.subjects as u64),
        ("queued", gauges.queued as u64),
        ("announced", totals.announced),
        ("found", totals.found),
        ("discovery_failed", totals.discovery_failed),
        ("dials", totals.dials),
        ("dials_failed", totals.dials_failed),
        ("unreachable", totals.unreachable),
        ("remotes_opened", totals.remotes_opened),
        ("remotes_ended", totals.remotes_ended),
        ("refused", totals.refused),
        ("warnings", totals.warnings),
        ("messages_sent", totals.messages_sent),
        ("messages_received", totals.messages_received),
        ("bytes_sent", totals.bytes_sent),
        ("bytes_received", totals.bytes_received),
    ]
}
