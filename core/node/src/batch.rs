//! Messages that came together.

use p2pchan_proto::channel;

use crate::message::{Kind, Message};

/// Messages of one remote that were here at the same moment, in their order.
///
/// Iterate to own each as a [`Message`]. Where looking at them is enough, [`lent`](Self::lent) is cheaper, as
/// nothing is counted for each. All of a batch that are short share one piece of memory, which is
/// freed when the batch and all messages taken out of it are.
#[derive(Debug, Default)]
pub struct Batch(channel::Batch);

impl Batch {
    /// Those that are left, in their order: how each was marked, and its bytes. They stay in the batch.
    #[inline]
    pub fn lent(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        self.0.lent()
    }

    /// Takes so many messages, for whoever has looked at them; all that are left if they are fewer.
    #[inline]
    pub fn advance(&mut self, count: usize) {
        self.0.advance(count);
    }

    /// Takes so many messages as a batch of their own; all that are left if they are fewer.
    #[must_use]
    pub fn split(&mut self, count: usize) -> Self {
        Self(self.0.split(count))
    }
}

impl Iterator for Batch {
    type Item = Message;

    #[inline]
    fn next(&mut self) -> Option<Message> {
        self.0.next().map(Into::into)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Batch {}

impl From<channel::Batch> for Batch {
    fn from(batch: channel::Batch) -> Self {
        Self(batch)
    }
}
