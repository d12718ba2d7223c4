//! `p2pchan send`: offers files, or standard input, to whoever has the same phrase.
//!
//! ```text
//! files ─► sources (a thread for each receiver) ─┐
//!                                                ├─► serve: one task for each receiver
//! standard input ─► pipe (thread) ─► replay ─────┘
//! ```

mod arguments;
mod pipe;
mod replay;
mod serve;
mod sources;

use std::{path::Path, sync::Arc, time::Duration};

use arguments::Plan;
pub(crate) use arguments::SendArguments;
use p2pchan::Node;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use self::{
    pipe::Pipe,
    serve::{End, Goods, serve},
};
use crate::{
    completions::print,
    exit::{Exit, Failure},
    signals::Signals,
    status::{Level, Status},
    strength,
    transfer::{Counterpart, Meeting, Role, fail, meet},
};

/// How long a stopped command may take to say goodbye.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Sends until as many receivers as wanted have everything, or a signal.
pub(crate) async fn run(send: SendArguments, status: Status) -> Result<Exit, Failure> {
    let plan = send.plan()?;
    let goods = goods(&plan, send.to)?;
    let mut signals = Signals::listen()?;
    strength::warn_if_weak(&plan.phrase, send.network.secret(), &status);
    let node = send.network.start(&plan.phrase, &[], &status, Level::Everything).await?;
    if plan.made {
        tell_phrase(&send, &plan.phrase)?;
    }
    status.tell(
        Level::Usual,
        "ready",
        json!({}),
        "waiting for `p2pchan recv` with the same phrase",
    );
    let mut meeting = meet(&node, Role::Send, &status);
    let absence = meeting.absence(send.patience());
    let end = tokio::select! {
        end = serve_all(&mut meeting, send.to, &goods, &status) => end,
        exit = signals.asked() => Ok(exit),
        seconds = absence => Err(nobody(seconds)),
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

fn nobody(seconds: u64) -> Failure {
    let message = format!("no receiver was connected for {seconds} s");
    Failure { exit: Exit::Nobody, message }
}

/// Looks at what is to be sent before anything is opened.
fn goods(plan: &Plan, receivers: u16) -> Result<Goods, Failure> {
    let pipes = plan.files.iter().filter(|file| *file == Path::new("-")).count();
    let usage = |message: &str| Err(Failure { exit: Exit::Usage, message: message.into() });
    match (pipes, plan.files.len()) {
        (0, _) => {
            sources::look(&plan.files).map_err(Failure::new)?;
            Ok(Goods::Files(plan.files.clone().into()))
        }
        (1, 1) if receivers > 1 => {
            usage("standard input can be read once, so --to 1 is all that it allows; send a file")
        }
        (1, 1) => Ok(Goods::Pipe(Arc::new(Pipe::default()))),
        _ => usage("standard input travels alone; send the files by themselves"),
    }
}

/// The phrase that nobody knows yet, in the command that the other side has to run.
fn tell_phrase(send: &SendArguments, phrase: &str) -> Result<(), Failure> {
    let line = if send.json {
        json!({ "phrase": phrase }).to_string()
    } else {
        let secret = send.network.secret().map_or("", |_| "P2PCHAN_SECRET=... ");
        let mut line = format!("{secret}p2pchan recv {phrase}");
        for (number, address) in send.network.bootstrap().enumerate() {
            line.push_str(if number == 0 { " --bootstrap " } else { " " });
            line.push_str(address);
        }
        line
    };
    print(format!("{line}\n").as_bytes()).map(|_| ())
}

/// Serves all who come, until enough of them have ended well or badly.
async fn serve_all(
    meeting: &mut Meeting,
    receivers: u16,
    goods: &Goods,
    status: &Status,
) -> Result<Exit, Failure> {
    let places = Arc::new(Semaphore::new(receivers.into()));
    // Bounded by `limits.remotes`: each holds a remote.
    let mut services = JoinSet::new();
    let (mut ended, mut failure) = (0, None);
    while ended < receivers {
        tokio::select! {
            counterpart = meeting.next() => {
                let Some(counterpart) = counterpart else {
                    return Err(Failure::new("the node has closed"));
                };
                let (goods, places) = (goods.clone(), Arc::clone(&places));
                services.spawn(serve_one(counterpart, goods, places, status.clone()));
            }
            Some(Ok(served)) = services.join_next() => match served {
                Served::Well => ended += 1,
                Served::Badly(why) => {
                    ended += 1;
                    if let Some(earlier) = failure.replace(why) {
                        let fields = json!({ "message": earlier });
                        status.tell(Level::Usual, "failed", fields, &earlier);
                    }
                }
                Served::Lost => {}
            },
        }
    }
    places.close();
    // Those who waited for a place are told so; what they make of it is theirs.
    while services.join_next().await.is_some() {}
    failure.map_or(Ok(Exit::Success), |why| Err(Failure::new(why)))
}

enum Served {
    Well,
    Badly(String),
    Lost,
}

async fn serve_one(
    Counterpart { remote, present }: Counterpart,
    goods: Goods,
    places: Arc<Semaphore>,
    status: Status,
) -> Served {
    let _present = present;
    let peer = remote.peer();
    if places.available_permits() == 0 {
        let text = format!("{} waits for its turn", peer.short());
        status.tell(Level::Usual, "waiting", json!({ "peer": peer.to_string() }), &text);
    }
    let Ok(place) = places.acquire().await else {
        fail(remote, "everybody for whom the files were meant has them").await;
        return Served::Lost;
    };
    match serve(remote, &goods, &status).await {
        Ok(()) => {
            place.forget();
            Served::Well
        }
        Err(End::Failed(why)) => {
            place.forget();
            Served::Badly(format!("{}: {why}", peer.short()))
        }
        Err(End::Lost(why)) => {
            let fields = json!({ "peer": peer.to_string(), "message": why });
            let text = format!("{} is lost ({why}); waiting for it to come again", peer.short());
            status.tell(Level::Usual, "lost", fields, &text);
            Served::Lost
        }
    }
}
