//! Programs in C that check the interface from the inside, linked with the library, shared and static.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod common;

use common::{Linked, Program};

fn passes(source: &str) {
    for linked in [Linked::Shared, Linked::Static] {
        Program::compile(source, linked, &["-std=gnu11"]).passes();
    }
}

#[test]
fn nodes_find_each_other_through_a_service_written_in_c() {
    passes("ffi/tests/c/discovery.c");
}
