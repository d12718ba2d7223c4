//! Settings: one table of documented text keys, the same in every language, file and command line.
//!
//! ```text
//! TOML · JSON · C strings · Python · JavaScript · flags
//!            │  become
//!            ▼
//!        Changes  (key → Value; null restores a default)
//!            │  Settings::with: every key is looked up in KEYS, read, checked, then checked together
//!            ▼
//!        Settings (typed, valid)  ── to_changes ──► Changes
//! ```
//!
//! [`KEYS`] drives both the reading and [`documentation()`], so no key can exist without its page.
//! Nothing is half applied: [`Settings::with`] gives new settings or an error, and the old ones stay.
//!
//! ```
//! use p2pchan_proto::settings::{Changes, Settings};
//!
//! let mut changes = Changes::new();
//! changes.set("listen", "0.0.0.0:3401~3499").set("timeouts.dial", "5s").set("limits.dials", 4);
//! let settings = Settings::default().with(&changes)?;
//! assert_eq!(settings.limits.dials, 4);
//!
//! let error = settings.with(&[("timeout.dial", "5s")].into_iter().collect()).unwrap_err();
//! assert!(error.message().contains("did you mean timeouts.dial?"));
//! # Ok::<(), p2pchan_proto::error::Error>(())
//! ```
//!
//! # Layout, in reading order
//! - `value`, `changes`: what users give.
//! - `typed`: what the node works with, its defaults, and what must hold between keys.
//! - `table`: the keys; `key`: what an entry of the table can do.
//! - `forms`: how each type of value is read, written and described.
//! - `documentation`, `nearest`: the page of the settings, and the guess at what a typo meant.

mod changes;
mod documentation;
mod forms;
mod key;
mod nearest;
mod table;
mod typed;
mod value;

#[cfg(test)]
mod tests;

pub use changes::Changes;
pub use documentation::documentation;
pub use forms::{
    duration::Interval,
    hosts::{Bootstrap, HostPort, Seed},
    identity::IdentitySource,
    listen::{ListenAddress, PortSet},
};
pub use key::Key;
pub use table::KEYS;
pub use typed::{
    BitTorrent, BitTorrentSettings, Discovery, Limits, RuntimeSettings, Settings, StatsSettings,
    Timeouts,
};
pub use value::Value;
