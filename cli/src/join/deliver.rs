//! Lines to remotes: each to all that are open when its turn comes.

use std::{future::pending, sync::Arc, time::Duration};

use p2pchan::{ErrorKind, Message};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{
    arguments::Join,
    input::{self, Batch},
    remotes::{Open, Remotes, Table},
};
use crate::{
    exit::{Exit, Failure},
    status::{Level, Status},
};

/// Delivers standard input.
pub(super) struct Delivery {
    remotes: Arc<Remotes>,
    table: watch::Receiver<Table>,
    status: Status,
    wanted: usize,
    patience: Option<Duration>,
    ends_with_input: bool,
    /// Lines delivered so far.
    delivered: u64,
}

impl Delivery {
    pub(super) fn new(join: &Join, remotes: Arc<Remotes>, status: Status) -> Self {
        Self {
            table: remotes.watch(),
            remotes,
            status,
            wanted: join.remotes_wanted(),
            patience: join.patience(),
            ends_with_input: join.ends_with_input(),
            delivered: 0,
        }
    }

    /// Waits for remotes, delivers all lines, and with `--until` ends. Else it never does.
    pub(super) async fn run(mut self) -> Result<Exit, Failure> {
        let wanted = self.wanted;
        match self.patience {
            None => self.wait_for(wanted).await?,
            Some(patience) => match timeout(patience, self.wait_for(wanted)).await {
                Ok(found) => found?,
                Err(_) => return Err(self.nobody(patience)),
            },
        }
        let mut lines = input::start();
        let failure = loop {
            match lines.recv().await {
                Some(batch) => {
                    if let Err(failure) = self.deliver(batch).await {
                        break Some(failure);
                    }
                }
                None => break None,
            }
        };
        let text = format!("end of input after {} lines", self.delivered);
        let fields = json!({ "lines": self.delivered });
        self.status.tell(Level::Everything, "end_of_input", fields, &text);
        if failure.is_none() && !self.ends_with_input {
            return pending().await;
        }
        let flushed = self.flush().await;
        failure.map_or(flushed, Err)
    }

    fn nobody(&self, patience: Duration) -> Failure {
        let (open, wanted) = (self.table.borrow().open.len(), self.wanted);
        let seconds = patience.as_secs();
        let message = format!("{open} of {wanted} remotes opened within {seconds} s");
        Failure { exit: Exit::Nobody, message }
    }

    async fn wait_for(&mut self, count: usize) -> Result<(), Failure> {
        match self.table.wait_for(|table| table.open.len() >= count).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::new("the node has closed")),
        }
    }

    async fn deliver(&mut self, batch: Batch) -> Result<(), Failure> {
        for line in batch? {
            // A line that nobody took, because the last remote ended meanwhile, waits for the next.
            while !self.send(&line).await? {}
            self.delivered += 1;
        }
        Ok(())
    }

    /// Whether anybody took the line.
    async fn send(&mut self, line: &Message) -> Result<bool, Failure> {
        if self.ends_with_input && self.table.borrow().open.is_empty() {
            return Err(self.all_gone());
        }
        self.wait_for(1).await?;
        let open = self.table.borrow_and_update().open.clone();
        let mut taken = false;
        for remote in &open {
            match remote.sender.send(line).await {
                Ok(()) => taken = true,
                Err(error) if error.kind() == ErrorKind::TooBig => {
                    let (number, peer) = (self.delivered + 1, remote.peer().short());
                    return Err(Failure::new(format!("line {number} to {peer}: {error}")));
                }
                Err(_) => self.remotes.unwritable(remote.number()),
            }
        }
        Ok(taken)
    }

    fn all_gone(&self) -> Failure {
        let number = self.delivered + 1;
        Failure::new(format!("no remote is left to take line {number} and what follows"))
    }

    /// Ends all remotes, and waits until they have taken everything.
    async fn flush(&mut self) -> Result<Exit, Failure> {
        let open = self.table.borrow().open.clone();
        let mut ending = JoinSet::new();
        for Open { sender, .. } in open {
            ending.spawn(async move { (sender.peer(), sender.end().await) });
        }
        let mut failure = None;
        while let Some(ended) = ending.join_next().await {
            if let Ok((peer, Err(error))) = ended {
                let message = format!("{} may not have taken everything: {error}", peer.short());
                failure.get_or_insert_with(|| Failure::new(message));
            }
        }
        if failure.is_none() && self.table.borrow().broken > 0 {
            failure = Some(Failure::new("a remote was lost before it took everything"));
        }
        failure.map_or(Ok(Exit::Success), Err)
    }
}
