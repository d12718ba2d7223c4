//! What the DHT is asked.

use std::{future::poll_fn, net::SocketAddrV4, pin::Pin};

use futures_core::Stream;
use mainline::{
    Id,
    async_dht::{AsyncDht, GetStream},
    errors::PutQueryError,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{answers::Answers, client::Overrun};

type Peers = GetStream<Vec<SocketAddrV4>>;

/// Looks a key up, sends what may be reported to `finds`, and says whether anybody answers.
pub(super) async fn look_up(
    dht: AsyncDht,
    key: [u8; 20],
    deadline: Instant,
    mut answers: Answers,
    finds: mpsc::Sender<SocketAddrV4>,
) -> Result<bool, Overrun> {
    let mut peers = dht.get_peers(Id::from(key));
    let mut answered = false;
    let end = loop {
        match timeout_at(deadline, next(&mut peers)).await {
            Ok(Some(answer)) => {
                answered = true;
                report(&finds, answers.take(answer));
            }
            Ok(None) => break Ok(()),
            Err(_) => break Err(Overrun),
        }
    };
    report(&finds, answers.rest());
    drop(finds);
    end?;
    // The crate tells only of answers with peers. Whoever answered without is in its table, for
    // 15 minutes.
    Ok(answered || !dht.to_bootstrap().await.is_empty())
}

/// Nobody listens any more when the verb was dropped; the lookup is then only watched.
fn report(finds: &mpsc::Sender<SocketAddrV4>, addresses: Vec<SocketAddrV4>) {
    for address in addresses {
        let _ = finds.try_send(address);
    }
}

/// Announces this node's TCP port, after a lookup that finds out to whom.
pub(super) async fn announce(
    dht: AsyncDht,
    key: [u8; 20],
    deadline: Instant,
    port: u16,
) -> Result<Result<(), PutQueryError>, Overrun> {
    let key = Id::from(key);
    let mut peers = dht.get_peers(key);
    let lookup = async { while next(&mut peers).await.is_some() {} };
    timeout_at(deadline, lookup).await.map_err(|_| Overrun)?;
    Ok(dht.announce_peer(key, Some(port)).await.map(drop))
}

async fn next(peers: &mut Peers) -> Option<Vec<SocketAddrV4>> {
    poll_fn(|context| Pin::new(&mut *peers).poll_next(context)).await
}
