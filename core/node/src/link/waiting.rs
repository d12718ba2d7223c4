//! Tasks of the program that wait for a channel.

use std::{mem, task::Waker};

use p2pchan_proto::channel::ChannelId;

/// Who waits, by channel. As many as the program has tasks in `recv`, `send`, `writable` or `end`.
#[derive(Default)]
pub(crate) struct Waiting(Vec<Slot>);

/// A connection has few channels, mostly one: looking through them beats any map.
struct Slot {
    channel: ChannelId,
    reader: Option<Waker>,
    writers: Vec<Waker>,
}

impl Waiting {
    /// A remote has one reader.
    pub(crate) fn for_messages(&mut self, channel: ChannelId, waker: &Waker) {
        match &mut self.slot(channel).reader {
            Some(reader) => reader.clone_from(waker),
            reader => *reader = Some(waker.clone()),
        }
    }

    /// A remote may have many writers.
    pub(crate) fn for_room(&mut self, channel: ChannelId, waker: &Waker) {
        let writers = &mut self.slot(channel).writers;
        if !writers.iter().any(|writer| writer.will_wake(waker)) {
            writers.push(waker.clone());
        }
    }

    pub(crate) fn take_reader(&mut self, channel: ChannelId) -> Option<Waker> {
        self.0.iter_mut().find(|slot| slot.channel == channel)?.reader.take()
    }

    pub(super) fn take_writers(&mut self, channel: ChannelId) -> Vec<Waker> {
        let slot = self.0.iter_mut().find(|slot| slot.channel == channel);
        slot.map(|slot| mem::take(&mut slot.writers)).unwrap_or_default()
    }

    /// The channel has ended: everybody who waits on it, and never again.
    pub(super) fn take_all(&mut self, channel: ChannelId) -> Vec<Waker> {
        let Some(position) = self.0.iter().position(|slot| slot.channel == channel) else {
            return Vec::new();
        };
        let Slot { reader, mut writers, .. } = self.0.swap_remove(position);
        writers.extend(reader);
        writers
    }

    fn slot(&mut self, channel: ChannelId) -> &mut Slot {
        let position = self.0.iter().position(|slot| slot.channel == channel);
        let position = position.unwrap_or_else(|| {
            self.0.push(Slot { channel, reader: None, writers: Vec::new() });
            self.0.len() - 1
        });
        &mut self.0[position]
    }
}
