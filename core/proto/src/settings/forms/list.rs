//! Lists, as lists of text or as one text with commas.

use super::wrong_type;
use crate::settings::value::Value;

/// The items of a list: of `["a", "b"]`, of the text `a, b`, or of the text `[]`, which is the
/// empty list where only text can be written.
///
/// # Errors
/// Another type, an item that is not text or empty, and more than `most` items. An empty text is
/// refused because it is more often a variable that was never set than a wish for an empty list.
pub(super) fn items(value: &Value, wanted: &str, most: usize) -> Result<Vec<String>, String> {
    let items: Vec<String> = match value {
        Value::Text(text) if text.trim() == "[]" => Vec::new(),
        Value::Text(text) if text.trim().is_empty() => {
            return Err(format!("is empty; give {wanted}, or [] for an empty list"));
        }
        Value::Text(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        Value::List(values) => texts(values, wanted)?,
        other => return Err(wrong_type(other, wanted)),
    };
    if let Some(index) = items.iter().position(String::is_empty) {
        return Err(format!("has an empty item at place {}; take it out", index + 1));
    }
    if items.len() > most {
        return Err(format!("has {} items; give at most {most}", items.len()));
    }
    Ok(items)
}

fn texts(values: &[Value], wanted: &str) -> Result<Vec<String>, String> {
    let text = |(index, value): (usize, &Value)| match value {
        Value::Text(text) => Ok(text.trim().to_owned()),
        other => {
            Err(format!("has {} at place {}; give {wanted}", other.kind(), index.saturating_add(1)))
        }
    };
    values.iter().enumerate().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: impl Into<Value>) -> Result<Vec<String>, String> {
        items(&value.into(), "names", 3)
    }

    #[test]
    fn commas_and_lists_mean_the_same() {
        assert_eq!(read("a, b").unwrap(), ["a", "b"]);
        assert_eq!(read(["a", "b"]).unwrap(), ["a", "b"]);
        assert_eq!(read("[]").unwrap(), Vec::<String>::new());
        assert_eq!(read(Value::List(vec![])).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_list_of_text_is_refused() {
        for value in [Value::from(""), "a,,b".into(), "a,".into(), [1, 2].into(), true.into()] {
            assert!(read(value.clone()).is_err(), "{value}");
        }
        assert!(read("a,b,c,d").unwrap_err().contains("at most 3"));
    }
}
