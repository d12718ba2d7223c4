//! Settings as files and other languages write them.
//!
//! ```text
//! listen = "0.0.0.0:8099"          ─┐
//! [limits]                          │   listen         = "0.0.0.0:8099"
//! dials = 4                         ├─► limits.dials   = 4
//!                                   │
//! {"listen": …, "limits": {…}}     ─┘
//! ```
//!
//! Nested tables are dotted keys, and every value is one of [`Value`],
//! or a list. What the keys are, and what their values mean, is `p2pchan_proto::settings`.
//!
//! # Layout
//! - `toml`, `json`: the two ways to write them.
//! - `file`: a TOML file that is read again and again.

mod file;
mod json;
mod toml;

pub(crate) use self::file::SettingsFile;
pub use self::file::settings_from_file;
pub use self::json::settings_from_json;
pub use self::toml::settings_from_toml;
use p2pchan_proto::settings::{Changes, Value};

/// The name of a key in a table.
fn dotted(table: &str, name: &str) -> String {
    if table.is_empty() { name.into() } else { format!("{table}.{name}") }
}

/// Sets a key; what is wrong if it is set already, with dots here and tables there.
fn set_once(changes: &mut Changes, key: &str, value: Value) -> Result<(), String> {
    if changes.value(key).is_some() {
        return Err(format!("setting {key} stands twice; take one out"));
    }
    changes.set(key, value);
    Ok(())
}
