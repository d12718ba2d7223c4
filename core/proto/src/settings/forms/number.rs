//! Whole numbers and sizes in bytes.

use std::ops::RangeInclusive;

use super::wrong_type;
use crate::settings::{key::Form, value::Value};

const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// How many of something.
pub(in crate::settings) struct Count(pub(in crate::settings) RangeInclusive<usize>);

impl Form for Count {
    type Typed = usize;

    fn read(&self, value: &Value) -> Result<usize, String> {
        let number = match value {
            Value::Integer(number) => whole(&number.to_string())?,
            Value::Text(text) => whole(text.trim())?,
            other => return Err(wrong_type(other, "a number such as 64")),
        };
        within(number, &self.0, |number| number.to_string())
    }

    fn write(&self, number: &usize) -> Value {
        (*number).into()
    }

    fn kind(&self) -> &'static str {
        "number"
    }

    fn range(&self) -> String {
        format!("{} to {}", self.0.start(), self.0.end())
    }
}

/// A number of bytes.
pub(in crate::settings) struct Size(pub(in crate::settings) RangeInclusive<usize>);

impl Form for Size {
    type Typed = usize;

    fn read(&self, value: &Value) -> Result<usize, String> {
        let bytes = match value {
            Value::Integer(bytes) => whole(&bytes.to_string())?,
            Value::Text(text) => bytes(text.trim())?,
            other => return Err(wrong_type(other, "a size such as 16MiB")),
        };
        within(bytes, &self.0, format_size)
    }

    fn write(&self, bytes: &usize) -> Value {
        format_size(*bytes).into()
    }

    fn kind(&self) -> &'static str {
        "size"
    }

    fn range(&self) -> String {
        format!("`{}` to `{}`", format_size(*self.0.start()), format_size(*self.0.end()))
    }
}

/// A size in the largest unit that leaves a whole number.
pub(in crate::settings) fn format_size(bytes: usize) -> String {
    match UNITS.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '-');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number = whole(number)?;
    let unit = match unit.trim_start() {
        "" | "B" => 1,
        named => match UNITS.iter().find(|(name, _)| *name == named) {
            Some((_, unit)) => *unit,
            None => {
                return Err(format!(
                    "has the unknown unit {named:?}; use KiB, MiB or GiB (powers of 1024), or no \
                     unit for bytes"
                ));
            }
        },
    };
    // What is beyond the machine's memory is beyond every range as well.
    Ok(number.saturating_mul(unit))
}

/// The number that these digits write; what does not fit becomes the largest, which every range
/// refuses.
fn whole(text: &str) -> Result<usize, String> {
    if let Some(rest) = text.strip_prefix('-')
        && is_digits(rest)
    {
        return Err("is negative; give a positive number".into());
    }
    if !is_digits(text) {
        return Err("is not a whole number; write digits, with a unit for a size".into());
    }
    Ok(text.parse().unwrap_or(usize::MAX))
}

/// Whether a text is digits and nothing else, not even a sign.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `value` if it lies in `range`; else an error that shows the bounds with `show`.
pub(super) fn within<T: PartialOrd + Copy>(
    value: T,
    range: &RangeInclusive<T>,
    show: impl Fn(T) -> String,
) -> Result<T, String> {
    let (least, most) = (show(*range.start()), show(*range.end()));
    if value < *range.start() {
        return Err(format!("is too small; allowed is {least} to {most}"));
    }
    if value > *range.end() {
        return Err(format!("is too large; allowed is {least} to {most}"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(value: impl Into<Value>) -> Result<usize, String> {
        Size(1..=1 << 30).read(&value.into())
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("16 MiB"), Ok(16 << 20));
        assert_eq!(size("1024"), Ok(1024));
        assert_eq!(size("1024B"), Ok(1024));
        assert_eq!(size(1024), Ok(1024));
    }

    #[test]
    fn a_wrong_size_is_told_why() {
        for (text, why) in [
            ("16MB", "use KiB, MiB or GiB"),
            ("1.5MiB", "unknown unit"),
            ("-1", "negative"),
            ("-1KiB", "negative"),
            ("0", "too small"),
            ("2GiB", "too large"),
            ("99999999999999999999999999", "too large"),
            ("17179869185GiB", "too large"),
            ("MiB", "not a whole number"),
            ("+1", "not a whole number"),
            ("--1", "not a whole number"),
            ("", "not a whole number"),
        ] {
            assert!(size(text).unwrap_err().contains(why), "{text}: {:?}", size(text));
        }
        assert!(size(true).unwrap_err().contains("boolean"));
    }

    proptest! {
        #[test]
        fn a_size_survives_its_text_form(bytes in 1_usize..=1 << 30) {
            prop_assert_eq!(size(format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn reading_any_text_as_a_size_never_panics(text: String, unit in "-*[0-9]{0,30} ?[KMGi]{0,2}B?") {
            let _ = (size(text), size(unit));
        }
    }
}
