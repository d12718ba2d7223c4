//! Many remotes send to one node as fast as they can, and one of them much longer messages: how much more of the
//! node it gets than the others.
//!
//! The node reads all of them, each by a task of its own, and goes through every byte as often as makes it the slowest
//! of all: only what has to wait for it is shared by it. Beside it all are alike.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use p2pchan::{Remote, Sender};
use tokio::{task::JoinSet, time::sleep};

use super::{Dialled, WARM_UP, gather, send_until_told};
use crate::{
    Outcome,
    arguments::{Amount, Role, System},
    figures::{Figure, Figures},
};

/// What the greedy one sends.
const LONG: usize = 1 << 20;

/// How often the node goes through each byte: three times what sending it costs.
const PASSES: u32 = 5;
/// Of the hash FNV-1a.
const PRIME: u64 = 0x0100_0000_01b3;

/// Bytes that came from a remote; [`OVER`] once nobody counts any more.
type Counter = Arc<AtomicU64>;
const OVER: u64 = u64::MAX;

pub(crate) async fn play(role: &Role) -> Outcome<Option<Figures>> {
    let greedy = role.system == System::P2pchanGreedy;
    let dialling = |all| send_all(all, greedy, role.amount.size);
    super::play(role, role.amount.at_once, count_all(role.amount), dialling).await
}

async fn count_all(amount: Amount) -> Outcome<()> {
    let (_node, all) = gather(amount.at_once).await?;
    let senders: Vec<Sender> = all.iter().map(Remote::sender).collect();
    let counters: Vec<Counter> = all.iter().map(|_| Counter::default()).collect();
    let mut reading = JoinSet::new();
    for (mut remote, counter) in all.into_iter().zip(counters.clone()) {
        reading.spawn(async move { read(&mut remote, &counter).await });
    }
    sleep(2 * WARM_UP).await;
    let before = look(&counters);
    let (began, length) = (Instant::now(), Duration::from_millis(amount.milliseconds.into()));
    let mut after = before.clone();
    // Longer if nothing came, as on a machine that has no time for it.
    while after == before {
        sleep(length).await;
        after = look(&counters);
    }
    let seconds = began.elapsed().as_secs_f64();
    let bytes: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    let figures = shares(&bytes, seconds);
    // What is still on the way only has to be taken.
    counters.iter().for_each(|counter| counter.store(OVER, Ordering::Relaxed));
    for sender in senders {
        sender.send(serde_json::to_vec(&figures)?).await?;
    }
    reading.join_all().await.into_iter().collect()
}

fn look(counters: &[Counter]) -> Vec<u64> {
    counters.iter().map(|counter| counter.load(Ordering::Relaxed)).collect()
}

async fn read(remote: &mut Remote, counter: &Counter) -> Outcome<()> {
    while let Some(message) = remote.recv().await? {
        let bytes = counter.load(Ordering::Relaxed);
        if bytes != OVER {
            (0..PASSES).for_each(|_| _ = black_box(checksum(message.payload())));
            counter.store(bytes + message.payload().len() as u64, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// About 0.2 s for a gigabyte.
fn checksum(payload: &[u8]) -> u64 {
    let (words, _) = payload.as_chunks::<8>();
    words.iter().fold(1, |sum, word| (sum ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME))
}

fn shares(bytes: &[u64], seconds: f64) -> Figures {
    let total = bytes.iter().sum::<u64>() as f64;
    let part = total / bytes.len() as f64;
    let share = |bytes: Option<&u64>| bytes.map_or(f64::NAN, |bytes| *bytes as f64 / part);
    Figures::from([
        (Figure::MostShare, share(bytes.iter().max())),
        (Figure::LeastShare, share(bytes.iter().min())),
        (Figure::Megabytes, total / 1e6 / seconds),
    ])
}

/// Each sends until it is told the figures.
async fn send_all(
    all: Vec<Dialled>,
    greedy: bool,
    size: usize,
) -> Outcome<(Vec<Dialled>, Figures)> {
    let mut sending = JoinSet::new();
    for (place, (node, mut remote)) in all.into_iter().enumerate() {
        let size = if greedy && place == 0 { LONG } else { size };
        sending.spawn(async move {
            let told = send_until_told(&mut remote, size).await?;
            Outcome::Ok((serde_json::from_slice(told.payload())?, (node, remote)))
        });
    }
    let told =
        sending.join_all().await.into_iter().collect::<Outcome<Vec<(Figures, Dialled)>>>()?;
    let (mut figures, all): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    Ok((all, figures.pop().ok_or("there are no remotes")?))
}
