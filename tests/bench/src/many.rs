//! One node with many remotes: what each of them costs, and whether they are fair to each other.
//!
//! The accepting end is the one node, the dialling end as many as there are remotes, all on one core.
//!
//! - [`turns`]: the one node sends to all in turn, as fast as they go.
//! - [`greedy`]: all send to the one node, one of them long messages.
//! - [`stalled`]: the one node sends to all, and one of them does not read.

pub(crate) mod greedy;
pub(crate) mod stalled;
pub(crate) mod turns;

use std::{future::Future, time::Duration};

use p2pchan::{Message, Node, Remote};
use tokio::task::JoinSet;

use crate::{
    Outcome,
    arguments::{End, Role},
    connect::{Connector, open, prepare},
    figures::Figures,
    link::GONE,
    message::Messages,
    ours::{Remotes, accepting_node},
};

/// Well below what a listener's queue takes.
const AT_ONCE: usize = 16;
/// Until buffers and windows have grown.
const WARM_UP: Duration = Duration::from_millis(150);
/// What the dialling end says on each remote before the accepting end begins.
const GO: &[u8] = b"go";

type Dialled = (Node, Remote);

/// Plays one end: the one node by `accepting`, or as many as it has remotes by `dialling`, which then part.
async fn play<D>(
    role: &Role,
    remotes: usize,
    accepting: impl Future<Output = Outcome<()>>,
    dialling: impl FnOnce(Vec<Dialled>) -> D,
) -> Outcome<Option<Figures>>
where
    D: Future<Output = Outcome<(Vec<Dialled>, Figures)>>,
{
    match role.end {
        End::Accept => accepting.await.map(|()| None),
        End::Dial => {
            let (all, figures) = dialling(spread(role, remotes).await?).await?;
            part(role, all).await?;
            Ok(Some(figures))
        }
    }
}

/// The one node and its remotes, in the order in which they came.
async fn gather(count: usize) -> Outcome<(Node, Vec<Remote>)> {
    let node = accepting_node().await?;
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        all.push(node.next_remote().await.ok_or("the node closed")?);
    }
    Ok((node, all))
}

/// The remotes of as many nodes.
async fn spread(role: &Role, count: usize) -> Outcome<Vec<Dialled>> {
    let connector = Remotes::to(&role.address)?;
    let ready = prepare(&connector, count).await?;
    open(&connector, ready, AT_ONCE).await
}

async fn part(role: &Role, all: Vec<Dialled>) -> Outcome<()> {
    let connector = Remotes::to(&role.address)?;
    for one in all {
        connector.close(one).await?;
    }
    Ok(())
}

/// Waits until all have said it; false if the first one has left instead.
async fn all_said_go(all: &mut [Remote]) -> Outcome<bool> {
    for (place, remote) in all.iter_mut().enumerate() {
        match remote.recv().await? {
            Some(message) if message.payload() == GO => {}
            None if place == 0 => return Ok(false),
            _ => return Err("a remote said something else before the beginning".into()),
        }
    }
    Ok(true)
}

async fn say_go(all: &[Dialled]) -> Outcome<()> {
    for (_, remote) in all {
        remote.send(GO).await?;
    }
    Ok(())
}

/// Until the other ends have left, in whatever order they do.
async fn await_ends(all: Vec<Remote>) -> Outcome<()> {
    let mut ending = JoinSet::new();
    for mut remote in all {
        ending.spawn(async move {
            match remote.recv().await? {
                None => Outcome::Ok(()),
                Some(_) => Err("a remote said something after the end".into()),
            }
        });
    }
    ending.join_all().await.into_iter().collect()
}

/// Sends as fast as it goes, until the other end says something; what that was.
async fn send_until_told(remote: &mut Remote, size: usize) -> Outcome<Message> {
    let (sender, mut messages) = (remote.sender(), Messages::new(size));
    let sending = tokio::spawn(async move {
        while sender.send(messages.following()).await.is_ok() {
            // Readers and writers of other remotes have their turns also while there is room.
            tokio::task::consume_budget().await;
        }
    });
    let told = remote.recv().await;
    sending.abort();
    // It was cancelled, or the remote has ended, and then nothing was told.
    let _ = sending.await;
    told?.ok_or_else(|| GONE.into())
}
