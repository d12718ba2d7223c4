//! Questions to a running node.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixListener,
    path::PathBuf,
};

use crate::support::{Ended, Network, Process, p2pchan, run};
use serde_json::Value;

/// A folder with the socket of a node in it.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        Self { _folder: folder, path }
    }

    fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// What a command says to the node here.
    fn ask(&self, arguments: &[&str]) -> Ended {
        run(&[arguments, &["--control", self.text()]].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.ask(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&ended.stdout).unwrap()
    }
}

fn text(ended: Ended) -> String {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    String::from_utf8(ended.stdout).unwrap()
}

/// Two nodes that have met; the first one has a socket here.
fn two(place: &Place, network: &Network) -> (Process, Process) {
    let asked = network.join(&["--json", "--control", place.text()]);
    let other = network.join(&["--json"]);
    asked.event("remote_opened");
    (asked, other)
}

#[test]
fn a_running_join_shows_what_it_has_open_and_never_its_phrase() {
    let (place, network) = (Place::new(), Network::start());
    let (asked, other) = two(&place, &network);
    let peer = other.event("started")["peer"].as_str().unwrap().to_owned();
    let status = place.json(&["status"]);
    assert_eq!(status["links"][0]["peer"], *peer);
    assert_eq!(status["remotes"][0]["subject"], 1);
    let shown = text(place.ask(&["status"]));
    for part in ["node ", "connections", &peer[..8], "bittorrent", "control"] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    for shown in [shown, status.to_string()] {
        assert!(!shown.contains("a phrase of the tests"), "{shown}");
    }
    asked.signal("INT");
}

#[test]
fn the_path_may_stand_in_the_environment() {
    let (place, network) = (Place::new(), Network::start());
    let asked = network.join(&["--json", "--control", place.text()]);
    let id = asked.event("started")["peer"].as_str().unwrap().to_owned();
    let mut status = Process::spawn(p2pchan(&["status"]).env("P2PCHAN_CONTROL", &place.path));
    assert_eq!(status.hear_text(), format!("node {id}"));
    assert_eq!(status.wait().code(), Some(0));
}

#[test]
fn a_peer_is_explained_by_its_id_and_by_the_digits_that_are_shown() {
    let (place, network) = (Place::new(), Network::start());
    let (_asked, other) = two(&place, &network);
    let peer = other.event("started")["peer"].as_str().unwrap().to_owned();
    for target in [&*peer, &peer[..8]] {
        let explained = text(place.ask(&["explain", target]));
        assert!(explained.contains(": connected\n"), "{explained}");
        let explanation = place.json(&["explain", target]);
        assert_eq!(explanation["links"][0]["peer"], *peer);
    }
    let unknown = text(place.ask(&["explain", &"1".repeat(64)]));
    assert!(unknown.contains(": unknown\n") && unknown.contains(&peer), "{unknown}");
}

#[test]
fn the_socket_is_printed_and_goes_with_the_command() {
    let (place, network) = (Place::new(), Network::start());
    let mut asked = network.join(&["--json", "--control", place.text()]);
    loop {
        let opened = asked.event("opened");
        if opened["source"] == "control" {
            assert!(opened["socket"].as_str().unwrap().ends_with(place.text()));
            break;
        }
    }
    asked.signal("TERM");
    assert_eq!(asked.wait().code(), Some(143));
    assert!(!place.path.exists());
}

#[test]
fn a_killed_node_leaves_a_socket_that_the_next_one_replaces() {
    let (place, network) = (Place::new(), Network::start());
    let asked = network.join(&["--json", "--control", place.text()]);
    asked.event("started");
    // Kills it.
    drop(asked);
    assert!(place.path.exists());
    let gone = place.ask(&["status"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("nobody answers"), "{}", gone.stderr);
    let next = network.join(&["--json", "--control", place.text()]);
    next.event("started");
    text(place.ask(&["status"]));
}

#[test]
fn where_no_node_is_the_message_says_what_to_do() {
    let place = Place::new();
    for command in [&["status"][..], &["reload"], &["explain", "127.0.0.1:1"]] {
        let ended = place.ask(command);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("is the node running"), "{}", ended.stderr);
        let unnamed = run(command);
        assert_eq!(unnamed.code, Some(2));
        assert!(unnamed.stderr.contains("P2PCHAN_CONTROL"), "{}", unnamed.stderr);
        assert!(ended.stdout.is_empty() && unnamed.stdout.is_empty());
    }
    let wrong = place.ask(&["explain", "nobody"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("\"nobody\" is neither a peer nor an address"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn what_is_no_node_is_told_apart() {
    let place = Place::new();
    let listener = UnixListener::bind(&place.path).unwrap();
    let mut asked = Process::start(&["status", "--control", place.text()]);
    let (mut stream, _) = listener.accept().unwrap();
    BufReader::new(&stream).read_line(&mut String::new()).unwrap();
    stream.write_all(b"hello\n").unwrap();
    drop(stream);
    assert_eq!(asked.wait().code(), Some(1));
    let told: String = asked.told().collect();
    assert!(told.contains("is not a node that this version knows"), "{told}");
}

#[test]
fn a_running_node_reads_its_settings_file_again() {
    let (place, network) = (Place::new(), Network::start());
    let file = place.path.with_file_name("settings.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("limits.dials = 3");
    let options = ["--json", "--settings", file.to_str().unwrap(), "--control", place.text()];
    let asked = network.join(&options);
    asked.event("started");
    assert_eq!(place.json(&["status"])["settings"]["limits.dials"], 3);
    write("limits.dials = 4");
    assert_eq!(place.ask(&["reload"]).code, Some(0));
    assert_eq!(place.json(&["status"])["settings"]["limits.dials"], 4);
    // What is wrong is named, and changes nothing.
    write("limits.dails = 5");
    let wrong = place.ask(&["reload"]);
    assert_eq!(wrong.code, Some(2));
    for part in ["limits.dials", file.to_str().unwrap()] {
        assert!(wrong.stderr.contains(part), "{part:?} is not in {}", wrong.stderr);
    }
    assert_eq!(place.json(&["status"])["settings"]["limits.dials"], 4);
}

#[test]
fn a_node_without_a_settings_file_refuses_to_reload() {
    let (place, network) = (Place::new(), Network::start());
    let asked = network.join(&["--json", "--control", place.text()]);
    asked.event("started");
    let ended = place.ask(&["reload"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("settings file"), "{}", ended.stderr);
}
