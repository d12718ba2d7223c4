//! How long a small message takes, sent every 5 ms, while long ones go to the same peer.
//!
//! Alone; while they go over another channel of the same connection; or over the same one, so that it waits behind
//! them in the send buffer. A small message carries the time when the program began to send it, by the clock that
//! all processes of a machine share.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use p2pchan::{Node, Remote};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    task::{JoinHandle, yield_now},
    time::{MissedTickBehavior, interval},
};

use crate::{
    Outcome,
    arguments::{Amount, End, Role, System},
    figures::{Figure, Figures},
    link::GONE,
    message::{END, Messages},
    ours::{accepting_node, dialling_node},
    round_trip::percentile,
};

/// The subject of the other channel.
const OTHER: [u8; 32] = [8; 32];
const EVERY: Duration = Duration::from_millis(5);
/// What begins a small message; the time follows, nanoseconds.
const TICK: &[u8; 8] = b"p2p tick";

pub(crate) async fn play(role: &Role) -> Outcome<Option<Figures>> {
    match role.end {
        End::Accept => accept().await.map(|()| None),
        End::Dial => dial(role).await.map(Some),
    }
}

/// The channel of the small messages, and the other one.
fn in_order(first: Remote, second: Remote) -> (Remote, Remote) {
    if first.subject() < second.subject() { (first, second) } else { (second, first) }
}

async fn next(node: &Node) -> Outcome<Remote> {
    node.next_remote().await.ok_or_else(|| "the node closed".into())
}

async fn dial(role: &Role) -> Outcome<Figures> {
    let node = dialling_node().await?;
    node.discover_topic(OTHER)?;
    let first = node.connect(role.address.parse()?).await?;
    let (mut small, other) = in_order(first, next(&node).await?);
    let loaded = match role.system {
        System::P2pchanBeside => Some(&other),
        System::P2pchanBehind => Some(&small),
        _ => None,
    };
    let load = match loaded {
        Some(remote) => Some(transfer(remote, role.amount.size).await?),
        None => None,
    };
    tick(&small, role.amount).await?;
    if let Some(load) = load {
        load.abort();
        // It was cancelled.
        let _ = load.await;
    }
    small.send(END).await?;
    let figures = serde_json::from_slice(small.recv().await?.ok_or(GONE)?.payload())?;
    other.end().await?;
    small.end().await?;
    node.close().await;
    Ok(figures)
}

/// One long message, and then more of them, as fast as they go, until this is aborted.
async fn transfer(remote: &Remote, size: usize) -> Outcome<JoinHandle<()>> {
    let (sender, mut messages) = (remote.sender(), Messages::new(size));
    sender.send(messages.following()).await?;
    Ok(tokio::spawn(async move {
        while sender.send(messages.following()).await.is_ok() {
            yield_now().await;
        }
    }))
}

async fn tick(small: &Remote, amount: Amount) -> Outcome<()> {
    let mut every = interval(EVERY);
    // On a busy machine, too, one comes after the other.
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..u128::from(amount.milliseconds).div_ceil(EVERY.as_millis()) {
        every.tick().await;
        small.send([*TICK, now().to_le_bytes()].concat()).await?;
    }
    Ok(())
}

/// Nanoseconds by the clock of the machine.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    u64::try_from(nanoseconds).unwrap_or(0)
}

/// What was taken on both channels.
#[derive(Default)]
struct Taken {
    times: Vec<Duration>,
    bytes: u64,
}

async fn accept() -> Outcome<()> {
    let node = accepting_node().await?;
    node.discover_topic(OTHER)?;
    let (mut small, mut other) = in_order(next(&node).await?, next(&node).await?);
    let taken = Arc::new(Mutex::new(Taken::default()));
    let beside = taken.clone();
    let reading = tokio::spawn(async move { read(&mut other, &beside).await });
    read(&mut small, &taken).await?;
    let figures = figures(&mut taken.lock().unwrap_or_else(PoisonError::into_inner));
    small.send(serde_json::to_vec(&figures)?).await?;
    reading.await??;
    match small.recv().await? {
        None => Ok(()),
        Some(_) => Err("there was more after the end".into()),
    }
}

/// Until the end, or what says that it comes.
async fn read(remote: &mut Remote, taken: &Mutex<Taken>) -> Outcome<()> {
    while let Some(message) = remote.recv().await? {
        let payload = message.payload();
        if payload == END {
            break;
        }
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        match payload.strip_prefix(TICK).and_then(|time| time.try_into().ok()) {
            Some(sent) => {
                let took = now().saturating_sub(u64::from_le_bytes(sent));
                taken.times.push(Duration::from_nanos(took));
            }
            None => taken.bytes += payload.len() as u64,
        }
    }
    Ok(())
}

fn figures(taken: &mut Taken) -> Figures {
    let Taken { times, bytes } = taken;
    times.sort_unstable();
    // As good as the clock, as each waits for the one before.
    let seconds = EVERY.as_secs_f64() * times.len() as f64;
    Figures::from([
        (Figure::Median, percentile(times, 50)),
        (Figure::NinetyNinth, percentile(times, 99)),
        (Figure::Longest, percentile(times, 100)),
        (Figure::Megabytes, *bytes as f64 / 1e6 / seconds),
    ])
}
