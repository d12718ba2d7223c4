//! A node sends to each of its remotes in turn: how many messages a second all of them get together.
//!
//! Beside it stands the same program with one remote. The first flood only warms up, as everywhere.

use std::time::{Duration, Instant};

use p2pchan::Remote;
use tokio::task::JoinSet;

use super::{Dialled, GO, WARM_UP, all_said_go, await_ends, gather, say_go};
use crate::{
    Outcome,
    arguments::{Amount, Role, System},
    figures::{Figure, Figures},
    link::GONE,
    message::{END, Messages, Tally},
};

/// Messages between two looks at the clock.
const BURST: usize = 64;

pub(crate) async fn play(role: &Role) -> Outcome<Option<Figures>> {
    let count = if role.system == System::P2pchanMany { role.amount.at_once } else { 1 };
    let dialling = |all| async {
        let (all, _) = receive(all, role.amount).await?;
        receive(all, role.amount).await
    };
    super::play(role, count, send(count, role.amount), dialling).await
}

async fn send(count: usize, amount: Amount) -> Outcome<()> {
    let (_node, mut all) = gather(count).await?;
    let mut length = WARM_UP;
    while all_said_go(&mut all).await? {
        in_turn(&all, amount.size, length).await?;
        length = Duration::from_millis(amount.milliseconds.into());
    }
    await_ends(all).await
}

async fn in_turn(all: &[Remote], size: usize, length: Duration) -> Outcome<()> {
    let (mut messages, mut tallies) = (Messages::new(size), vec![Tally::default(); all.len()]);
    let mut turns = (0..all.len()).cycle();
    let began = Instant::now();
    while began.elapsed() < length {
        for place in turns.by_ref().take(BURST) {
            let message = messages.following();
            tallies[place].add(message);
            all[place].send(message).await?;
        }
    }
    for (remote, tally) in all.iter().zip(tallies) {
        remote.send(END).await?;
        remote.send(&tally.to_bytes()[..]).await?;
    }
    Ok(())
}

/// Each remote has a task, as servers do it.
async fn receive(all: Vec<Dialled>, amount: Amount) -> Outcome<(Vec<Dialled>, Figures)> {
    let began = Instant::now();
    say_go(&all).await?;
    let mut tasks = JoinSet::new();
    for (node, mut remote) in all {
        tasks.spawn(async move { Ok((count(&mut remote).await?, (node, remote))) });
    }
    let counted = tasks.join_all().await.into_iter().collect::<Outcome<Vec<(u64, Dialled)>>>()?;
    let seconds = began.elapsed().as_secs_f64();
    let total = counted.iter().map(|(count, _)| *count as f64).sum::<f64>();
    let figures = Figures::from([
        (Figure::Messages, total / seconds),
        (Figure::Megabytes, total * amount.size as f64 / 1e6 / seconds),
    ]);
    Ok((counted.into_iter().map(|(_, one)| one).collect(), figures))
}

/// Messages up to the signal, checked against the tally that follows it.
async fn count(remote: &mut Remote) -> Outcome<u64> {
    let mut tally = Tally::default();
    loop {
        let message = remote.recv().await?.ok_or(GONE)?;
        match &message.payload()[..] {
            END => break,
            GO => return Err("a remote heard what it was to say".into()),
            payload => tally.add(payload),
        }
    }
    let sent = remote.recv().await?.ok_or(GONE)?;
    Tally::from_bytes(sent.payload()).ok_or("the tally is torn")?.check(tally)?;
    Ok(tally.count)
}
