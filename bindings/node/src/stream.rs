//! What is kept of each remote: whether JavaScript wants its messages, and by which number it knows it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// Of one remote. All of it is touched by the thread of the event loop only.
#[derive(Default)]
pub(crate) struct Stream {
    /// Its place in the array that JavaScript has of remotes, from its opening until its end was told.
    place: AtomicU32,
    /// JavaScript takes what comes.
    wanted: AtomicBool,
}

pub(crate) type Channel = p2pchan_pump::Channel<Stream>;
pub(crate) type Told = p2pchan_pump::Told<Stream>;

impl Stream {
    pub(crate) fn place(&self) -> u32 {
        self.place.load(Ordering::Relaxed)
    }

    pub(crate) fn set_place(&self, place: u32) {
        self.place.store(place, Ordering::Relaxed);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// What it was before.
    pub(crate) fn want(&self, wanted: bool) -> bool {
        self.wanted.swap(wanted, Ordering::Relaxed)
    }
}

/// Places that are free; as many as there were ever remotes at once.
#[derive(Default)]
pub(crate) struct Places(Mutex<(Vec<u32>, u32)>);

impl Places {
    pub(crate) fn take(&self) -> u32 {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.0.pop().unwrap_or_else(|| {
            places.1 += 1;
            places.1 - 1
        })
    }

    pub(crate) fn give_back(&self, place: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.push(place);
    }
}
