//! Finding others: services that turn a subject into candidate addresses.
//!
//! A [`DiscoveryService`] has three verbs, `announce`, `look_up` and `withdraw`. It does not decide
//! when: the node calls `announce` and `look_up` again and again, with jitter, sooner while it is
//! alone, and `withdraw` once, when the subject is stopped. What a lookup finds are only hints; the
//! dialler and the handshake decide who is a peer.
//!
//! # Layout
//! - `service`: the trait, and what its verbs are handed.
//! - `seeds`: addresses that the settings name.
//! - `bittorrent`: the BitTorrent DHT (BEP 5), through the crate `mainline`.

mod bittorrent;
mod host;
mod seeds;
mod service;
#[cfg(test)]
pub(crate) mod testing;

pub use bittorrent::{BitTorrentDht, BitTorrentSettings, PUBLIC_BOOTSTRAP};
pub use seeds::Seeds;
pub use service::{BoxFuture, DiscoveryService, Found, Topic};

pub(crate) use bittorrent::{Worker, WorkerPlan, cannot_bind};
