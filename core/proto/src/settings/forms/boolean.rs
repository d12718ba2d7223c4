//! Yes or no.

use super::wrong_type;
use crate::settings::{key::Form, value::Value};

const WANTED: &str = "true or false";

/// What is on or off.
pub(in crate::settings) struct Boolean;

impl Form for Boolean {
    type Typed = bool;

    fn read(&self, value: &Value) -> Result<bool, String> {
        match value {
            Value::Boolean(boolean) => Ok(*boolean),
            Value::Text(text) => {
                text.trim().parse().map_err(|_| format!("is neither true nor false; give {WANTED}"))
            }
            other => Err(wrong_type(other, WANTED)),
        }
    }

    fn write(&self, boolean: &bool) -> Value {
        (*boolean).into()
    }

    fn kind(&self) -> &'static str {
        "boolean"
    }

    fn range(&self) -> String {
        "`true` or `false`".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_and_false_are_booleans() {
        for (value, boolean) in [(Value::from(true), true), (" false ".into(), false)] {
            assert_eq!(Boolean.read(&value), Ok(boolean));
            assert_eq!(Boolean.read(&Boolean.write(&boolean)), Ok(boolean));
        }
        for value in [Value::from("yes"), "".into(), "TRUE".into(), 1.into(), [true].into()] {
            assert!(Boolean.read(&value).unwrap_err().contains(WANTED), "{value}");
        }
    }
}
