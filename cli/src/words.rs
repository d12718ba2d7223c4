//! The words of which phrases are made: the long list of the Electronic Frontier Foundation, see
//! `cli/data/README.md`.

use std::sync::OnceLock;

const FILE: &str = include_str!("../data/eff_large_wordlist.txt");

/// All 7,776 words, in ascending order: lower-case letters, four of them with a hyphen inside.
pub(crate) fn words() -> &'static [&'static str] {
    static WORDS: OnceLock<Vec<&str>> = OnceLock::new();
    WORDS.get_or_init(|| FILE.lines().filter_map(|line| line.split('\t').nth(1)).collect())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_list_is_that_of_the_foundation() {
        let hash: String = Sha256::digest(FILE).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, "addd35536511597a02fa0a9ff1e5284677b8883b83e986e43f15a3db996b903e");
        assert_eq!(words().len(), 7776);
    }

    #[test]
    fn the_words_are_sorted_and_distinct_so_that_one_can_be_looked_up() {
        assert!(words().is_sorted_by(|a, b| a < b));
        assert!(words().iter().all(|word| {
            word.len() >= 3 && word.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase())
        }));
    }

    #[test]
    fn hyphens_between_words_leave_no_doubt_where_a_word_ends() {
        let hyphenated = words().iter().filter_map(|word| word.split_once('-'));
        for (first, second) in hyphenated {
            let both = [first, second].iter().all(|half| words().binary_search(half).is_ok());
            assert!(!both, "{first}-{second} is also two words");
        }
    }
}
