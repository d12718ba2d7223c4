//! One hot path through two nodes, a given number of times, for `tests/bench/instructions`, which counts what
//! it costs: `instructions WORK SIZE COUNT`.
//!
//! - `flood`: messages go one way, as many together as the send buffer takes.
//! - `round-trip`: a message goes there and back, alone.
//!
//! Both nodes and all that they do are on one thread, so it hardly depends on what else the machine does:
//! the kernel hands over on loopback what was written before the writer goes on.

use p2pchan::{Node, Remote};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A raw topic: the keys of a phrase would cost more than all the rest.
const TOPIC: [u8; 32] = [7; 32];
const GONE: &str = "the other node has gone";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    // A task, as programs have: what `main` itself awaits costs one system call more.
    tokio::spawn(run()).await?
}

async fn run() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, size, count] = &arguments[..] else {
        return Err("usage: instructions flood|round-trip SIZE COUNT".into());
    };
    let (message, count) = (vec![7; size.parse()?], count.parse()?);
    let near = Node::builder().set("listen", "127.0.0.1:0").start().await?;
    let far = Node::builder().start().await?;
    near.discover_topic(TOPIC)?;
    far.discover_topic(TOPIC)?;
    let address = *near.addresses().first().ok_or("the node listens nowhere")?;
    let there = far.connect(address).await?;
    let here = near.next_remote().await.ok_or(GONE)?;
    match work.as_str() {
        "flood" => flood(there, here, message, count).await?,
        "round-trip" => round_trips(there, here, &message, count).await?,
        _ => return Err(format!("there is no work {work}; flood or round-trip").into()),
    }
    Ok(())
}

async fn flood(from: Remote, mut to: Remote, message: Vec<u8>, count: usize) -> Outcome<()> {
    let sending = tokio::spawn(async move {
        for _ in 0..count {
            from.send(&message[..]).await?;
        }
        Outcome::Ok(from)
    });
    for _ in 0..count {
        to.recv().await?.ok_or(GONE)?;
    }
    sending.await?.map(drop)
}

async fn round_trips(
    mut asking: Remote,
    mut answering: Remote,
    message: &[u8],
    count: usize,
) -> Outcome<()> {
    let echo = tokio::spawn(async move {
        for _ in 0..count {
            let message = answering.recv().await?.ok_or(GONE)?;
            answering.send(message).await?;
        }
        Outcome::Ok(answering)
    });
    for _ in 0..count {
        asking.send(message).await?;
        asking.recv().await?.ok_or(GONE)?;
    }
    echo.await?.map(drop)
}
