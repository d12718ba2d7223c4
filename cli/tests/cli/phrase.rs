//! Phrases: making strong ones, and being warned of weak ones.

use crate::support::{Process, p2pchan, run};

const ALONE: [&str; 4] = ["--listen", "127.0.0.1:0", "--timeout", "1"];

fn made(arguments: &[&str]) -> String {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.is_empty(), "{}", ended.stderr);
    let line = String::from_utf8(ended.stdout).unwrap();
    assert!(line.ends_with('\n') && line.lines().count() == 1, "{line:?}");
    line.trim_end().to_owned()
}

#[test]
fn a_made_phrase_is_one_line_of_six_words_and_each_time_another() {
    let phrases = [made(&["phrase"]), made(&["phrase"])];
    assert_ne!(phrases[0], phrases[1]);
    // Four of the 7,776 words have a hyphen of their own.
    assert!(phrases.iter().all(|phrase| (6..=12).contains(&phrase.split('-').count())));
    assert!((24..=48).contains(&made(&["phrase", "--words", "24"]).split('-').count()));
    for wrong in ["0", "25", "six"] {
        assert_eq!(run(&["phrase", "--words", wrong]).code, Some(2));
    }
}

/// The warnings that a command gives, of the phrase in its arguments or environment.
fn warnings(phrase: &str, more: &[&str]) -> Vec<String> {
    let command = [&["join"][..], &ALONE, more].concat();
    let mut process = Process::spawn(p2pchan(&command).env("P2PCHAN_PHRASE", phrase));
    process.hang_up();
    process.wait();
    process.told().filter(|line| line.contains("weak")).collect()
}

#[test]
fn a_weak_phrase_is_warned_of_once_without_showing_it() {
    let warnings = warnings("chatter", &[]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("p2pchan phrase") && !warnings[0].contains("chatter"));
}

#[test]
fn a_strong_phrase_a_strong_secret_and_a_quiet_command_bring_no_warning() {
    let strong = made(&["phrase"]);
    assert!(warnings(&strong, &[]).is_empty());
    assert!(warnings("chatter", &["--secret", &strong]).is_empty());
    assert!(warnings("chatter", &["--quiet"]).is_empty());
    assert_eq!(warnings(&strong, &["--secret", "chatter"]).len(), 1);
}
