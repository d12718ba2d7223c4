//! Whether two JSON texts say the same: integers of any size digit by digit, other numbers as floats,
//! objects in any order.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Whether they do.
///
/// # Errors
/// What is not JSON.
pub(crate) fn same(one: &str, other: &str) -> Result<bool, String> {
    Ok(Json::new(one)? == Json::new(other)?)
}

#[derive(Debug, PartialEq)]
enum Json {
    Object(BTreeMap<String, Self>),
    List(Vec<Self>),
    Text(String),
    Integer(String),
    /// Its bits, so that -0.0 is not 0.0.
    Float(u64),
    /// true, false, null.
    Word(String),
}

impl Json {
    fn new(text: &str) -> Result<Self, String> {
        let raw: &RawValue = read(text)?;
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, &RawValue> = read(text)?;
                let members = members.into_iter().map(|(key, it)| Ok((key, Self::new(it.get())?)));
                Self::Object(members.collect::<Result<_, String>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = read(text)?;
                let items = items.into_iter().map(|it| Self::new(it.get()));
                Self::List(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(read(text)?),
            Some(b'-' | b'0'..=b'9') if text.contains(['.', 'e', 'E']) => {
                Self::Float(read::<f64>(text)?.to_bits())
            }
            Some(b'-' | b'0'..=b'9') => Self::Integer(text.to_owned()),
            _ => Self::Word(text.to_owned()),
        })
    }
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{text} is not JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn what_says_the_same_is_the_same() {
        assert!(same(r#"{"a": [1, "x"], "b": null}"#, r#"{"b":null,"a":[1,"\u0078"]}"#).unwrap());
        assert!(same("1e16", "1e+16").unwrap());
        assert!(same("12345678901234567890123", "12345678901234567890123").unwrap());
    }

    #[test]
    fn what_differs_differs() {
        let pairs = [
            ("12345678901234567890123", "12345678901234567890124"),
            ("1", "1.0"),
            ("0.0", "-0.0"),
            ("true", "false"),
            ("[1]", "[1,1]"),
            (r#"{"a":1}"#, r#"{"a":2}"#),
            ("\"1\"", "1"),
        ];
        for (one, other) in pairs {
            assert!(!same(one, other).unwrap(), "{one} {other}");
        }
        assert!(same("1 2", "1").is_err());
    }
}
