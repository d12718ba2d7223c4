//! What a node costs with a hundred remotes that say nothing, half of them over QUIC.
//!
//! The node is in this process, and the other ends of its remotes are in two others, so that only its own share
//! is counted.

use std::{env::current_exe, process::Command, time::Duration};

use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{
    Outcome,
    alone::verdict,
    arguments::Role,
    connect::{Connector, open, prepare},
    figures::Figure,
    machine::{anonymous_memory, processor_time},
    memory::step,
    ours::{Remotes, node_at},
    pair::Process,
    record::Block,
};

/// Remotes over each of TCP and QUIC.
const EACH: usize = 50;
/// Well below what a listener's queue takes.
const AT_ONCE: usize = 16;
/// A processor that does nothing is only seen to over a while; PINGs come every 15 s.
const LENGTH: Duration = Duration::from_secs(30);
/// Thousandths of a core.
const LITTLE: f64 = 1.0;

/// A node with a hundred remotes that say nothing.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    /// Milliseconds of processor time in a second.
    processor: f64,
    /// KiB that the process grew by.
    memory: u64,
}

/// Measures for half a minute, or a tenth of it.
pub(crate) async fn measure(quick: bool) -> Outcome<Idle> {
    let before = anonymous_memory(std::process::id())?;
    let node = node_at("127.0.0.1:0").await?;
    let mut processes = Vec::new();
    for address in node.addresses() {
        processes.push(other_ends(&address.to_string())?);
    }
    let mut remotes = Vec::new();
    while remotes.len() < EACH * processes.len() {
        remotes.push(node.next_remote().await.ok_or("the node closed")?);
    }
    let processes = tokio::task::spawn_blocking(|| all_open(processes)).await??;
    let (began, used) = (Instant::now(), processor_time());
    sleep(if quick { LENGTH / 10 } else { LENGTH }).await;
    let processor = (processor_time() - used).as_secs_f64() * 1e3 / began.elapsed().as_secs_f64();
    let memory = anonymous_memory(std::process::id())?.saturating_sub(before);
    drop(processes);
    node.close().await;
    Ok(Idle { processor, memory })
}

/// A process with as many nodes that dial this address.
fn other_ends(address: &str) -> Outcome<Process> {
    let mut command = Command::new(current_exe()?);
    command.args(["endpoint", "--work", "idle", "--system", "p2pchan", "--end", "dial"]);
    command.args(["--address", address]);
    Process::start(command, format!("idle at {address}"))
}

fn all_open(mut processes: Vec<Process>) -> Outcome<Vec<Process>> {
    for process in &mut processes {
        process.hear::<String>()?;
    }
    Ok(processes)
}

/// The other ends: until nobody listens any more.
pub(crate) async fn hold(role: &Role) -> Outcome<()> {
    let connector = Remotes::to(&role.address)?;
    let ready = prepare(&connector, EACH).await?;
    let all = open(&connector, ready, AT_ONCE).await?;
    step("all open").await?;
    for one in all {
        connector.close(one).await?;
    }
    Ok(())
}

impl Idle {
    /// With its goal.
    pub(crate) fn block(&self) -> Block {
        let result = verdict(self.processor <= LITTLE);
        Block::alone(
            format!("{} remotes that do nothing, half over QUIC", 2 * EACH),
            format!("goal: processor, ms a second at most {LITTLE:.2}: {result}"),
            &[
                (Figure::IdleProcessor, self.processor),
                (Figure::IdleMemory, self.memory as f64 / 1024.0),
            ],
        )
    }
}
