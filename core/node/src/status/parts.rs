//! The parts of a [`Status`](super::Status).

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::seconds;

/// Which node this is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its identity: 64 hexadecimal digits.
    pub id: String,
    /// The version of p2pchan.
    pub version: String,
    /// How long it has been running.
    #[serde(rename = "uptime_seconds", with = "seconds")]
    pub uptime: Duration,
    /// Whether it is paused (`paused`): nothing is open.
    pub paused: bool,
    /// Whether it is closing, or has closed.
    pub closing: bool,
}

/// What the node has open towards the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TransportStatus {
    /// The sockets that it listens on, those of discovery services included.
    pub sockets: Vec<SocketStatus>,
}

/// A socket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SocketStatus {
    /// Where it is bound, such as `tcp://0.0.0.0:8099`.
    pub address: String,
    /// What is spoken there: `tcp`, `quic`, `udp` or `unix`.
    pub transport: String,
    /// Who uses it: `listen`, `dial`, `drain` (it is not named any more and lives on with its
    /// connections), `control`, or the name of a discovery service.
    pub used_by: String,
    /// What went through it, if that is counted: each transport has counters of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<BTreeMap<String, u64>>,
}

/// How much of what is bounded is in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LimitsStatus {
    /// Open connections, of `limits.remotes`.
    pub links: UsageStatus,
    /// Accepted connections that have not proved a subject, of `limits.unproven`.
    pub unproven: UsageStatus,
    /// Dials in progress, of `limits.dials`; `connect` may use a few more.
    pub dials: UsageStatus,
    /// Subjects, of `limits.subjects`.
    pub subjects: UsageStatus,
    /// Remotes that the program has not taken yet, of `limits.waiting`.
    pub waiting: UsageStatus,
    /// Bytes set aside for long messages that are arriving, of `limits.reassembly`.
    pub reassembly: UsageStatus,
}

/// How much of one limit is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UsageStatus {
    /// This much.
    pub used: u64,
    /// Of this much.
    pub cap: u64,
}

/// A subject that is being discovered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SubjectStatus {
    /// Its number.
    pub subject: u32,
    /// Its open remotes.
    pub remotes: u64,
    /// Whether its keys are still being derived.
    pub deriving: bool,
}

/// A discovery service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ServiceStatus {
    /// Its name, such as `bittorrent`.
    pub source: String,
    /// What it does for each subject.
    pub searches: Vec<SearchStatus>,
}

/// What a discovery service does for one subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SearchStatus {
    /// The number of the subject.
    pub subject: u32,
    /// What it is doing now: `announce`, `look_up`, `withdraw`, or nothing.
    pub running: Option<String>,
    /// The last announcement that ended.
    pub announced: Option<DoneStatus>,
    /// The last lookup that ended.
    pub looked_up: Option<DoneStatus>,
    /// Until the next announcement; none while one runs, or if the node does not listen.
    #[serde(rename = "next_announce_seconds", with = "seconds::optional")]
    pub next_announce: Option<Duration>,
    /// Until the next lookup; none while one runs.
    #[serde(rename = "next_look_up_seconds", with = "seconds::optional")]
    pub next_look_up: Option<Duration>,
    /// How many addresses it found that were not known for this subject.
    pub found: u64,
}

/// How something ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DoneStatus {
    /// How long ago.
    #[serde(rename = "ago_seconds", with = "seconds")]
    pub ago: Duration,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// The addresses that were found, or asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AddressBookStatus {
    /// How many there are, of 1,024.
    pub known: u64,
    /// Those that wait for a free place among the dials.
    pub waiting: u64,
    /// Those that are left alone for a while.
    pub backing_off: u64,
    /// Those that are being dialled.
    pub dialling: u64,
    /// Those that lead to a connected peer.
    pub connected: u64,
    /// Those that lead to this node itself.
    pub own: u64,
    /// Those that worked once and that no subject asks for now.
    pub idle: u64,
    /// Each of them, by address.
    pub entries: Vec<AddressStatus>,
}

/// An address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AddressStatus {
    /// The address.
    pub address: String,
    /// `waiting`, `backing_off`, `dialling`, `connected`, `own` or `idle`.
    pub state: String,
    /// Until it may be dialled again, if it is backing off.
    #[serde(rename = "next_try_seconds", with = "seconds::optional")]
    pub next_try: Option<Duration>,
    /// Who last answered there, if anybody proved an identity.
    pub peer: Option<String>,
    /// Who found it, and for which subjects.
    pub found: Vec<FoundStatus>,
    /// Since when it is known.
    #[serde(rename = "first_seen_seconds", with = "seconds")]
    pub first_seen: Duration,
    /// When it was last found.
    #[serde(rename = "last_seen_seconds", with = "seconds")]
    pub last_seen: Duration,
    /// Dials that ended.
    pub tries: u64,
    /// Whether it ever led to a peer.
    pub worked: bool,
    /// How the last dial ended.
    pub verdict: Option<String>,
}

/// Who found an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FoundStatus {
    /// The discovery service.
    pub source: String,
    /// The number of the subject.
    pub subject: u32,
}

/// A connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LinkStatus {
    /// Its number in this node.
    pub link: u64,
    /// Who is at the other end: 64 hexadecimal digits.
    pub peer: String,
    /// What was dialled, or where the peer dialled from.
    pub address: String,
    /// By which transport.
    pub transport: String,
    /// Who opened it: `dialled` by this node, or `accepted`.
    pub side: String,
    /// `open`; `proving` before a subject has been proved; `closing`.
    pub state: String,
    /// How long it has been there.
    #[serde(rename = "age_seconds", with = "seconds")]
    pub age: Duration,
    /// The smoothed round trip time, once it was measured.
    #[serde(rename = "rtt_seconds", with = "seconds::optional")]
    pub rtt: Option<Duration>,
    /// Messages that the program gave to be sent.
    pub messages_sent: u64,
    /// Whole messages that arrived.
    pub messages_received: u64,
    /// Bytes of frames that were sent, before encryption.
    pub bytes_sent: u64,
    /// Bytes of frames that arrived.
    pub bytes_received: u64,
    /// Bytes of messages that wait to be sent.
    pub queued: u64,
    /// Bytes per remote that the peer takes before its program reads them, once it has said so.
    pub window: Option<u64>,
}

/// A remote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RemoteStatus {
    /// Who.
    pub peer: String,
    /// The number of the subject.
    pub subject: u32,
    /// What was dialled, or where the peer dialled from.
    pub address: String,
    /// The number of its connection.
    pub link: u64,
    /// How long it has been open.
    #[serde(rename = "age_seconds", with = "seconds")]
    pub age: Duration,
    /// Messages that the program gave to be sent.
    pub messages_sent: u64,
    /// Whole messages that arrived.
    pub messages_received: u64,
    /// Bytes of the messages that were sent.
    pub bytes_sent: u64,
    /// Bytes of the messages that arrived.
    pub bytes_received: u64,
    /// Bytes that wait to be sent.
    pub queued: u64,
    /// Bytes that arrived and that the program has not taken.
    pub unread: u64,
    /// Bytes that the peer takes before its program must read some.
    pub credit: u64,
}

/// What has happened since the node began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Totals {
    /// Announcements that stood.
    pub announced: u64,
    /// Addresses found; one that is found for several subjects counts for each.
    pub found: u64,
    /// Announcements and lookups that failed.
    pub discovery_failed: u64,
    /// Dials that were begun.
    pub dials: u64,
    /// Dials that failed.
    pub dials_failed: u64,
    /// Addresses of which it was told that they cannot be reached.
    pub unreachable: u64,
    /// Remotes that opened.
    pub remotes_opened: u64,
    /// Remotes that ended.
    pub remotes_ended: u64,
    /// Newcomers that were refused.
    pub refused: u64,
    /// Warnings.
    pub warnings: u64,
    /// Messages that the program gave to be sent.
    pub messages_sent: u64,
    /// Whole messages that arrived.
    pub messages_received: u64,
    /// Bytes of frames that were sent, before encryption.
    pub bytes_sent: u64,
    /// Bytes of frames that arrived.
    pub bytes_received: u64,
}
