//! Documents as text for people.

use std::{
    fmt::{self, Write},
    time::Duration,
};

/// What others wrote must not command a terminal: control characters are shown as escapes.
pub(super) struct Plain<'a>(pub(super) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                character.escape_default().fmt(f)?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// A time in two or three digits and its unit: `0.4 ms`, `12 s`, `3 min`.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (micros, seconds) = (self.0.as_micros(), self.0.as_secs());
        match seconds {
            0 if micros < 9_950 => write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0),
            0 => write!(f, "{} ms", micros.div_ceil(1000)),
            1..100 => write!(f, "{seconds} s"),
            100..6_000 => write!(f, "{} min", seconds / 60),
            6_000..172_800 => write!(f, "{} h", seconds / 3600),
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}

/// Bytes in the unit that fits: `69 B`, `1.2 KiB`.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let Self(bytes) = *self;
        if bytes < 1024 {
            return write!(f, "{bytes} B");
        }
        let unit = (bytes.ilog2() / 10).clamp(1, 6);
        // In tenths, rounded down, so that nothing is lost beyond 2^53.
        let tenths = (u128::from(bytes) * 10) >> (10 * unit);
        write!(f, "{}.{} {}", tenths / 10, tenths % 10, UNITS[unit as usize - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let texts = [0, 400, 9_940, 9_960, 999_001, 1_000_000, 99_000_000, 100_000_000]
            .map(|micros| Span(Duration::from_micros(micros)).to_string());
        let expected = ["0.0 ms", "0.4 ms", "9.9 ms", "10 ms", "1000 ms", "1 s", "99 s", "1 min"];
        assert_eq!(texts, expected);
        let longer = [5_999, 6_000, 172_800].map(|it| Span(Duration::from_secs(it)).to_string());
        assert_eq!(longer, ["99 min", "1 h", "2 days"]);
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        let texts = [0, 1023, 1024, 1_572_864, u64::MAX].map(|bytes| Size(bytes).to_string());
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "15.9 EiB"]);
    }

    #[test]
    fn what_a_stranger_wrote_stays_on_its_line() {
        assert_eq!(Plain("a\u{1b}[2J\nb é").to_string(), "a\\u{1b}[2J\\nb é");
    }
}
