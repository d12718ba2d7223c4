//! `p2pchan join` between real processes that know only the phrase and a network.

use std::{
    fs,
    io::{Read, Write},
    thread,
};

use crate::support::{Network, silence};
use serde_json::Value;

/// What `seq` prints.
fn numbers(last: usize) -> Vec<u8> {
    (1..=last).map(|number| format!("{number}\n")).collect::<String>().into_bytes()
}

#[test]
fn every_line_of_a_file_arrives_in_order_once_and_the_sender_exits() {
    let network = Network::start();
    let mut receiver = network.join(&[]);
    receiver.hang_up();
    let mut sender = network.join(&["--until", "1"]);
    let expected = numbers(100_000);
    sender.say(&expected);
    sender.hang_up();
    let mut heard = vec![0; expected.len()];
    receiver.stdout.as_mut().unwrap().read_exact(&mut heard).unwrap();
    assert!(heard == expected, "lines are missing, doubled or out of order");
    assert_eq!(sender.wait().code(), Some(0));
    // At the end of its input the receiver, without --until, goes on.
    receiver.signal("INT");
    assert_eq!(receiver.wait().code(), Some(130));
    let mut rest = Vec::new();
    receiver.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "after the last line came {rest:?}");
}

#[test]
fn both_directions_flow_at_once_whatever_the_other_does() {
    let network = Network::start();
    let expected = numbers(50_000);
    let sides = [network.join(&[]), network.join(&[])].map(|mut side| {
        let (mut stdin, lines) = (side.stdin.take().unwrap(), expected.clone());
        // Kept open, so that neither side ends.
        let saying = thread::spawn(move || {
            stdin.write_all(&lines).unwrap();
            stdin
        });
        (side, saying)
    });
    // Nobody reads the second side until the first has heard everything.
    for (mut side, saying) in sides {
        let mut heard = vec![0; expected.len()];
        side.stdout.as_mut().unwrap().read_exact(&mut heard).unwrap();
        assert!(heard == expected, "lines are missing, doubled or out of order");
        drop(saying.join().unwrap());
        side.signal("TERM");
        assert_eq!(side.wait().code(), Some(143));
    }
}

#[test]
fn each_line_goes_to_all_remotes_and_none_is_read_before_all_are_there() {
    let network = Network::start();
    let mut sender = network.join(&["--until", "2", "--json"]);
    sender.say(b"to both\n");
    let mut first = network.join(&[]);
    sender.event("remote_opened");
    let mut second = network.join(&[]);
    assert_eq!(first.hear_text(), "to both");
    assert_eq!(second.hear_text(), "to both");
    sender.say(b"a last line without a newline");
    sender.hang_up();
    for receiver in [&mut first, &mut second] {
        assert_eq!(receiver.hear_text(), "a last line without a newline");
    }
    assert_eq!(sender.wait().code(), Some(0));
}

#[test]
fn standard_input_is_not_read_while_nobody_is_there() {
    let network = Network::start();
    let mut alone = network.join(&["--json"]);
    // More than a pipe holds: writing it ends only when somebody reads.
    let mut stdin = alone.stdin.take().unwrap();
    let saying = thread::spawn(move || stdin.write_all(&numbers(50_000)).unwrap());
    alone.event("announced");
    assert!(!saying.is_finished());
    let mut other = network.join(&[]);
    other.hang_up();
    for number in 1..=50_000 {
        assert_eq!(other.hear_text(), number.to_string());
    }
    saying.join().unwrap();
}

#[test]
fn what_is_not_utf8_survives_byte_for_byte() {
    let network = Network::start();
    let mut receiver = network.join(&[]);
    let mut sender = network.join(&["--until", "1"]);
    let line: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    sender.say(&line);
    sender.say(b"\n\nna\xc3\xafve\n");
    sender.hang_up();
    assert_eq!(receiver.hear(), line);
    assert_eq!(receiver.hear(), b"");
    assert_eq!(receiver.hear_text(), "naïve");
    assert_eq!(sender.wait().code(), Some(0));
}

#[test]
fn a_line_over_the_limit_is_refused_by_number_and_those_before_arrive() {
    let network = Network::start();
    let mut receiver = network.join(&["--set", "limits.message=1KiB"]);
    let mut sender = network.join(&["--until", "1", "--json"]);
    sender.say(b"short\n");
    sender.say(&[b'x'; 2000]);
    sender.say(b"\nlost\n");
    assert_eq!(receiver.hear_text(), "short");
    let error = sender.event("error");
    assert!(error["message"].as_str().unwrap().contains("line 2"), "{error}");
    assert_eq!(sender.wait().code(), Some(1));
}

#[test]
fn a_sender_whose_only_remote_is_killed_says_so_and_fails() {
    let network = Network::start();
    let mut receiver = network.join(&[]);
    let mut sender = network.join(&["--until", "1", "--json"]);
    sender.say(b"1\n");
    assert_eq!(receiver.hear_text(), "1");
    drop(receiver);
    sender.event("remote_ended");
    sender.say(b"2\n");
    let error = sender.event("error");
    assert!(error["message"].as_str().unwrap().contains("line 2"), "{error}");
    assert_eq!(sender.wait().code(), Some(1));
}

#[test]
fn a_line_that_nobody_took_waits_for_the_next_remote() {
    let network = Network::start();
    let mut sender = network.join(&["--json"]);
    let mut first = network.join(&[]);
    sender.event("remote_opened");
    sender.say(b"one\n");
    assert_eq!(first.hear_text(), "one");
    drop(first);
    sender.event("remote_ended");
    sender.say(b"two\n");
    let mut second = network.join(&[]);
    assert_eq!(second.hear_text(), "two");
}

#[test]
fn only_those_with_the_same_secret_hear_each_other() {
    let network = Network::start();
    let mut stranger = network.join(&["--secret", "wrong", "--json"]);
    stranger.event("announced");
    let mut friend = crate::support::Process::spawn(
        crate::support::p2pchan(&network.arguments(&[])).env("P2PCHAN_SECRET", "right"),
    );
    let mut sender = network.join(&["--secret", "right", "--until", "1", "--json"]);
    sender.say(b"hush\n");
    assert_eq!(friend.hear_text(), "hush");
    sender.hang_up();
    assert_eq!(sender.wait().code(), Some(0));
    assert!(stranger.told_nothing_of("remote_opened"));
    stranger.signal("INT");
    assert_eq!(stranger.wait().code(), Some(130));
}

#[test]
fn a_key_file_keeps_the_identity_from_run_to_run() {
    let folder = std::env::temp_dir().join(format!("p2pchan-test-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("key");
    let peer = || {
        let file = file.to_str().unwrap();
        let options = ["join", "X", "--listen", "127.0.0.1:0", "--identity", file, "--json"];
        let mut process = crate::support::Process::start(&options);
        let peer = process.event("started")["peer"].clone();
        process.signal("INT");
        process.wait();
        peer
    };
    assert_eq!(peer(), peer());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_reader_that_has_enough_ends_the_command_without_failure() {
    let network = Network::start();
    let mut receiver = network.join(&[]);
    receiver.hang_up();
    let mut sender = network.join(&["--json"]);
    sender.say(b"one\n");
    assert_eq!(receiver.hear_text(), "one");
    receiver.stdout = None;
    sender.say(b"two\n");
    assert_eq!(receiver.wait().code(), Some(0));
}

#[test]
fn a_seed_needs_no_other_discovery() {
    let mut listening =
        crate::support::Process::start(&["join", "X", "--listen", "127.0.0.1:0", "--json"]);
    let address = listening.event("listening")["address"].as_str().unwrap().to_owned();
    let seed = address.trim_start_matches("tcp://");
    let options = ["join", "X", "--listen", "127.0.0.1:0", "--seed", seed, "--until", "1"];
    let mut dialler = crate::support::Process::start(&options);
    dialler.say(b"hello\n");
    dialler.hang_up();
    let line: Value = serde_json::from_slice(&listening.hear()).unwrap();
    assert_eq!(line["text"], "hello");
    assert_eq!(dialler.wait().code(), Some(0));
}

#[test]
fn nobody_within_the_timeout_has_an_exit_code_of_its_own() {
    let (_socket, address) = silence();
    let options =
        ["join", "X", "--bootstrap", &address, "--listen", "127.0.0.1:0", "--timeout", "1"];
    let ended = crate::support::run(&options);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("0 of 1 remotes"), "{}", ended.stderr);
}

#[test]
fn without_any_discovery_a_warning_says_what_to_set() {
    let mut alone =
        crate::support::Process::start(&["join", "X", "--listen", "127.0.0.1:0", "--json"]);
    let warning = alone.event("warning");
    assert!(warning["message"].as_str().unwrap().contains("discovery"), "{warning}");
    alone.signal("HUP");
    assert_eq!(alone.wait().code(), Some(129));
}
