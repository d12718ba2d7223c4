//! Durations, and pairs of them between which a moment is picked.

use std::{fmt, ops::RangeInclusive, time::Duration};

use super::{
    number::{is_digits, within},
    wrong_type,
};
use crate::settings::{key::Form, value::Value};

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Two durations, the first not longer than the second: `10m~15m`. Who waits picks one between
/// them at random, so that many nodes that began together do not act together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The shortest wait.
    pub shortest: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Interval {
    pub(in crate::settings) const fn from_secs(shortest: u64, longest: u64) -> Self {
        Self { shortest: Duration::from_secs(shortest), longest: Duration::from_secs(longest) }
    }

    /// The point this far through the interval: 0 is the shortest wait, `u64::MAX` the longest.
    /// With a random `point` all waits are equally likely.
    pub fn at(&self, point: u64) -> Duration {
        let width = self.longest.saturating_sub(self.shortest).as_nanos();
        // At most 2^64 steps of 2^64 nanoseconds (584 years) fit into 128 bits.
        let width = width.min(u128::from(u64::MAX));
        let offset = width * u128::from(point) / u128::from(u64::MAX);
        self.shortest
            .saturating_add(Duration::from_nanos(u64::try_from(offset).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", format_duration(self.shortest), format_duration(self.longest))
    }
}

/// How long something may take.
pub(in crate::settings) struct Span(pub(in crate::settings) RangeInclusive<Duration>);

impl Form for Span {
    type Typed = Duration;

    fn read(&self, value: &Value) -> Result<Duration, String> {
        within(duration(written(value, "a duration such as 5s")?)?, &self.0, format_duration)
    }

    fn write(&self, duration: &Duration) -> Value {
        format_duration(*duration).into()
    }

    fn kind(&self) -> &'static str {
        "duration"
    }

    fn range(&self) -> String {
        range(&self.0)
    }
}

/// An [`Interval`] whose both ends lie in a range.
pub(in crate::settings) struct Between(pub(in crate::settings) RangeInclusive<Duration>);

impl Form for Between {
    type Typed = Interval;

    fn read(&self, value: &Value) -> Result<Interval, String> {
        let text = written(value, "an interval such as 10m~15m")?;
        if text.contains('-') {
            return Err("is not an interval; write ~ between its ends, such as 10m~15m".into());
        }
        let (shortest, longest) = text.split_once('~').unwrap_or((text, text));
        let read = |text: &str| within(duration(text.trim())?, &self.0, format_duration);
        let (shortest, longest) = (read(shortest)?, read(longest)?);
        if shortest > longest {
            return Err(format!(
                "is reversed; write {}",
                Interval { shortest: longest, longest: shortest }
            ));
        }
        Ok(Interval { shortest, longest })
    }

    fn write(&self, interval: &Interval) -> Value {
        interval.to_string().into()
    }

    fn kind(&self) -> &'static str {
        "interval"
    }

    fn range(&self) -> String {
        range(&self.0)
    }
}

fn range(range: &RangeInclusive<Duration>) -> String {
    format!("`{}` to `{}`", format_duration(*range.start()), format_duration(*range.end()))
}

/// The text of a value; a bare number is refused, as nobody can tell seconds from milliseconds.
fn written<'a>(value: &'a Value, wanted: &str) -> Result<&'a str, String> {
    match value {
        Value::Text(text) => Ok(text.trim()),
        Value::Integer(number) => Err(without_unit(&number.to_string())),
        other => Err(wrong_type(other, wanted)),
    }
}

/// A duration in the largest unit that leaves a whole number. Durations are read in whole
/// milliseconds; anything finer is cut off.
fn format_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (name, unit) = UNITS
        .into_iter()
        .find(|(_, unit)| millis > 0 && millis.is_multiple_of(u128::from(*unit)))
        .unwrap_or(("ms", 1));
    format!("{}{name}", millis / u128::from(unit))
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if text.starts_with('-') {
        return Err("is negative; give a positive duration such as 5s".into());
    }
    if !is_digits(number) {
        return Err("is not a duration; write a whole number and a unit, such as 5s".into());
    }
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Err(without_unit(number));
    }
    let Some((_, unit)) = UNITS.into_iter().find(|(name, _)| *name == unit) else {
        return Err(format!("has the unknown unit {unit:?}; use ms, s, m or h"));
    };
    // What does not fit is beyond every range.
    let number: u64 = number.parse().unwrap_or(u64::MAX);
    Ok(Duration::from_millis(number.saturating_mul(unit)))
}

fn without_unit(number: &str) -> String {
    format!("has no unit; write {number}s or {number}ms (units: ms, s, m, h)")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALLOWED: RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(3600);

    fn span(value: impl Into<Value>) -> Result<Duration, String> {
        Span(ALLOWED).read(&value.into())
    }

    fn interval(value: impl Into<Value>) -> Result<Interval, String> {
        Between(ALLOWED).read(&value.into())
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(span("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(span("5 s"), Ok(Duration::from_secs(5)));
        assert_eq!(span("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(span("1h"), Ok(Duration::from_secs(3600)));
    }

    #[test]
    fn a_wrong_duration_is_told_why() {
        for (text, why) in [
            ("5", "write 5s or 5ms"),
            ("-5s", "negative"),
            ("1.5s", "unknown unit"),
            ("5sec", "use ms, s, m or h"),
            ("99ms", "too small"),
            ("2h", "too large"),
            ("999999999999999999999ms", "too large"),
            ("5124095576030432h", "too large"),
            ("soon", "not a duration"),
            ("", "not a duration"),
        ] {
            assert!(span(text).unwrap_err().contains(why), "{text}: {:?}", span(text));
        }
        assert!(span(5).unwrap_err().contains("no unit"));
        assert!(span(["5s"]).unwrap_err().contains("a list"));
    }

    #[test]
    fn an_interval_has_two_ends_in_order() {
        assert_eq!(interval("10m~15m"), Ok(Interval::from_secs(600, 900)));
        assert_eq!(interval("1s ~ 1m"), Ok(Interval::from_secs(1, 60)));
        assert_eq!(interval("5s"), Ok(Interval::from_secs(5, 5)));
        assert!(interval("15m~10m").unwrap_err().contains("write 10m~15m"));
        assert!(interval("10m-15m").unwrap_err().contains('~'));
        assert!(interval("5~10s").unwrap_err().contains("no unit"));
        assert!(interval("5s~").is_err());
    }

    #[test]
    fn a_random_point_never_leaves_its_interval() {
        let interval = Interval::from_secs(10, 20);
        assert_eq!(interval.at(0), Duration::from_secs(10));
        assert_eq!(interval.at(u64::MAX), Duration::from_secs(20));
        assert_eq!(interval.at(u64::MAX / 2).as_millis(), 14_999);
        let widest = Interval { shortest: Duration::ZERO, longest: Duration::MAX };
        assert!(widest.at(u64::MAX) > Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn an_interval_survives_its_text_form(a in 100_u64..=3_600_000, b in 100_u64..=3_600_000) {
            let shortest = Duration::from_millis(a.min(b));
            let written = Interval { shortest, longest: Duration::from_millis(a.max(b)) };
            prop_assert_eq!(interval(written.to_string()), Ok(written));
        }

        #[test]
        fn reading_any_text_as_a_duration_never_panics(text: String, unit in "-?[0-9]{0,30} ?[a-z~-]{0,2}") {
            let _ = (span(text.clone()), interval(text), span(&*unit), interval(unit));
        }
    }
}
