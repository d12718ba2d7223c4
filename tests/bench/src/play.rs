//! What one end of a run does whatever system it is, and how it speaks to the parent: in lines of JSON on
//! its standard output, the accepting end where it listens, the dialling end what it measured.

use std::{
    future::Future,
    io::{Write, stdout},
    process::exit,
    thread,
    time::Duration,
};

use serde::Serialize;
use tokio::runtime::Builder;

use crate::{
    Outcome,
    arguments::{End, Role, Work},
    connect::{self, Connector},
    flood,
    link::Link,
    machine, memory, round_trip,
};

/// At rest no run takes a twentieth of this. An end whose parent or peer is gone ends by itself.
const LONGEST_RUN: Duration = Duration::from_secs(300);

/// Runs one end on this thread.
pub(crate) fn run(end: impl Future<Output = Outcome<()>> + Send + 'static) -> Outcome<()> {
    machine::allow_many_files()?;
    thread::spawn(|| {
        thread::sleep(LONGEST_RUN);
        eprintln!("a run took longer than {LONGEST_RUN:?} and was ended");
        exit(1);
    });
    // On a task, as servers run their connections: what `block_on` itself polls pays one more
    // system call whenever a task of the runtime wakes it.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::spawn(end).await? })
}

/// Plays a role of one connection.
pub(crate) async fn over(role: &Role, mut link: impl Link) -> Outcome<()> {
    match (role.work, role.end) {
        (work, End::Accept) if work.is_round_trip() => round_trip::echo(&mut link).await?,
        (work, End::Dial) if work.is_round_trip() => {
            say(&round_trip::ask(&mut link, role.amount).await?)?;
        }
        (_, End::Accept) => flood::receive(&mut link).await?,
        (_, End::Dial) => say(&flood::send(&mut link, role.amount).await?)?,
    }
    link.close().await
}

/// Plays the dialling end of many connections.
pub(crate) async fn through(role: &Role, connector: impl Connector) -> Outcome<()> {
    match role.work {
        Work::Memory => memory::hold(&connector, role.amount).await,
        _ => say(&connect::measure(&connector, role.amount).await?),
    }
}

/// Tells the parent where the other end finds this one.
pub(crate) fn announce(address: &impl ToString) -> Outcome<()> {
    say(&address.to_string())
}

/// Tells the parent something.
pub(crate) fn say(value: &impl Serialize) -> Outcome<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let mut output = stdout().lock();
    output.write_all(&line)?;
    Ok(output.flush()?)
}
