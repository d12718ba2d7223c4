//! A node sends to many remotes as fast as they read, and one of them does not read: what the others get, and what
//! the node keeps for the one.
//!
//! Beside it all of them read. In the end the one reads too, and every message has to be there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use p2pchan::Remote;
use tokio::{task::JoinSet, time::sleep};

use super::{Dialled, GO, WARM_UP, all_said_go, gather, say_go, send_until_told};
use crate::{
    Outcome,
    arguments::{Amount, Role, System},
    figures::{Figure, Figures},
    link::GONE,
    machine::anonymous_memory,
    message::END,
};

/// Messages that came, of all remotes.
type Counter = Arc<AtomicU64>;

pub(crate) async fn play(role: &Role) -> Outcome<Option<Figures>> {
    let stalled = role.system == System::P2pchanStalled;
    let dialling = |all| receive(all, stalled, role.amount);
    super::play(role, role.amount.at_once, send(role.amount), dialling).await
}

/// Until each remote says that it is enough.
async fn send(amount: Amount) -> Outcome<()> {
    let (_node, mut all) = gather(amount.at_once).await?;
    let before = anonymous_memory(std::process::id())?;
    all_said_go(&mut all).await?;
    let mut sending = JoinSet::new();
    for mut remote in all {
        sending.spawn(async move {
            send_until_told(&mut remote, amount.size).await?;
            let kept = anonymous_memory(std::process::id())?.saturating_sub(before);
            remote.send(END).await?;
            remote.send(&kept.to_le_bytes()[..]).await?;
            match remote.recv().await? {
                None => Outcome::Ok(()),
                Some(_) => Err("a remote said more than that it is enough".into()),
            }
        });
    }
    sending.join_all().await.into_iter().collect()
}

async fn receive(
    mut all: Vec<Dialled>,
    stalled: bool,
    amount: Amount,
) -> Outcome<(Vec<Dialled>, Figures)> {
    say_go(&all).await?;
    let (counter, mut reading) = (Counter::default(), JoinSet::new());
    let senders: Vec<_> = all.iter().map(|(_, remote)| remote.sender()).collect();
    let last = if stalled { all.pop() } else { None };
    let read = |(node, mut remote): Dialled, counter: Counter| async move {
        Outcome::Ok((read(&mut remote, &counter).await?, (node, remote)))
    };
    for one in all {
        reading.spawn(read(one, counter.clone()));
    }
    sleep(2 * WARM_UP).await;
    let before = counter.load(Ordering::Relaxed);
    let (began, length) = (Instant::now(), Duration::from_millis(amount.milliseconds.into()));
    let mut after = before;
    // Longer if nothing came, as on a machine that has no time for it.
    while after == before {
        sleep(length).await;
        after = counter.load(Ordering::Relaxed);
    }
    let rate = (after - before) as f64 / began.elapsed().as_secs_f64();
    for sender in senders {
        sender.send(GO).await?;
    }
    if let Some(one) = last {
        reading.spawn(read(one, counter.clone()));
    }
    let done = reading.join_all().await.into_iter().collect::<Outcome<Vec<(u64, Dialled)>>>()?;
    let (kept, all): (Vec<u64>, Vec<_>) = done.into_iter().unzip();
    let figures = Figures::from([
        (Figure::Messages, rate),
        (Figure::KeptMemory, kept.into_iter().max().unwrap_or(0) as f64),
    ]);
    Ok((all, figures))
}

/// Every message, in order, and then the KiB by which the sending end has grown.
async fn read(remote: &mut Remote, counter: &Counter) -> Outcome<u64> {
    let mut expected: u64 = 0;
    loop {
        let message = remote.recv().await?.ok_or(GONE)?;
        if message.payload() == END {
            break;
        }
        if message.payload().first_chunk() != Some(&expected.to_le_bytes()) {
            return Err("a message is missing, or comes twice".into());
        }
        expected += 1;
        counter.fetch_add(1, Ordering::Relaxed);
    }
    let kept = remote.recv().await?.ok_or(GONE)?;
    Ok(u64::from_le_bytes(*kept.payload().first_chunk().ok_or("the last message is torn")?))
}
