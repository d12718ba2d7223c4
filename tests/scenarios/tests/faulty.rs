//! A player that does not do what the scenarios say is found out.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

const PAIR: [&str; 2] = ["--pair", "rust,faulty"];

/// Plays one scenario with the Rust player and one whose answers are changed on their way by a command
/// of the shell.
fn play(pair: &[&str], scenario: &str, fault: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let faulty = folder.path().join("faulty");
    let player = env!("CARGO_BIN_EXE_player");
    fs::write(&faulty, format!("#!/bin/sh\n'{player}' | {fault}\n")).expect("a file");
    fs::set_permissions(&faulty, fs::Permissions::from_mode(0o700)).expect("a program");
    Command::new(env!("CARGO_BIN_EXE_scenarios"))
        .args([format!("rust={player}"), format!("faulty={}", faulty.display())])
        .args(pair)
        .args(["--only", scenario])
        .output()
        .expect("it can be run")
}

/// What is said of a fault, which has to be found.
fn found(scenario: &str, fault: &str) -> String {
    let healthy = play(&PAIR, scenario, "cat");
    assert!(healthy.status.success(), "{healthy:?}");
    let output = play(&PAIR, scenario, fault);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn text_that_arrives_as_bytes_is_found_and_told_with_its_step_and_both_players() {
    let told =
        found("messages arrive as what they were", r#"sed -u 's/"kind":"text"/"kind":"bytes"/'"#);
    for part in [
        "rust with faulty",
        "FAILED: messages arrive as what they were: bytes, text or JSON",
        r#"step: {"carries":"#,
        r#"arrived as Some("bytes")"#,
        "rust was told (>) and answered (<):",
        "faulty was told (>) and answered (<):",
        r#"> {"do":"recv""#,
        "0 of 1 scenarios",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
}

#[test]
fn a_lost_digit_is_found() {
    let told = found("JSON loses nothing", "sed -u s/551616/551615/");
    assert!(told.contains("18446744073709551615]"), "{told}");
}

#[test]
fn a_lost_message_is_found() {
    let told = found("ten thousand", r#"sed -u 's/"count":10000/"count":9999/'"#);
    assert!(told.contains("count is 9999, not 10000"), "{told}");
}

#[test]
fn a_changed_message_is_found() {
    let told = found("ten thousand", r#"sed -u 's/"crc":[0-9]*/"crc":7/'"#);
    assert!(told.contains("crc is 7"), "{told}");
}

#[test]
fn another_code_of_an_error_is_found() {
    let told = found("without a common subject", r#"sed -u 's/"error":"AUTH"/"error":"IO"/'"#);
    assert!(told.contains("it failed with IO"), "{told}");
}

#[test]
fn a_failure_that_does_not_come_is_found() {
    let told = found("who is not on the list", r#"sed -u 's/"error":"REFUSED"/"koda":""/'"#);
    assert!(told.contains("it did not fail with REFUSED"), "{told}");
}

#[test]
fn another_name_in_a_document_is_found() {
    let output = play(&[], "by the same names", r#"sed -u s/uptime_seconds/uptime/"#);
    let told = String::from_utf8_lossy(&output.stdout);
    let names = ".node.uptime, .node.uptime_seconds";
    assert!(
        told.contains(&format!("status has other names in rust than in faulty: {names}")),
        "{told}"
    );
    assert_eq!(output.status.code(), Some(1), "{told}");
}

#[test]
fn a_player_that_does_not_end_well_is_found() {
    let told = found("who is refused is told so", "cat; exit 1");
    assert!(told.contains("at the end: faulty: the player ended with exit status: 1"), "{told}");
}

#[test]
fn a_scenario_that_is_not_there_is_no_success() {
    assert_eq!(play(&PAIR, "no such scenario", "cat").status.code(), Some(1));
}
