//! Who is open: written by the tasks that read remotes, watched by the delivery of lines.

use p2pchan::{PeerId, Sender};
use tokio::sync::watch;

/// All remotes that are open now, and what became of the others.
#[derive(Debug)]
pub(super) struct Remotes(watch::Sender<Table>);

/// A snapshot of [`Remotes`].
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Open remotes, oldest first.
    pub(super) open: Vec<Open>,
    /// How many have ended in another way than cleanly.
    pub(super) broken: u64,
    next: u64,
}

/// An open remote.
#[derive(Clone, Debug)]
pub(super) struct Open {
    number: u64,
    pub(super) sender: Sender,
}

impl Open {
    pub(super) fn peer(&self) -> PeerId {
        self.sender.peer()
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

impl Remotes {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Table::default()))
    }

    /// A remote opened; it gets a number of its own.
    pub(super) fn opened(&self, sender: Sender) -> u64 {
        let mut number = 0;
        self.0.send_modify(|table| {
            number = table.next;
            table.next += 1;
            table.open.push(Open { number, sender });
        });
        number
    }

    /// Nothing more is sent to a remote; whoever reads it knows how it ends.
    pub(super) fn unwritable(&self, number: u64) {
        self.0.send_modify(|table| table.open.retain(|open| open.number != number));
    }

    /// A remote has ended, cleanly or not.
    pub(super) fn ended(&self, number: u64, clean: bool) {
        self.0.send_modify(|table| {
            table.open.retain(|open| open.number != number);
            table.broken += u64::from(!clean);
        });
    }

    /// Follows the changes.
    pub(super) fn watch(&self) -> watch::Receiver<Table> {
        self.0.subscribe()
    }
}
