//! Tasks of the program that wait for a channel.

use std::{collections::BTreeMap, task::Waker};

use p2pchan_proto::channel::ChannelId;

/// Who waits, by channel. As many as the program has tasks in `recv`, `send`, `writable` or `end`.
#[derive(Default)]
pub(crate) struct Waiting {
    readers: BTreeMap<ChannelId, Waker>,
    writers: BTreeMap<ChannelId, Vec<Waker>>,
}

impl Waiting {
    /// A remote has one reader.
    pub(crate) fn for_messages(&mut self, channel: ChannelId, waker: &Waker) {
        match self.readers.get_mut(&channel) {
            Some(reader) => reader.clone_from(waker),
            None => drop(self.readers.insert(channel, waker.clone())),
        }
    }

    /// A remote may have many writers.
    pub(crate) fn for_room(&mut self, channel: ChannelId, waker: &Waker) {
        let writers = self.writers.entry(channel).or_default();
        if !writers.iter().any(|writer| writer.will_wake(waker)) {
            writers.push(waker.clone());
        }
    }

    pub(crate) fn take_reader(&mut self, channel: ChannelId) -> Option<Waker> {
        self.readers.remove(&channel)
    }

    pub(super) fn take_writers(&mut self, channel: ChannelId) -> Vec<Waker> {
        self.writers.remove(&channel).unwrap_or_default()
    }
}
