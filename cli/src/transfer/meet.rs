//! Of all who have the phrase, those who do the other half of a transfer.
//!
//! Each side greets first and waits for the other's greeting. Who turns out to be of no use here (a
//! second sender, say) is told of and left connected: to hang up would make both dial again and again.

use std::{sync::Arc, time::Duration};

use p2pchan::{Message, Node, Remote};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::wire::{Control, Greeting, Role, VERSION};
use crate::status::{Level, Status};

/// After this silence somebody may wonder. Programs greet at once, so it is one that waits for a
/// person.
const SILENCE: Duration = Duration::from_secs(10);

/// A remote at whose other end is the other half of a transfer.
pub(crate) struct Counterpart {
    pub(crate) remote: Remote,
    /// Counts it as present for as long as it is kept.
    pub(crate) present: Present,
}

/// Where the counterparts arrive.
pub(crate) struct Meeting {
    found: mpsc::Receiver<Counterpart>,
    present: watch::Sender<usize>,
}

impl Meeting {
    /// The next one; those who wait are bounded by `limits.remotes`. `None` once the node has closed.
    pub(crate) async fn next(&mut self) -> Option<Counterpart> {
        self.found.recv().await
    }

    /// Ready when there has been no counterpart for this long; never for `None`. Independent of this
    /// meeting's later life.
    pub(crate) fn absence(&self, patience: Option<Duration>) -> impl Future<Output = u64> + use<> {
        let mut present = self.present.subscribe();
        async move {
            let Some(patience) = patience else { return std::future::pending().await };
            // Fails only if the meeting is over, and then nobody can come either.
            while present.wait_for(|count| *count == 0).await.is_ok() {
                if timeout(patience, present.wait_for(|count| *count > 0)).await.is_err() {
                    break;
                }
            }
            patience.as_secs()
        }
    }
}

/// Counts as present while it exists.
pub(crate) struct Present(watch::Sender<usize>);

impl Present {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Greets everybody whom the node meets, as who does this `role`.
pub(crate) fn meet(node: &Node, role: Role, status: &Status) -> Meeting {
    let (finder, found) = mpsc::channel(1);
    let present = watch::Sender::new(0);
    let greeter =
        Arc::new(Greeter { role, status: status.clone(), finder, present: present.clone() });
    let node = node.clone();
    tokio::spawn(async move {
        while let Some(remote) = node.next_remote().await {
            let greeter = Arc::clone(&greeter);
            tokio::spawn(async move { greeter.greet(remote).await });
        }
    });
    Meeting { found, present }
}

struct Greeter {
    role: Role,
    status: Status,
    finder: mpsc::Sender<Counterpart>,
    present: watch::Sender<usize>,
}

impl Greeter {
    async fn greet(&self, mut remote: Remote) {
        if remote.send(Greeting::new(self.role).to_value()).await.is_err() {
            return;
        }
        let Some(first) = self.first(&mut remote).await else { return };
        match Greeting::parse(&first) {
            None => self.strange(remote).await,
            Some(greeting) if greeting.version != VERSION => {
                let version = greeting.version;
                self.of_no_use(&remote, &format!(
                    "speaks version {version} of this transfer, and this program version {VERSION}; \
                     update the older one"
                ));
                outlive(remote).await;
            }
            Some(greeting) if greeting.p2pchan == self.role => {
                let (own, other) = (self.role.command(), self.role.other().command());
                self.of_no_use(&remote, &format!("is `{own}` too; one side has to be `{other}`"));
                outlive(remote).await;
            }
            Some(_) => {
                let counterpart = Counterpart { remote, present: Present::new(&self.present) };
                // Fails only when the transfer is over.
                let _ = self.finder.send(counterpart).await;
            }
        }
    }

    /// Its first message; `None` if it leaves without one.
    async fn first(&self, remote: &mut Remote) -> Option<Message> {
        if let Ok(first) = timeout(SILENCE, remote.recv()).await {
            return first.ok().flatten();
        }
        let other = self.role.other().command();
        self.of_no_use(remote, &format!("says nothing; is it `{other}`?"));
        remote.recv().await.ok().flatten()
    }

    /// Most likely `p2pchan join`, where a person reads the answer.
    async fn strange(&self, remote: Remote) {
        let other = self.role.other().command();
        self.of_no_use(&remote, &format!("is not `{other}`; perhaps it is `p2pchan join`"));
        fail(remote, &format!("this is `{}`, and understands nothing else", self.role.command()))
            .await;
    }

    fn of_no_use(&self, remote: &Remote, why: &str) {
        let peer = remote.peer();
        let fields = json!({ "peer": peer.to_string(), "message": why });
        let text = format!("{} {why}", peer.short());
        self.status.tell(Level::Usual, "of_no_use", fields, &text);
    }
}

/// Tells the other side that it ends here, and why; ready when it has read that.
pub(crate) async fn fail(remote: Remote, why: &str) {
    let fail = Control::Fail { text: why.to_owned() };
    if fail.send(&remote.sender()).await.is_ok() {
        // An error only means that the other side has gone before.
        let _ = remote.end().await;
    }
}

/// Keeps a remote until the other side ends it.
async fn outlive(mut remote: Remote) {
    while let Ok(Some(_)) = remote.recv().await {}
}
