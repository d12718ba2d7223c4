//! A set of changes to the settings.

use std::{
    collections::{BTreeMap, btree_map},
    fmt,
};

use super::{
    key::{self, Key},
    typed::Settings,
    value::Value,
};
use crate::error::Error;

/// Dotted keys and their new values, in the order of the keys; a later value for a key replaces an
/// earlier one. Nothing is checked before [`Settings::with`](super::Settings::with).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Changes(BTreeMap<String, Value>);

impl Changes {
    /// No change.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets a key such as `limits.message`; [`Value::Null`] restores its default.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// Makes later changes on top of these. A [`Value::Null`] takes a key out, whatever stood there.
    pub fn merge(&mut self, later: Self) {
        for (key, value) in later {
            match value {
                Value::Null => drop(self.0.remove(&key)),
                value => drop(self.0.insert(key, value)),
            }
        }
    }

    /// Checks each key and its value by itself.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](crate::error::ErrorKind::Settings) as
    /// [`Settings::with`](super::Settings::with), but for values that contradict each other.
    pub fn check(&self) -> Result<(), Error> {
        self.check_among(&[])
    }

    /// As [`check`](Self::check), for an interface that has keys of its own and has taken them out:
    /// they are among the guesses at what a mistyped key meant.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_among(&self, further: &[&'static str]) -> Result<(), Error> {
        let mut settings = Settings::default();
        self.iter().try_for_each(|(name, value)| {
            Key::find_among(name, further)?.apply(&mut settings, value)
        })
    }

    /// The new value of a key, if it changes.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// All changes, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl fmt::Debug for Changes {
    /// Never shows the value of a secret or unknown key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, key::shown(name, value))))
            .finish()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Changes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(changes: I) -> Self {
        Self(changes.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl<K: Into<String>, V: Into<Value>> Extend<(K, V)> for Changes {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, changes: I) {
        self.0.extend(changes.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

impl IntoIterator for Changes {
    type Item = (String, Value);
    type IntoIter = btree_map::IntoIter<String, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_two_values_for_a_key_counts() {
        let mut changes: Changes = [("listen", "127.0.0.1:1")].into_iter().collect();
        changes.extend([("listen", "127.0.0.1:2")]);
        assert_eq!(changes.value("listen"), Some(&"127.0.0.1:2".into()));
    }

    #[test]
    fn merging_keeps_the_later_value_and_null_takes_a_key_out() {
        let mut changes: Changes =
            [("limits.dials", 4), ("limits.waiting", 5)].into_iter().collect();
        let mut later = Changes::new();
        later.set("limits.dials", Value::Null).set("limits.waiting", 6).set("allow", Value::Null);
        changes.merge(later);
        assert_eq!(changes, [("limits.waiting", 6)].into_iter().collect());
    }

    #[test]
    fn each_key_is_checked_by_itself_also_one_that_is_taken_out() {
        let check = |key, value: Value| [(key, value)].into_iter().collect::<Changes>().check();
        assert!(check("limits.low_water", "1GiB".into()).is_ok());
        assert!(check("limits.low_water", "2GiB".into()).is_err());
        assert!(
            check("limits.low_watter", Value::Null).unwrap_err().message().contains("low_water?")
        );
    }

    #[test]
    fn the_keys_of_an_interface_are_among_the_guesses_at_a_typo() {
        let changes: Changes = [("calbacks", "thread")].into_iter().collect();
        let guess = |further: &[&'static str]| changes.check_among(further).unwrap_err();
        assert!(guess(&["callbacks"]).message().contains("did you mean callbacks?"));
        assert!(!guess(&[]).message().contains("callbacks?"));
    }

    #[test]
    fn debug_output_never_shows_a_seed() {
        let seed = "5eed".repeat(16);
        let changes: Changes = [("identity", &*seed), ("identiy", &*seed), ("limits.dials", "4")]
            .into_iter()
            .collect();
        assert!(!format!("{changes:?}").contains("5eed"));
        assert!(format!("{changes:?}").contains("limits.dials"));
    }
}
