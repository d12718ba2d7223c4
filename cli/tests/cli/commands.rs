//! What needs no peer: help, completions, manual pages, mistakes on the command line, the testnet.

use std::net::TcpListener;

use crate::support::{Process, run};
use serde_json::Value;

#[test]
fn help_has_examples_and_the_exit_codes() {
    for arguments in [
        &["--help"][..],
        &["join", "--help"],
        &["send", "--help"],
        &["recv", "--help"],
        &["phrase", "--help"],
        &["status", "--help"],
        &["explain", "--help"],
        &["reload", "--help"],
        &["testnet", "--help"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(0));
        assert!(String::from_utf8(ended.stdout).unwrap().contains("Examples:"), "{arguments:?}");
    }
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    assert!(help.contains("Exit codes:") && help.contains("130"));
}

#[test]
fn completions_name_every_command_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let ended = run(&["completions", shell]);
        let script = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(ended.code, Some(0));
        for word in ["join", "testnet", "bootstrap", "status", "explain", "reload"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn bash_takes_its_completions() {
    let script = run(&["completions", "bash"]).stdout;
    let mut bash = std::process::Command::new("bash");
    let script = String::from_utf8(script).unwrap();
    assert!(bash.args(["-n", "-c", &script]).status().unwrap().success());
}

#[test]
fn manual_pages_exist_for_the_program_and_its_commands() {
    for (arguments, title) in [(&["man"][..], "p2pchan"), (&["man", "join"], "p2pchan-join")] {
        let ended = run(arguments);
        let page = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(ended.code, Some(0));
        assert!(page.contains(&format!(".TH {title} ")), "{page}");
        assert!(page.contains(".SH NAME"));
    }
    let ended = run(&["man", "nonsense"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("testnet, "), "{}", ended.stderr);
}

/// The exit code, and that the message contains what is wrong.
fn refused(arguments: &[&str], code: i32, named: &str) {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    assert!(ended.stdout.is_empty());
}

#[test]
fn mistakes_on_the_command_line_exit_with_2_and_name_the_mistake() {
    let long = "x".repeat(257);
    refused(&["join"], 2, "PHRASE");
    refused(&["nonsense"], 2, "nonsense");
    refused(&["join", "X", "--lan=on"], 2, "on");
    refused(&["join", "X", "--until", "0"], 2, "0");
    refused(&["join", "X", "--set", "novalue"], 2, "KEY=VALUE");
    refused(&["join", "X", "--set", "limits.mesage=1MiB"], 2, "limits.message");
    refused(&["join", "X", "--set", "limits.message=lots"], 2, "lots");
    refused(&["join", "X", "--listen", "127.0.0.1:65536"], 2, "65536");
    refused(&["join", "", "--listen", "127.0.0.1:0"], 2, "empty");
    refused(&["join", &long, "--listen", "127.0.0.1:0"], 2, "257");
    refused(&["join", "X", "--listen", "127.0.0.1:0", "--secret", ""], 2, "secret");
    refused(&["testnet", "--nodes", "1"], 2, "1");
}

#[test]
fn what_the_machine_refuses_exits_with_1_and_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    refused(&["join", "X", "--listen", &address], 1, &address);
    let file = "/no such folder/key";
    refused(&["join", "X", "--listen", "127.0.0.1:0", "--identity", file], 1, file);
}

#[test]
fn quiet_tells_nothing_but_errors() {
    let ended = run(&["join", "X", "--listen", "127.0.0.1:0", "--quiet", "--timeout", "1"]);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert_eq!(ended.code, Some(3));
}

#[test]
fn the_testnet_prints_an_address_and_runs_until_it_is_stopped() {
    let mut network = Process::start(&["testnet", "--nodes", "3"]);
    let address: std::net::SocketAddr = network.hear_text().parse().unwrap();
    assert!(address.ip().is_loopback());
    network.signal("INT");
    assert_eq!(network.wait().code(), Some(130));
}

#[test]
fn the_testnet_tells_machines_the_addresses_of_all_nodes() {
    let mut network = Process::start(&["testnet", "--nodes", "3", "--json"]);
    let line: Value = serde_json::from_slice(&network.hear()).unwrap();
    assert_eq!(line["bootstrap"].as_array().unwrap().len(), 3);
    network.event("running");
}
