//! The name of a file.

use super::wrong_type;
use crate::settings::{key::Form, value::Value};

const WANTED: &str = "the path of a file";
/// What systems take.
const MOST_BYTES: usize = 4096;

/// A path, which is not looked at before it is used.
pub(in crate::settings) struct Path;

impl Form for Path {
    type Typed = Option<String>;

    fn read(&self, value: &Value) -> Result<Option<String>, String> {
        let Value::Text(text) = value else { return Err(wrong_type(value, WANTED)) };
        if text.trim().is_empty() {
            return Err(format!("is empty; give {WANTED}, or null for none"));
        }
        if text.len() > MOST_BYTES {
            return Err(format!("has {} bytes; a path has at most {MOST_BYTES}", text.len()));
        }
        if text.contains('\0') {
            return Err("contains a NUL byte, which no path can; take it out".into());
        }
        if text.starts_with("~/") {
            return Err("begins with ~, which only a shell replaces; write the whole path".into());
        }
        Ok(Some(text.clone()))
    }

    fn write(&self, path: &Option<String>) -> Value {
        path.as_deref().into()
    }

    fn kind(&self) -> &'static str {
        "path"
    }

    fn range(&self) -> String {
        "a path".into()
    }

    fn unset(&self) -> &'static str {
        "none"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_any_text_that_can_be_one() {
        for text in ["a", "/run/a b.sock", "./é"] {
            assert_eq!(Path.read(&text.into()), Ok(Some(text.to_owned())));
        }
        for (text, why) in [("", "empty"), (" ", "empty"), ("a\0b", "NUL"), ("~/a", "shell")] {
            let error = Path.read(&text.into()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(Path.read(&"x".repeat(4097).into()).unwrap_err().contains("4097"));
        assert!(Path.read(&7.into()).unwrap_err().contains("is a number"));
    }
}
