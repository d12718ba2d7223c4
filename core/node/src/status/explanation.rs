//! Why a peer is connected or is not: its addresses, who found them, and how each dial went.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AddressStatus, LinkStatus, seconds};

/// All that a node knows of a peer or an address. As text it is told for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Explanation {
    /// What was asked for.
    pub target: String,
    /// Whether anything is known of it.
    pub known: bool,
    /// What else there is to say, in sentences.
    pub notes: Vec<String>,
    /// Its connections.
    pub links: Vec<LinkStatus>,
    /// The addresses at which it was found, or the one that was asked for; at most 32.
    pub candidates: Vec<CandidateStatus>,
    /// If nothing is known of it: peers of which something is, at most 16.
    pub other_peers: Vec<String>,
    /// If nothing is known of it: addresses of which something is, at most 16.
    pub other_addresses: Vec<String>,
}

/// An address at which a peer may be reached, with the log of its dials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CandidateStatus {
    /// What the status shows of it.
    #[serde(flatten)]
    pub entry: AddressStatus,
    /// How long it has been dialled, if it is being dialled now.
    #[serde(rename = "dialling_seconds", with = "seconds::optional")]
    pub dialling: Option<Duration>,
    /// The last dials, oldest first, at most 8.
    pub attempts: Vec<AttemptStatus>,
}

/// One dial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AttemptStatus {
    /// How long ago it began.
    #[serde(rename = "began_seconds", with = "seconds")]
    pub began: Duration,
    /// How long ago it ended.
    #[serde(rename = "ended_seconds", with = "seconds")]
    pub ended: Duration,
    /// The ways that were tried; they may have raced.
    pub strategies: Vec<StrategyStatus>,
    /// How long the network took for a packet there and one back, if it was measured.
    #[serde(rename = "rtt_seconds", with = "seconds::optional")]
    pub rtt: Option<Duration>,
    /// Who answered, if anybody proved an identity.
    pub peer: Option<String>,
    /// How it ended.
    pub verdict: String,
}

/// One way by which a dial tried to reach its address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StrategyStatus {
    /// Its name, such as `tcp` or `quic`.
    pub strategy: String,
    /// How long ago it began.
    #[serde(rename = "began_seconds", with = "seconds")]
    pub began: Duration,
    /// How long ago it ended, if it has.
    #[serde(rename = "ended_seconds", with = "seconds::optional")]
    pub ended: Option<Duration>,
    /// How: `won`, if it led to an encrypted connection, else why not.
    pub verdict: String,
}
