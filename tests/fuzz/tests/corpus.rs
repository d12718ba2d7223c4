//! Every target with every input that is checked in, on stable Rust.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::{fs, panic, path::Path};

use p2pchan_fuzz::TARGETS;

fn replay(folder: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut inputs = 0;
    for (target, body) in TARGETS {
        let Ok(files) = fs::read_dir(folder.join(target)) else { continue };
        for file in files {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let outcome = panic::catch_unwind(|| body(&bytes));
            assert!(outcome.is_ok(), "{target} fails with {}", path.display());
            inputs += 1;
        }
    }
    inputs
}

#[test]
fn the_inputs_to_begin_with_do_no_harm() {
    assert!(replay("corpus") >= 100);
}

#[test]
fn what_once_found_a_defect_does_no_harm_any_more() {
    replay("regressions");
}

/// Not fuzzing, but the beginning of it: what a hasty attacker would send.
#[test]
fn short_and_uniform_inputs_do_no_harm() {
    for (_, body) in TARGETS {
        body(&[]);
        for byte in 0..=u8::MAX {
            body(&[byte]);
            body(&[byte, byte]);
            body(&[byte; 300]);
            body(&[&[byte][..], &[0; 100]].concat());
            body(&[&[byte][..], &[0xff; 100]].concat());
        }
    }
}
