//! `p2pchan join`: standard input and output, connected to everybody with the same phrase.
//!
//! ```text
//! standard input ─► input (thread) ─► deliver: each line to all remotes then open
//!                                                   │
//!                         remotes: who is open      │    one task for each remote reads it
//!                                                   ▼
//! standard output ◄─ printer (thread) ◄─ rendering of each message
//! ```
//!
//! The two directions share nothing but the table of open remotes, so neither waits for the other.
//! Nothing is read from standard input before it can be delivered.

mod arguments;
mod deliver;
mod input;
mod remotes;
mod rendering;

use std::{io, sync::Arc, time::Duration};

pub(crate) use arguments::Join;
use p2pchan::{Node, Remote};
use tokio::time::timeout;

use self::{deliver::Delivery, remotes::Remotes, rendering::Rendering};
use crate::{
    exit::{Exit, Failure},
    printer::{Printer, Writing},
    signals::Signals,
    status::{Level, Status},
    strength,
};

/// How long a stopped command may go on flushing; what the peers have not taken by then is lost,
/// and they are told.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Joins, and goes on until the end of the input (`--until`), a signal, or a closed output.
pub(crate) async fn run(join: Join, status: Status) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    strength::warn_if_weak(join.phrase(), join.network.secret(), &status);
    let node = join.network.start(join.phrase(), join.settings(), &status, Level::Usual).await?;
    let (printer, mut writing) = Printer::start(io::stdout);
    let remotes = Arc::new(Remotes::new());
    let rendering = Rendering::new(join.json);
    tokio::spawn(take_remotes(node.clone(), Arc::clone(&remotes), printer, rendering));
    let delivery = Delivery::new(&join, Arc::clone(&remotes), status.clone());
    let end = tokio::select! {
        end = delivery.run() => end,
        exit = signals.asked() => Ok(exit),
        written = writing.ended() => output_closed(written),
    };
    let stopped = matches!(end, Ok(Exit::Signal(_)));
    let closing = async {
        node.close().await;
        output_ended(&mut writing).await
    };
    let closed = if stopped {
        timeout(STOP_DEADLINE, closing).await.unwrap_or(Ok(()))
    } else {
        closing.await
    };
    end.and_then(|exit| closed.map(|()| exit))
}

/// Reads every remote that opens, until the node has closed.
async fn take_remotes(node: Node, remotes: Arc<Remotes>, printer: Printer, rendering: Rendering) {
    while let Some(remote) = node.next_remote().await {
        let number = remotes.opened(remote.sender());
        let remotes = Arc::clone(&remotes);
        let printer = printer.clone();
        tokio::spawn(async move {
            let read = read(remote, &printer, rendering).await;
            remotes.ended(number, read.is_ok());
        });
    }
}

/// Prints what a remote says. An error is a remote that did not end cleanly.
async fn read(
    mut remote: Remote,
    printer: &Printer,
    rendering: Rendering,
) -> Result<(), p2pchan::Error> {
    let peer = remote.peer();
    while let Some(message) = remote.recv().await? {
        if !printer.print(rendering.line(peer, &message)).await {
            // The output is closed, and `run` knows from the writer.
            break;
        }
    }
    Ok(())
}

/// A reader that has enough, such as `head`, is no failure; a full disk is.
fn output_closed(written: Result<(), Arc<io::Error>>) -> Result<Exit, Failure> {
    match written {
        Ok(()) => Ok(Exit::Success),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Success),
        Err(error) => Err(Failure::new(format!("cannot write to standard output: {error}"))),
    }
}

/// Waits until all that came is written.
async fn output_ended(writing: &mut Writing) -> Result<(), Failure> {
    output_closed(writing.ended().await).map(|_| ())
}
