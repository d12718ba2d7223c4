//! Settings in TOML.

use p2pchan_proto::{
    error::{Error, ErrorKind},
    settings::{Changes, Value},
};
use toml::de::{DeTable, DeValue};

use super::{dotted, set_once};

/// The settings of a TOML text: nested tables are dotted keys. TOML has no null; what is not named
/// keeps its default.
///
/// ```
/// let changes = p2pchan::settings_from_toml(
///     r#"
///     listen = ["0.0.0.0:8099", "[::]:8099"]
///     [limits]
///     dials = 4
///     "#,
/// )?;
/// assert_eq!(changes.value("limits.dials"), Some(&4.into()));
/// # Ok::<(), p2pchan::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Settings`] naming the line, and what is wrong there: the TOML, or the key and the value
/// by themselves, with what is allowed and for an unknown key the nearest one.
pub fn settings_from_toml(text: &str) -> Result<Changes, Error> {
    let mut reader = Reader { text, changes: Changes::new() };
    // Only the message: its long form shows the line, and that may hold a secret.
    let table = DeTable::parse(text).map_err(|error| {
        reader.wrong(error.span().map_or(0, |span| span.start), error.message())
    })?;
    reader.gather("", table.get_ref())?;
    Ok(reader.changes)
}

struct Reader<'a> {
    text: &'a str,
    changes: Changes,
}

impl Reader<'_> {
    fn gather(&mut self, table: &str, entries: &DeTable<'_>) -> Result<(), Error> {
        for (name, value) in entries {
            let (key, at) = (dotted(table, name.get_ref()), name.span().start);
            match value.get_ref() {
                DeValue::Table(entries) => self.gather(&key, entries)?,
                value => self.set(&key, value).map_err(|why| self.wrong(at, &why))?,
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), String> {
        let value = to_value(value).map_err(|why| format!("setting {key}: {why}"))?;
        let alone: Changes = [(key, value.clone())].into_iter().collect();
        alone.check().map_err(|error| error.message().to_owned())?;
        set_once(&mut self.changes, key, value)
    }

    /// The error of what begins at this byte.
    fn wrong(&self, at: usize, why: &str) -> Error {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        Error::new(ErrorKind::Settings, format!("line {line}: {why}"))
    }
}

fn to_value(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => (&**text).into(),
        DeValue::Boolean(boolean) => (*boolean).into(),
        DeValue::Integer(number) => {
            // One that does not fit keeps its digits, so that an error can still show it.
            let fits = i64::from_str_radix(number.as_str(), number.radix());
            fits.map_or_else(|_| number.as_str().into(), Value::from)
        }
        DeValue::Array(items) => {
            let items = items.iter().map(|item| to_value(item.get_ref()));
            Value::List(items.collect::<Result<Vec<_>, _>>()?)
        }
        DeValue::Float(_) => return Err("a number with a point; write a whole one".into()),
        DeValue::Datetime(_) => return Err("a date or time; write a duration as \"5s\"".into()),
        DeValue::Table(_) => return Err("a table in a list; write texts or numbers".into()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nested_dotted_and_inline_tables_mean_the_same() {
        let texts = [
            "[discovery.bittorrent]\nport = 6881\nbootstrap = []\n[limits]\nmessage = '1MiB'",
            "discovery.bittorrent.port = 0x1AE1\ndiscovery.bittorrent.bootstrap = []\nlimits.message = '1MiB'",
            "discovery = { bittorrent = { port = 6_881, bootstrap = [] } }\nlimits = { message = '1MiB' }",
        ];
        let [first, second, third] = texts.map(|text| settings_from_toml(text).unwrap());
        assert_eq!(first, second);
        assert_eq!(first, third);
        assert_eq!(first.value("discovery.bittorrent.port"), Some(&6881.into()));
        assert_eq!(first.value("discovery.bittorrent.bootstrap"), Some(&Value::List(vec![])));
    }

    #[test]
    fn every_type_of_value_is_read() {
        let text =
            "# a comment\nlisten = ['127.0.0.1:0', '[::1]:0']\npaused = true\nsubjects = 'a, b'";
        let changes = settings_from_toml(text).unwrap();
        assert_eq!(changes.value("listen"), Some(&["127.0.0.1:0", "[::1]:0"].into()));
        assert_eq!(changes.value("paused"), Some(&true.into()));
        assert_eq!(changes.value("subjects"), Some(&"a, b".into()));
        assert_eq!(settings_from_toml("").unwrap(), Changes::new());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_never_shows_a_secret() {
        for (text, words) in [
            (
                "paused = true\n\nlimits.mesage = 1",
                &["line 3", "limits.mesage", "limits.message?"] as &[_],
            ),
            ("[limits]\ndials = 0", &["line 2", "limits.dials = 0", "1 to 256"]),
            ("[limits]\ndials = 1.5", &["line 2", "limits.dials", "point"]),
            ("[limits]\ndials = 99999999999999999999", &["limits.dials", "99999999999999999999"]),
            ("timeouts.dial = 07:32:00", &["line 1", "timeouts.dial", "5s"]),
            ("[[listen]]\na = 1", &["line 1", "listen", "table in a list"]),
            ("limits = 5", &["line 1", "limits", "does not exist"]),
            ("\"limits.dials\" = 1\nlimits.dials = 2", &["limits.dials", "twice"]),
            ("paused = true\npaused = false", &["line 2", "duplicate"]),
            ("\nsubjects = 's3cret", &["line 2"]),
            ("subjects = ['s3cret', 5]", &["line 1", "subjects", "number at place 2"]),
            ("subject = 's3cret'", &["line 1", "subjects?"]),
            ("identity = 's3crets3crets3crets3crets3crets3cret", &["line 1"]),
        ] {
            let error = settings_from_toml(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(words.iter().all(|word| error.message().contains(word)), "{text}: {error}");
            assert!(!error.message().contains("s3cret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_never_panics(text: String, like in r#"[\[\]a-z.=" 0-9\n{},]{0,60}"#) {
            let _ = settings_from_toml(&text);
            let _ = settings_from_toml(&like);
        }
    }
}
