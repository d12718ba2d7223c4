//! What travels: bytes, text and JSON.

use std::borrow::Cow;

use bytes::Bytes;
pub use p2pchan_proto::wire::Kind;
use p2pchan_proto::{
    channel,
    error::{Error, ErrorKind},
};
use serde::de::DeserializeOwned;

/// A received message.
///
/// The payload of a short message shares its memory with messages that came at the same time; copy
/// it (`Bytes::copy_from_slice`) if you keep few of many for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    kind: Kind,
    payload: Bytes,
}

impl Message {
    /// Any bytes.
    pub fn bytes(payload: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Bytes, payload: payload.into() }
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: Kind::Text, payload: text.into().into() }
    }

    /// How the sender marked it.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its bytes; for text and JSON they are UTF-8.
    #[inline]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Its bytes, without the mark.
    pub fn into_payload(self) -> Bytes {
        self.payload
    }

    /// The text of a text message; `None` for other kinds.
    pub fn as_text(&self) -> Option<&str> {
        if self.kind == Kind::Text { std::str::from_utf8(&self.payload).ok() } else { None }
    }

    /// The value of a JSON message.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the message is of another kind or does not have the form of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let invalid = |why: String| Error::new(ErrorKind::Invalid, format!("message {why}"));
        if self.kind != Kind::Json {
            return Err(invalid(format!("is {:?}, not Json; see Message::kind", self.kind)));
        }
        serde_json::from_slice(&self.payload).map_err(|error| invalid(format!("as JSON: {error}")))
    }
}

impl From<channel::Message> for Message {
    #[inline]
    fn from(channel::Message { kind, payload }: channel::Message) -> Self {
        Self { kind, payload }
    }
}

/// What can be sent: byte slices and vectors as bytes, strings as text, `serde_json::Value` as JSON.
pub trait AsMessage {
    /// How it is marked, and its bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a value that cannot travel: JSON `null` by itself.
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error>;
}

macro_rules! as_message {
    ($kind:expr => $($type:ty),+) => {$(
        impl AsMessage for $type {
            #[inline]
            fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
                Ok(($kind, Cow::Borrowed(self.as_ref())))
            }
        }
    )+};
}

as_message!(Kind::Bytes => [u8], Vec<u8>, Bytes);
as_message!(Kind::Text => str, String);

impl<const N: usize> AsMessage for [u8; N] {
    #[inline]
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
        Ok((Kind::Bytes, Cow::Borrowed(self)))
    }
}

impl AsMessage for Message {
    #[inline]
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
        Ok((self.kind, Cow::Borrowed(&self.payload)))
    }
}

impl AsMessage for serde_json::Value {
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
        let refuse = |why| Err(Error::new(ErrorKind::Invalid, format!("JSON message {why}")));
        if self.is_null() {
            return refuse("null cannot travel by itself; put it into an object or array".into());
        }
        match serde_json::to_vec(self) {
            Ok(json) => Ok((Kind::Json, Cow::Owned(json))),
            Err(error) => refuse(format!("cannot be written: {error}")),
        }
    }
}

impl<T: AsMessage + ?Sized> AsMessage for &T {
    #[inline]
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
        (**self).as_message()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_travels_as_what_it_is() {
        assert_eq!(b"x".as_message().unwrap().0, Kind::Bytes);
        assert_eq!("x".as_message().unwrap().0, Kind::Text);
        let (kind, json) =
            json!({"yo": "ppl"}).as_message().map(|(k, j)| (k, j.into_owned())).unwrap();
        assert_eq!((kind, &*json), (Kind::Json, &br#"{"yo":"ppl"}"#[..]));
    }

    #[test]
    fn a_null_by_itself_is_refused_with_the_remedy() {
        let error = json!(null).as_message().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("object or array"));
    }

    #[test]
    fn reading_a_message_as_what_it_is_not_is_an_error() {
        assert!(Message::text("{}").json::<serde_json::Value>().is_err());
        assert_eq!(Message::bytes("x").as_text(), None);
    }
}
