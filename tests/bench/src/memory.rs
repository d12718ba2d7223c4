//! What connections that do nothing hold, at each end.
//!
//! The dialling end opens a few connections, so that what is made once is there, and later as many
//! as are to be measured; between the steps the parent process looks at the memory of both.

use std::io::stdin;

use crate::{
    Outcome,
    arguments::Amount,
    connect::{Connector, open, prepare},
    play::say,
};

/// Connections before the first look.
const FIRST: usize = 32;
/// Well below what a listener's queue takes.
const AT_ONCE: usize = 16;

/// What the dialling end says at each step, and then waits for a line.
pub(crate) const STEPS: [&str; 3] = ["begun", "first open", "all open"];

/// The dialling end.
pub(crate) async fn hold<C: Connector>(connector: &C, amount: Amount) -> Outcome<()> {
    let few = prepare(connector, FIRST).await?;
    let first = open(connector, few, AT_ONCE).await?;
    step(STEPS[0]).await?;
    let many = prepare(connector, amount.idle).await?;
    step(STEPS[1]).await?;
    let all = open(connector, many, AT_ONCE).await?;
    step(STEPS[2]).await?;
    for connection in first.into_iter().chain(all) {
        connector.close(connection).await?;
    }
    Ok(())
}

/// Waits on another thread, so that the runtime turns on and what is left to do gets done.
pub(crate) async fn step(name: &str) -> Outcome<()> {
    say(&name)?;
    tokio::task::spawn_blocking(|| stdin().read_line(&mut String::new())).await??;
    Ok(())
}
