//! `p2pchan phrase`: a phrase that nobody guesses.

use clap::Args;

use crate::{
    completions::print,
    exit::{Exit, Failure},
    words::words,
};

/// Words of a strong phrase: 77 bits, so that even a billion guesses a second take millions of
/// years.
pub(crate) const STRONG: u8 = 6;

/// Make a strong phrase.
///
/// Prints random words with hyphens between them. Each is one of 7,776, the long list of the
/// Electronic Frontier Foundation, and so worth 12.9 bits: six make 77.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan phrase
  export P2PCHAN_PHRASE=$(p2pchan phrase)")]
pub(crate) struct Phrase {
    /// How many words, 1 to 24. Fewer than 6 can be guessed.
    #[arg(long, default_value_t = STRONG, value_name = "NUMBER",
        value_parser = clap::value_parser!(u8).range(1..=24))]
    words: u8,
}

/// Prints one.
pub(crate) fn run(phrase: &Phrase) -> Result<Exit, Failure> {
    let phrase = make(phrase.words)?;
    print(format!("{phrase}\n").as_bytes())
}

/// As many random words, with hyphens between them.
pub(crate) fn make(count: u8) -> Result<String, Failure> {
    let words: Result<Vec<_>, _> = (0..count).map(|_| choose(words(), random)).collect();
    Ok(words?.join("-"))
}

/// One of the words, each as likely as the others, by numbers below 2^16: one that would make some
/// likelier is thrown away.
fn choose<'a, E>(
    words: &[&'a str],
    mut random: impl FnMut() -> Result<u16, E>,
) -> Result<&'a str, E> {
    let mask = words.len().next_power_of_two() - 1;
    loop {
        if let Some(word) = words.get(usize::from(random()?) & mask) {
            return Ok(word);
        }
    }
}

/// A number from the operating system's source of randomness.
fn random() -> Result<u16, Failure> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format!("the system gives no random numbers: {error}")))?;
    Ok(u16::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, convert::Infallible};

    use super::*;

    #[test]
    fn every_word_is_as_likely_as_every_other() {
        let mut numbers = 0..=u16::MAX;
        let mut chosen: HashMap<&str, u32> = HashMap::new();
        // All numbers once: then words differ in how often they come only if the choice is uneven.
        let mut next = || numbers.next().ok_or(());
        while let Ok(word) = choose(words(), &mut next) {
            *chosen.entry(word).or_default() += 1;
        }
        assert_eq!(chosen.len(), words().len());
        assert!(chosen.values().all(|times| *times == 8), "65,536 numbers are 8 for each word");
    }

    #[test]
    fn a_number_beyond_the_list_is_thrown_away() {
        let mut numbers = [7776, 8191, 0x2000].into_iter();
        let word = choose(words(), || Ok::<_, Infallible>(numbers.next().unwrap())).unwrap();
        assert_eq!((word, numbers.len()), (words()[0], 0));
    }

    #[test]
    fn phrases_have_the_words_asked_for_and_differ() {
        let phrases: Vec<_> = (0..50).map(|_| make(STRONG).unwrap()).collect();
        for (number, phrase) in phrases.iter().enumerate() {
            let hyphens = phrase.matches('-').count();
            assert!((5..=11).contains(&hyphens), "{phrase}");
            assert!(!phrases[..number].contains(phrase));
        }
        // The longest there can be is still a phrase that a node takes.
        let longest = words().iter().map(|word| word.len() + 1).max().unwrap() * 24 - 1;
        assert!(longest <= 256, "{longest}");
    }
}
