//! What there is nothing to put beside: finding somebody, and doing nothing.
//!
//! Reported, not compared: these say what a program and its users feel.

use std::time::{Duration, Instant};

use p2pchan::{Node, Testnet};
use serde::Serialize;
use tokio::runtime::Builder;

use crate::{
    Outcome,
    arguments::{Arguments, Work, spelt},
    figures::Figure,
    idle::{self, Idle},
    record::Block,
    report,
};

/// What both ends look for: deriving its keys takes 20 ms by design, and is part of what users wait for.
const SUBJECT: &str = "the benchmarks of p2pchan";
/// Nodes of the DHT: more than a lookup asks at once.
const DHT: usize = 20;
/// Milliseconds that finding somebody may take, the derivation of the keys included.
const SOON: f64 = 200.0;
const LONGEST: Duration = Duration::from_secs(60);

/// What the report says of a goal.
pub(crate) const fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "MISSED" }
}

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Alone {
    /// Milliseconds from `discover` to the remote, sorted.
    discover: Vec<f64>,
    idle: Option<Idle>,
}

/// Measures what the command line chose.
pub(crate) fn measure(arguments: &Arguments) -> Outcome<Alone> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut alone = Alone::default();
    if arguments.choose(Work::Discover) {
        alone.discover = runtime.block_on(discover(if arguments.quick { 5 } else { 20 }))?;
    }
    if arguments.choose(Work::Idle) {
        let idle = runtime.block_on(idle::measure(arguments.quick))?;
        alone.idle = Some(idle);
    }
    alone.blocks().iter().flat_map(|(_, blocks)| blocks).for_each(report::alone);
    Ok(alone)
}

/// One node has announced itself in a DHT that runs; others come one after the other and look.
async fn discover(times: u32) -> Outcome<Vec<f64>> {
    let testnet = Testnet::builder(DHT).start().await?;
    let entrance = testnet.bootstrap()[0].to_string();
    let node = || {
        Node::builder()
            .set("discovery.bittorrent.bootstrap", entrance.as_str())
            .set("discovery.bittorrent.address", "127.0.0.1")
            .set("discovery.bittorrent.port", 0)
    };
    let found = node().set("listen", "127.0.0.1:0").start().await?;
    found.discover(SUBJECT)?.flushed().await?;
    let mut all = Vec::new();
    for _ in 0..times {
        let looking = node().start().await?;
        let began = Instant::now();
        looking.discover(SUBJECT)?;
        let remote = tokio::time::timeout(LONGEST, looking.next_remote()).await?;
        all.push(began.elapsed().as_secs_f64() * 1e3);
        remote.ok_or("the node closed")?.end().await?;
        looking.close().await;
    }
    found.close().await;
    testnet.close().await;
    all.sort_by(f64::total_cmp);
    Ok(all)
}

impl Alone {
    /// What stays of it, by the names of the works.
    pub(crate) fn blocks(&self) -> Vec<(String, Vec<Block>)> {
        let discover = (spelt(&Work::Discover), self.discover_block().into_iter().collect());
        let idle = (spelt(&Work::Idle), self.idle.iter().map(Idle::block).collect());
        let all: [(String, Vec<Block>); 2] = [discover, idle];
        all.into_iter().filter(|(_, blocks)| !blocks.is_empty()).collect()
    }

    fn discover_block(&self) -> Option<Block> {
        let all = &self.discover;
        let (least, median, most) = (all.first()?, all.get(all.len() / 2)?, all.last()?);
        let times = all.len();
        Some(Block::alone(
            format!(
                "from discover to the remote, in a DHT of {DHT} nodes, of {times} times \
                 ({least:.1} to {most:.1} ms)"
            ),
            format!("goal: ms at most {SOON:.0}: {}", verdict(*median <= SOON)),
            &[(Figure::Found, *median)],
        ))
    }
}
