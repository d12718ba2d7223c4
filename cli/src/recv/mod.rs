//! `p2pchan recv`: takes files, or a pipe, from whoever has the same phrase.
//!
//! ```text
//! session: what one sender says ─► writer (thread) ─► place: NAME.part, then NAME; or a stream
//!     │
//! receipt: what was accepted and what is here of it; outlives broken connections
//! ```

mod arguments;
mod ask;
mod disk;
mod output;
mod place;
mod receipt;
mod session;
mod writer;

use std::{future::pending, time::Duration};

pub(crate) use arguments::RecvArguments;
use p2pchan::Node;
use serde_json::json;
use tokio::time::{sleep, timeout};

use self::{
    receipt::Receipt,
    session::{Outcome, Session},
};
use crate::{
    exit::{Exit, Failure},
    signals::Signals,
    status::{Level, Status},
    strength,
    transfer::{Counterpart, Meeting, Role, fail, meet},
};

/// How long a stopped command may take to say goodbye.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// When everything is here but the connection broke before the sender knew, how long it may take to
/// come again and be told.
const LINGER: Duration = Duration::from_secs(10);

/// Receives until all that was offered is here, or a signal.
pub(crate) async fn run(recv: RecvArguments, status: Status) -> Result<Exit, Failure> {
    let output = recv.output()?;
    let asks = recv.asks(&output)?;
    let mut receipt = Receipt::new(output, asks, recv.overwrite, recv.max_size, status.clone());
    let mut signals = Signals::listen()?;
    strength::warn_if_weak(&recv.phrase, recv.network.secret(), &status);
    let node = recv.network.start(&recv.phrase, &[], &status, Level::Everything).await?;
    status.tell(
        Level::Usual,
        "ready",
        json!({}),
        "waiting for `p2pchan send` with the same phrase",
    );
    let mut meeting = meet(&node, Role::Recv, &status);
    let end = tokio::select! {
        end = receive(&mut meeting, &mut receipt, recv.patience(), &status) => end,
        exit = signals.asked() => Ok(exit),
    };
    close(&node, &end).await;
    end
}

/// Ends the node: after a signal soon, else when all has been said.
async fn close(node: &Node, end: &Result<Exit, Failure>) {
    if matches!(end, Ok(Exit::Signal(_))) {
        // What takes longer is cut off.
        let _ = timeout(STOP_DEADLINE, node.close()).await;
    } else {
        node.close().await;
    }
}

/// Takes from one sender after another, until everything is here.
async fn receive(
    meeting: &mut Meeting,
    receipt: &mut Receipt,
    patience: Option<Duration>,
    status: &Status,
) -> Result<Exit, Failure> {
    loop {
        let complete = receipt.is_complete();
        let absence = meeting.absence(patience.filter(|_| !complete));
        let counterpart = tokio::select! {
            counterpart = meeting.next() => counterpart,
            seconds = absence => return Err(nobody(seconds)),
            () = linger(complete) => return Ok(Exit::Success),
        };
        let Some(Counterpart { remote, present: _present }) = counterpart else {
            return Err(Failure::new("the node has closed"));
        };
        let mut session = Session::new(remote, receipt);
        match session.run().await {
            Outcome::Complete => return Ok(Exit::Success),
            Outcome::Aside => {
                // It is free for another receiver, and comes again, perhaps when this one is free.
                tokio::spawn(session.into_remote().end());
            }
            Outcome::Lost(why) => tell_lost(&session.into_remote().peer().short(), &why, status),
            Outcome::There(why) => return Err(Failure::new(why)),
            Outcome::Here(why) => {
                fail(session.into_remote(), &why).await;
                return Err(Failure::new(why));
            }
        }
    }
}

async fn linger(complete: bool) {
    if complete { sleep(LINGER).await } else { pending().await }
}

fn nobody(seconds: u64) -> Failure {
    let message = format!("no sender was connected for {seconds} s");
    Failure { exit: Exit::Nobody, message }
}

fn tell_lost(peer: &str, why: &str, status: &Status) {
    let text = format!("{peer} is lost ({why}); waiting for it to come again");
    status.tell(Level::Usual, "lost", json!({ "message": why }), &text);
}
