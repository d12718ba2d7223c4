//! The guess at what a mistyped key meant.
//!
//! Optimal string alignment distance: the fewest insertions, deletions, replacements and swaps of
//! neighbours that turn one text into the other, no part edited twice. It is written here because
//! it is thirty lines, and a dependency of the core costs every user more than that.

/// The names are all shorter; a longer text is no typo of one of them, and the distance costs the
/// product of both lengths.
const MAX_LENGTH: usize = 64;

/// The candidate most like `name`, if one is like it: at most a third of its letters differ.
///
/// A `name` without dots is also compared with the last part of each candidate, so that `threads`
/// finds `runtime.threads`.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let letters: Vec<char> = name.chars().take(MAX_LENGTH + 1).collect();
    if letters.len() > MAX_LENGTH {
        return None;
    }
    let distance_to = |candidate: &str| {
        let last = candidate.rsplit('.').next().filter(|_| !name.contains('.'));
        let whole = distance(&letters, &chars(candidate));
        last.map_or(whole, |last| whole.min(distance(&letters, &chars(last))))
    };
    candidates
        .map(|candidate| (distance_to(candidate), candidate))
        .filter(|(distance, _)| *distance <= letters.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// The optimal string alignment distance, with three rows of the table in memory.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let replaced = above[column] + usize::from(letter != other);
            let mut least = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other;
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = above;
        above = current;
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn apart(left: &str, right: &str) -> usize {
        distance(&chars(left), &chars(right))
    }

    #[test]
    fn each_kind_of_slip_counts_once() {
        assert_eq!(apart("listen", "listen"), 0);
        assert_eq!(apart("lsten", "listen"), 1);
        assert_eq!(apart("liisten", "listen"), 1);
        assert_eq!(apart("lusten", "listen"), 1);
        assert_eq!(apart("litsen", "listen"), 1);
        assert_eq!(apart("", "listen"), 6);
    }

    #[test]
    fn what_is_like_nothing_has_no_nearest() {
        assert_eq!(nearest("colour", ["listen", "allow"].into_iter()), None);
        assert_eq!(nearest("", ["listen"].into_iter()), None);
        assert_eq!(nearest(&"listen".repeat(1000), ["listen"].into_iter()), None);
    }

    #[test]
    fn the_last_part_alone_finds_its_key() {
        let keys = ["listen", "runtime.threads"];
        assert_eq!(nearest("thread", keys.into_iter()), Some("runtime.threads"));
    }

    proptest! {
        #[test]
        fn the_distance_is_the_same_both_ways(left in "[a-c]{0,8}", right in "[a-c]{0,8}") {
            prop_assert_eq!(apart(&left, &right), apart(&right, &left));
            prop_assert_eq!(apart(&left, &right) == 0, left == right);
        }
    }
}
