//! What a node tells of itself, as documents that can be read by people, programs and other languages.
//!
//! | asked by | answer |
//! |---|---|
//! | [`Node::status`](crate::Node::status) | [`Status`]: all that is open and under way, at one moment |
//! | [`Node::explain`](crate::Node::explain) | [`Explanation`]: why a peer is connected or is not |
//! | [`Node::stats`](crate::Node::stats) | a stream of [`StatsChange`]: the counters that changed |
//!
//! As JSON every name is in snake case and keeps its meaning from version to version; `docs/status.md`
//! lists them. Later versions add names; a reader ignores those that it does not know, and takes one
//! that is missing for zero, empty or none. Times are seconds before or after the moment of the
//! document, as numbers with a fraction, with `_seconds` in their names.
//!
//! # Subjects
//! A status gets pasted into reports of bugs, and a subject lets whoever reads it in. So documents show
//! the number of a subject in the order in which the node first discovered them, beginning with 1, and
//! neither the phrase nor anything derived from it: who guesses a phrase could check his guess against
//! even a short hash. [`Discovery::number`](crate::Discovery::number) tells a program which is which.
//!
//! # Layout
//! - here: the whole document; `parts`: its parts; `stats`: what changed.
//! - `explanation`, `target`: one peer or address.
//! - `shown`: a status as text; `told`: an explanation.
//! - `seconds`, `words`: how times are written.

mod explanation;
mod parts;
mod seconds;
mod shown;
mod stats;
mod target;
mod told;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use explanation::{AttemptStatus, CandidateStatus, Explanation, StrategyStatus};
pub use parts::{
    AddressBookStatus, AddressStatus, DoneStatus, FoundStatus, LimitsStatus, LinkStatus,
    NodeStatus, RemoteStatus, SearchStatus, ServiceStatus, SocketStatus, SubjectStatus, Totals,
    TransportStatus, UsageStatus,
};
pub use stats::StatsChange;
pub(crate) use stats::{Gauges, counters};
pub use target::Target;

/// All that a node has open and under way, at one moment. As text it is what fits into 80 columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Status {
    /// Which node this is.
    pub node: NodeStatus,
    /// What probably is not as it was meant, and what to do about it.
    pub warnings: Vec<String>,
    /// The settings that differ from their defaults. Secrets are not shown, and of long lists only
    /// the first 32 items.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// The sockets.
    pub transport: TransportStatus,
    /// How much of what is bounded is in use.
    pub limits: LimitsStatus,
    /// The subjects that are being discovered, by number.
    pub subjects: Vec<SubjectStatus>,
    /// The discovery services.
    pub discovery: Vec<ServiceStatus>,
    /// The addresses that were found, or asked for.
    pub address_book: AddressBookStatus,
    /// Connections that have an encrypted transport.
    pub links: Vec<LinkStatus>,
    /// Open remotes.
    pub remotes: Vec<RemoteStatus>,
    /// What has happened since the node began.
    pub totals: Totals,
}
