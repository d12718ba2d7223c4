//! What there is nothing to put beside: finding somebody, and doing nothing.
//!
//! Reported, not compared: no goal hangs on these, and they say what a program and its users feel.

use std::time::{Duration, Instant};

use p2pchan::{Node, Testnet};
use serde::Serialize;
use tokio::runtime::Builder;

use crate::{
    Outcome,
    arguments::{Arguments, Work},
    machine::{anonymous_memory, processor_time},
};

/// What both ends look for: a raw topic, as deriving keys from a phrase takes 20 ms by design.
const TOPIC: [u8; 32] = [9; 32];
/// Nodes of the DHT: more than a lookup asks at once.
const DHT: usize = 20;
/// Remotes of the idle node.
const REMOTES: u32 = 100;
/// A processor that does nothing is only seen to over a while; PINGs come every 15 s.
const IDLE: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(60);

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Alone {
    /// Milliseconds from `discover` to the remote, sorted.
    discover: Vec<f64>,
    idle: Option<Idle>,
}

/// A node with a hundred remotes that say nothing.
#[derive(Debug, Serialize)]
struct Idle {
    /// Milliseconds of processor time in a second, of the process with this node and the others.
    processor: f64,
    /// KiB that the process grew by, all nodes and both ends of all remotes.
    memory: u64,
}

/// Measures what the command line chose.
pub(crate) fn measure(arguments: &Arguments) -> Outcome<Alone> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut alone = Alone::default();
    if arguments.choose(Work::Discover) {
        alone.discover = runtime.block_on(discover(if arguments.quick { 5 } else { 20 }))?;
        report_discover(&alone.discover);
    }
    if arguments.choose(Work::Idle) {
        let length = if arguments.quick { IDLE / 10 } else { IDLE };
        let idle = runtime.block_on(idle(length))?;
        report_idle(&idle);
        alone.idle = Some(idle);
    }
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
    found.discover_topic(TOPIC)?.flushed().await?;
    let mut all = Vec::new();
    for _ in 0..times {
        let looking = node().start().await?;
        let began = Instant::now();
        looking.discover_topic(TOPIC)?;
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

/// A node with remotes to as many others, half of them over QUIC, all in this process.
async fn idle(length: Duration) -> Outcome<Idle> {
    let process = std::process::id();
    let before = anonymous_memory(process)?;
    let node = Node::builder().set("listen", "127.0.0.1:0").set("limits.waiting", REMOTES);
    let node = node.start().await?;
    node.discover_topic(TOPIC)?;
    let mut open = Vec::new();
    for address in node.addresses().into_iter().cycle().take(REMOTES as usize) {
        let other = Node::builder().start().await?;
        other.discover_topic(TOPIC)?;
        let remote = other.connect(address).await?;
        let back = node.next_remote().await.ok_or("the node closed")?;
        open.push((other, remote, back));
    }
    let (began, used) = (Instant::now(), processor_time());
    tokio::time::sleep(length).await;
    let processor = (processor_time() - used).as_secs_f64() * 1e3 / began.elapsed().as_secs_f64();
    let memory = anonymous_memory(process)?.saturating_sub(before);
    for (other, ..) in open {
        other.close().await;
    }
    node.close().await;
    Ok(Idle { processor, memory })
}

fn report_discover(sorted: &[f64]) {
    let (least, most) = (sorted.first(), sorted.last());
    let (Some(least), Some(most), Some(median)) = (least, most, sorted.get(sorted.len() / 2))
    else {
        return;
    };
    println!("\nfrom discover to the remote, in a DHT of {DHT} nodes, of {} times", sorted.len());
    println!("  ms                              {median:>12.1} (least {least:.1}, most {most:.1})");
}

fn report_idle(Idle { processor, memory }: &Idle) {
    println!(
        "\n{REMOTES} remotes that do nothing, half over QUIC, both ends and all nodes in one process"
    );
    println!("  processor, ms a second          {processor:>12.2}");
    println!("  memory, MiB                     {:>12.1}", *memory as f64 / 1024.0);
}
