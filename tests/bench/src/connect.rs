//! New connections a second, one at a time or many at once, up to the moment when both ends know
//! that it is open.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    Outcome,
    arguments::Amount,
    figures::{Figure, Figures},
    machine::processor_time,
};

/// Connections that are made and then closed before the next are made: few enough for the limits
/// of open files and of ports, enough for the clock.
const BATCH: usize = 256;
/// Batches of a run, so that a fast machine does not run out of ports.
const BATCHES: usize = 16;

/// The byte by which the accepting end says that a connection is open, where nothing else does.
pub(crate) const OPEN: u8 = b'!';

/// How a system makes connections.
pub(crate) trait Connector: Sync {
    /// What is there before the clock runs.
    type Ready: Send;
    /// A connection that both ends know to be open.
    type Open: Send;

    fn ready(&self) -> impl Future<Output = Outcome<Self::Ready>> + Send;
    fn connect(&self, ready: Self::Ready) -> impl Future<Output = Outcome<Self::Open>> + Send;
    fn close(&self, open: Self::Open) -> impl Future<Output = Outcome<()>> + Send;
}

/// The dialling end.
pub(crate) async fn measure(connector: &impl Connector, amount: Amount) -> Outcome<Figures> {
    batch(connector, amount.at_once).await?;
    let length = Duration::from_millis(amount.milliseconds.into());
    let (mut time, mut processor, mut made) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..BATCHES {
        let (took, cost) = batch(connector, amount.at_once).await?;
        time += took;
        processor += cost;
        made += BATCH;
        if time >= length {
            break;
        }
    }
    let made = made as f64;
    Ok(Figures::from([
        (Figure::Connections, made / time.as_secs_f64()),
        (Figure::DiallingProcessor, processor.as_secs_f64() * 1e6 / made),
    ]))
}

/// Only the making is timed: not what comes before, and not the closing.
async fn batch(connector: &impl Connector, at_once: usize) -> Outcome<(Duration, Duration)> {
    let ready = prepare(connector, BATCH).await?;
    let (began, processor_before) = (Instant::now(), processor_time());
    let open = open(connector, ready, at_once).await?;
    let taken = (began.elapsed(), processor_time() - processor_before);
    for connection in open {
        connector.close(connection).await?;
    }
    Ok(taken)
}

pub(crate) async fn prepare<C: Connector>(connector: &C, count: usize) -> Outcome<Vec<C::Ready>> {
    let mut ready = Vec::with_capacity(count);
    for _ in 0..count {
        ready.push(connector.ready().await?);
    }
    Ok(ready)
}

pub(crate) async fn open<C: Connector>(
    connector: &C,
    ready: Vec<C::Ready>,
    at_once: usize,
) -> Outcome<Vec<C::Open>> {
    let dials = stream::iter(ready).map(|ready| connector.connect(ready));
    dials.buffer_unordered(at_once).try_collect().await
}
