//! Phrases. They are secrets of their users, so nothing here ever shows one.

use std::collections::BTreeSet;

use super::wrong_type;
use crate::{
    settings::{key::Form, value::Value},
    subject::SubjectName,
};

/// As many as `limits.subjects` may be.
const MOST_SUBJECTS: usize = 256;
const WANTED: &str = "a phrase, or a list of phrases";

/// The set of phrases of the key `subjects`.
///
/// A text is one phrase, byte for byte: unlike in other lists a comma in it parts nothing, or a phrase
/// with a comma would silently become two that are easier to guess.
pub(in crate::settings) struct Subjects;

impl Form for Subjects {
    type Typed = BTreeSet<SubjectName>;

    fn read(&self, value: &Value) -> Result<BTreeSet<SubjectName>, String> {
        let items = match value {
            Value::Text(text) if text.trim() == "[]" => &[],
            Value::Text(_) => std::slice::from_ref(value),
            Value::List(items) => items.as_slice(),
            other => return Err(wrong_type(other, WANTED)),
        };
        if items.len() > MOST_SUBJECTS {
            return Err(format!("has {} phrases; give at most {MOST_SUBJECTS}", items.len()));
        }
        (1..).zip(items).map(|(place, item)| subject(item, place)).collect()
    }

    fn write(&self, subjects: &BTreeSet<SubjectName>) -> Value {
        if subjects.is_empty() {
            return Value::Null;
        }
        subjects.iter().map(ToString::to_string).collect()
    }

    fn kind(&self) -> &'static str {
        "list of phrases"
    }

    fn range(&self) -> String {
        format!("0 to {MOST_SUBJECTS} phrases of 1 to 256 bytes")
    }

    fn unset(&self) -> &'static str {
        "none"
    }
}

fn subject(item: &Value, place: usize) -> Result<SubjectName, String> {
    match item {
        Value::Text(phrase) => SubjectName::phrase(phrase)
            .map_err(|error| format!("has a wrong phrase at place {place}: {error}")),
        other => Err(format!("has {} at place {place}; give {WANTED}", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: impl Into<Value>) -> Result<Vec<String>, String> {
        Ok(Subjects.read(&value.into())?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_text_is_one_phrase_byte_for_byte() {
        assert_eq!(read(" Hello, dude! ").unwrap(), [" Hello, dude! "]);
        assert_eq!(read(["a, b", "c", "c"]).unwrap(), ["a, b", "c"]);
        assert_eq!(read("[]").unwrap(), Vec::<String>::new());
        assert_eq!(read(Value::List(vec![])).unwrap(), Vec::<String>::new());
        assert_eq!(read(["[]"]).unwrap(), ["[]"]);
        assert_eq!(Subjects.write(&BTreeSet::new()), Value::Null);
    }

    #[test]
    fn a_wrong_phrase_is_told_by_its_place_and_never_shown() {
        let long = "s3cret".repeat(50);
        for (value, why) in [
            (Value::from(""), "place 1: subject is empty"),
            (["s3cret", "s3cret\0"].into(), "place 2: subject contains a NUL"),
            (["s3cret", &long].into(), "place 2: subject has 300 bytes"),
            (vec![Value::from("s3cret"), 5.into()].into(), "a number at place 2"),
            (5.into(), "is a number; give a phrase"),
            (vec!["s3cret"; 257].into(), "at most 256"),
        ] {
            let error = Subjects.read(&value).unwrap_err();
            assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
        }
    }
}
