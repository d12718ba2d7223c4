//! See `p2pchan_fuzz::handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| p2pchan_fuzz::handshake(bytes));
