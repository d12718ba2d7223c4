//! What the tests of discovery services share.

use std::sync::{Arc, Mutex};

use p2pchan_proto::{
    address::Address,
    subject::{Subject, SubjectName},
};

use super::service::{Found, Topic};

/// A topic with a raw key made from `name`, for a node that listens at these addresses.
pub(crate) fn topic(name: &str, listening: &[&str]) -> Topic {
    let mut key = [0; 32];
    for (byte, letter) in key.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    let subject = Subject::derive(SubjectName::Topic(key), None).unwrap();
    let listening = listening.iter().map(|address| address.parse().unwrap()).collect();
    Topic::new(Arc::new(subject), listening)
}

/// A place to report to, and the list that grows with it.
pub(crate) fn collector() -> (Found, Arc<Mutex<Vec<Address>>>) {
    let addresses = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&addresses);
    (Found::new(move |address| list.lock().unwrap().push(address)), addresses)
}
