//! Times in documents: seconds with a fraction, rounded to microseconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(rounded(*time))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
}

fn rounded(time: Duration) -> f64 {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)).as_secs_f64()
}

/// The same for times that may not be there.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Duration, Error, Serializer, rounded};

    pub(in crate::status) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_some(&rounded(*time)),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::status) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        seconds.map(Duration::try_from_secs_f64).transpose().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Times {
        #[serde(with = "super")]
        sure: Duration,
        #[serde(with = "super::optional", default)]
        maybe: Option<Duration>,
    }

    #[test]
    fn times_are_seconds_and_survive_to_the_microsecond() {
        let times = Times {
            sure: Duration::from_nanos(1_500_000_999),
            maybe: Some(Duration::from_micros(12)),
        };
        let text = serde_json::to_string(&times).unwrap();
        assert_eq!(text, r#"{"sure":1.5,"maybe":0.000012}"#);
        let read: Times = serde_json::from_str(&text).unwrap();
        assert_eq!((read.sure.as_millis(), read.maybe), (1500, times.maybe));
        let none: Times = serde_json::from_str(r#"{"sure":0}"#).unwrap();
        assert_eq!(none, Times { sure: Duration::ZERO, maybe: None });
    }

    #[test]
    fn times_that_cannot_be_are_refused() {
        for text in [r#"{"sure":-1}"#, r#"{"sure":1e300}"#, r#"{"sure":1,"maybe":-1}"#] {
            assert!(serde_json::from_str::<Times>(text).is_err(), "{text}");
        }
    }
}
