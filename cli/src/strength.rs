//! How hard a phrase is to guess, and the warning when it is not.
//!
//! Nobody can see how a phrase was made, so this assumes a guesser who tries words, names, dates and
//! short strings before anything else, and counts in bits (n bits: 2^n guesses):
//!
//! - What repeats counts once, in whatever case. Spaces and hyphens count nothing.
//! - A word of our list counts as if it had been drawn from it, 12.9; any other run of letters 10,
//!   and a bit more for each letter after the tenth; a short word such as "the" 6 at most.
//! - Digits count 3.3 each, but not more than a date, 13, if they are up to eight, and 4 if they
//!   only count up or repeat.
//! - Where letters, cases, digits and signs alternate within a word, as in random strings, letters
//!   of up to three in a row count 4.7 each, and signs 4.
//! - A Chinese, Japanese or Korean character counts 6.
//!
//! So six words of `p2pchan phrase` count 77, four words 52 at most, and random strings of letters
//! and digits pass from some 16 characters on. Famous quotations pass that should not.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    status::{Level, Status},
    words::words,
};

/// Fewer bits are weak: more than four random words, less than five.
const ENOUGH: f64 = 60.0;
/// What one word of our list is worth: the logarithm of 7,776.
const LISTED: f64 = 12.92;

/// Warns of what keeps others out, the secret or else the phrase, if it can be guessed. Does not
/// show it.
pub(crate) fn warn_if_weak(phrase: &str, secret: Option<&str>, status: &Status) {
    let (what, text) = secret.map_or(("phrase", phrase), |secret| ("secret", secret));
    let bits = bits(text);
    if bits >= ENOUGH {
        return;
    }
    let message = format!(
        "this {what} is weak: about 2^{bits:.0} guesses find it, and who guesses it is let in; \
         `p2pchan phrase` makes a strong one"
    );
    let fields = json!({ "bits": bits.round(), "message": message });
    status.tell(Level::Usual, "weak_phrase", fields, &format!("warning: {message}"));
}

/// An estimate of the logarithm of the number of guesses that find the text.
fn bits(text: &str) -> f64 {
    let mut seen = BTreeSet::new();
    let mut bits = 0.0;
    for word in text.split(|one: char| one.is_whitespace() || "-_.,".contains(one)) {
        let runs = runs(word);
        for run in &runs {
            let folded = run.to_lowercase();
            if !seen.contains(&folded) {
                bits += run_bits(&folded, runs.len() > 1);
                seen.insert(folded);
            }
        }
    }
    bits
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Ideograph,
    Sign,
}

fn class(character: char) -> Class {
    match character {
        // Ideographs, kana, hangul, and what is beside them.
        '\u{2e80}'..='\u{d7ff}' | '\u{20000}'..='\u{3ffff}' => Class::Ideograph,
        _ if character.is_numeric() => Class::Digit,
        _ if character.is_uppercase() => Class::Upper,
        _ if character.is_alphabetic() => Class::Lower,
        _ => Class::Sign,
    }
}

/// Cuts a word where the kind of its characters changes; "Word" stays whole, signs and ideographs
/// stand alone.
fn runs(word: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, character) in word.char_indices() {
        let class = class(character);
        let whole = match (before, class) {
            (None, _) | (Some(Class::Upper), Class::Lower) => true,
            (_, Class::Sign | Class::Ideograph) => false,
            (Some(before), class) => before == class,
        };
        if !whole {
            runs.push(&word[start..at]);
            start = at;
        }
        before = Some(class);
    }
    if start < word.len() {
        runs.push(&word[start..]);
    }
    runs
}

fn run_bits(run: &str, mixed: bool) -> f64 {
    let length = u32::try_from(run.chars().count()).map_or(f64::INFINITY, f64::from);
    match run.chars().next().map(class) {
        None => 0.0,
        Some(Class::Sign) => 4.0,
        Some(Class::Ideograph) => 6.0,
        Some(Class::Digit) if monotonous(run) => 4.0,
        Some(Class::Digit) if length <= 8.0 => (3.32 * length).min(13.0),
        Some(Class::Digit) => 3.32 * length,
        Some(Class::Lower | Class::Upper) if words().binary_search(&run).is_ok() => LISTED,
        Some(Class::Lower | Class::Upper) if length <= 3.0 => {
            if mixed {
                (4.7 * length).min(10.0)
            } else {
                (3.0 * length).min(6.0)
            }
        }
        Some(Class::Lower | Class::Upper) => 10.0 + (length - 10.0).max(0.0),
    }
}

/// 1111, 2468: the same step from each digit to the next.
fn monotonous(digits: &str) -> bool {
    let digits: Vec<_> = digits.chars().filter_map(|digit| digit.to_digit(10)).collect();
    let step = |pair: &[u32]| (pair[1] + 10 - pair[0]) % 10;
    let mut steps = digits.windows(2).map(step);
    digits.len() > 2 && steps.next().is_some_and(|first| steps.all(|step| step == first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_common_repeated_or_counts_up_is_weak() {
        for weak in [
            "X",
            "chat",
            "my phrase",
            "My Cool Service 1.0",
            "correct horse battery staple",
            "password123",
            "P4ssw0rd!",
            "Password2024!",
            "one one one one one one one one",
            "One one ONE oNE",
            "123456789012345678901234567890",
            "11111111111111111111111111111111",
            "2024-01-31 2023-12-24",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfghjklzxcvbnm",
            "to be or not to be, that is the question",
            "Grüße aus Köln",
            "你好世界",
        ] {
            assert!(bits(weak) < ENOUGH, "{weak}: {}", bits(weak));
        }
    }

    #[test]
    fn long_random_strings_are_not_weak() {
        for strong in [
            "Vx7Kq9mZ2vR4tLw8",
            "9f86d081884c7d659a2feaa0c55ad015",
            "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is",
            "abacus-abdomen-zoology-zombie-yodel",
            "床前明月光疑是地上霜举头望低",
        ] {
            assert!(bits(strong) >= ENOUGH, "{strong}: {}", bits(strong));
        }
    }

    #[test]
    fn six_words_of_the_list_are_never_weak_and_four_always_are() {
        for six in words().chunks_exact(6) {
            assert!(bits(&six.join("-")) >= ENOUGH, "{six:?}");
            assert!(bits(&six[..4].join(" ")) < ENOUGH, "{six:?}");
        }
    }

    #[test]
    fn no_text_is_too_strange_to_be_estimated() {
        for strange in ["", "-", " \t", "\u{0}", "\u{202e}", "٠١٢٣٤٥", "🦀🦀", "ǅ"] {
            assert!(bits(strange) < ENOUGH, "{strange:?}");
        }
    }
}
