//! What an entry of the table of keys can do: read a value into the settings, and back.

use std::fmt;

use super::{nearest, table::KEYS, typed::Settings, value::Value};
use crate::error::{Error, ErrorKind};

/// What stands for the value of a secret key.
pub(super) const NOT_SHOWN: &str = "(not shown)";
/// The most characters of a value that a message shows.
const MOST_OF_VALUE: usize = 120;
/// The most characters of the reason, which may quote an item of the value.
const MOST_OF_REASON: usize = 400;

/// One key of the settings, with everything that its documentation says.
pub struct Key {
    /// The dotted name, such as `limits.message`.
    pub name: &'static str,
    /// What it does, in whole sentences.
    pub meaning: &'static str,
    /// What a larger or smaller value wins and costs, and why its range ends where it does.
    pub trade_off: &'static str,
    /// Whether a running node can take over a new value; the others are fixed when it is made.
    pub hot: bool,
    /// Whether logs, messages and status must not show the value.
    pub secret: bool,
    /// Its type, and where in [`Settings`] it is kept.
    pub(super) entry: &'static (dyn Entry + Sync),
}

impl Key {
    /// The type of its values, such as `size`.
    pub fn kind(&self) -> &'static str {
        self.entry.kind()
    }

    /// Which values are allowed, such as `1KiB to 1GiB`.
    pub fn range(&self) -> String {
        self.entry.range()
    }

    /// The default in words, or as a user would write it.
    pub fn default_text(&self) -> String {
        match self.entry.write(&Settings::default()) {
            Value::Null => self.entry.unset().into(),
            Value::Text(text) => format!("`{text}`"),
            value => format!("`{value}`"),
        }
    }

    /// The key of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] naming the nearest key.
    pub(super) fn find(name: &str) -> Result<&'static Self, Error> {
        Self::find_among(name, &[])
    }

    /// As [`find`](Self::find), where there are further keys, which others look after.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(super) fn find_among(name: &str, further: &[&'static str]) -> Result<&'static Self, Error> {
        KEYS.iter().find(|key| key.name == name).ok_or_else(|| unknown(name, further))
    }

    /// Puts `value` into `settings`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] naming the key, the value and what is allowed; nothing changed.
    pub(super) fn apply(&self, settings: &mut Settings, value: &Value) -> Result<(), Error> {
        self.entry.read(settings, value).map_err(|why| {
            let (value, why) = (shown(self.name, value), cut(why, MOST_OF_REASON));
            Error::new(ErrorKind::Settings, format!("setting {} = {value}: {why}", self.name))
        })
    }

    /// What is said to those who would change it while the node runs.
    pub(super) fn cold(&self, value: &Value) -> Error {
        let (name, value) = (self.name, shown(self.name, value));
        let message = format!(
            "setting {name} = {value}: it cannot change while the node runs; start the node anew \
             with it, or leave it out"
        );
        Error::new(ErrorKind::Settings, message)
    }

    /// The value in `settings`, in its one text form; null if nothing is set.
    pub(super) fn value(&self, settings: &Settings) -> Value {
        self.entry.write(settings)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name)
    }
}

/// The value of a key for messages and logs: short, on one line, and without secrets. That of an
/// unknown key is not shown either, as the key may be a mistyped secret one.
pub(super) fn shown(name: &str, value: &Value) -> String {
    match KEYS.iter().find(|key| key.name == name) {
        Some(key) if !key.secret => short(value),
        _ => NOT_SHOWN.into(),
    }
}

fn short(value: &Value) -> String {
    cut(value.to_string(), MOST_OF_VALUE)
}

/// At most this many characters of a text, with a mark if some are left out.
fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn unknown(name: &str, further: &[&'static str]) -> Error {
    let names = KEYS.iter().map(|key| key.name).chain(further.iter().copied());
    let help = match nearest::nearest(name, names.clone()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the keys are {}", names.collect::<Vec<_>>().join(", ")),
    };
    let name = short(&name.into());
    Error::new(ErrorKind::Settings, format!("setting {name} does not exist; {help}"))
}

/// How values of one type are read, written and described.
pub(super) trait Form {
    /// What the settings keep.
    type Typed: Clone;

    /// Reads any value but null.
    ///
    /// # Errors
    /// What is wrong and what is allowed, to stand after the key and the value.
    fn read(&self, value: &Value) -> Result<Self::Typed, String>;

    /// The form that reads back as the same; null if nothing is set.
    fn write(&self, typed: &Self::Typed) -> Value;

    /// See [`Key::kind`].
    fn kind(&self) -> &'static str;

    /// See [`Key::range`].
    fn range(&self) -> String;

    /// What it means that nothing is set. Types that always have a value keep the default.
    fn unset(&self) -> &'static str {
        ""
    }
}

/// A [`Form`] and the field of [`Settings`] that it belongs to.
pub(super) struct Field<F: Form> {
    pub(super) form: F,
    pub(super) of: fn(&Settings) -> &F::Typed,
    pub(super) of_mut: fn(&mut Settings) -> &mut F::Typed,
}

/// A [`Field`] whatever its type, so that all of them fit into one table.
pub(super) trait Entry {
    fn read(&self, settings: &mut Settings, value: &Value) -> Result<(), String>;
    fn write(&self, settings: &Settings) -> Value;
    fn kind(&self) -> &'static str;
    fn range(&self) -> String;
    fn unset(&self) -> &'static str;
}

impl<F: Form> Entry for Field<F> {
    fn read(&self, settings: &mut Settings, value: &Value) -> Result<(), String> {
        let typed = match value {
            Value::Null => (self.of)(&Settings::default()).clone(),
            value => self.form.read(value)?,
        };
        *(self.of_mut)(settings) = typed;
        Ok(())
    }

    fn write(&self, settings: &Settings) -> Value {
        self.form.write((self.of)(settings))
    }

    fn kind(&self) -> &'static str {
        self.form.kind()
    }

    fn range(&self) -> String {
        self.form.range()
    }

    fn unset(&self) -> &'static str {
        self.form.unset()
    }
}
