//! The neutral form of a setting, into which every language and file format can turn its own.

use std::fmt;

/// A value as a user gave it, not yet checked.
///
/// Text is taken for every type, because C strings and command lines have nothing else: `"8099"`,
/// `"16MiB"`, `"5s"`, and lists with commas between the items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Restores the default.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text, as a user writes it.
    Text(String),
    /// Several values.
    List(Vec<Self>),
}

impl Value {
    /// What it is, with its article, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
        }
    }
}

impl fmt::Display for Value {
    /// As JSON would write it, near enough for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(boolean) => write!(f, "{boolean}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

macro_rules! from_small_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Value {
            fn from(number: $integer) -> Self {
                Self::Integer(number.into())
            }
        }
    )*};
}
from_small_integers!(i8 i16 i32 i64 u8 u16 u32);

macro_rules! from_large_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Value {
            /// A number beyond `i64` becomes text, so that an error can still show it.
            fn from(number: $integer) -> Self {
                i64::try_from(number).map_or_else(|_| Self::Text(number.to_string()), Self::Integer)
            }
        }
    )*};
}
from_large_integers!(u64 usize isize);

impl<T: Into<Self>> From<Option<T>> for Value {
    /// `None` is null.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Into<Self> + Clone> From<&[T]> for Value {
    fn from(items: &[T]) -> Self {
        items.iter().cloned().collect()
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_a_program_become_values() {
        assert_eq!(Value::from(true), Value::Boolean(true));
        assert_eq!(Value::from(-5), Value::Integer(-5));
        assert_eq!(Value::from(None::<u8>), Value::Null);
        assert_eq!(Value::from(["a", "b"]), Value::from(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(Value::from(&[1_u16][..]), Value::List(vec![Value::Integer(1)]));
    }

    #[test]
    fn a_number_beyond_what_fits_keeps_its_digits() {
        assert_eq!(Value::from(u64::MAX), Value::Text("18446744073709551615".into()));
    }

    #[test]
    fn a_value_is_shown_on_one_line() {
        let value = Value::List(vec![Value::Null, true.into(), 7.into(), "a\nb".into()]);
        assert_eq!(value.to_string(), r#"[null, true, 7, "a\nb"]"#);
    }
}
