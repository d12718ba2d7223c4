//! One-way flood: how many messages a second, and what they cost each end in processor time.
//!
//! The dialling end sends for a while and then the signal that this was all; the accepting end
//! answers with its tally, which stops the clock. The first flood of each connection only warms up.

use std::time::{Duration, Instant};

use crate::{
    Outcome,
    arguments::Amount,
    figures::{Figure, Figures},
    frames::COALESCED,
    link::{GONE, Link},
    machine::processor_time,
    message::{END, Messages, Tally},
};

/// Until buffers and windows have grown.
const WARM_UP: Duration = Duration::from_millis(150);

/// The dialling end.
pub(crate) async fn send(link: &mut impl Link, amount: Amount) -> Outcome<Figures> {
    flood(link, amount.size, WARM_UP).await?;
    let milliseconds = amount.milliseconds.into();
    flood(link, amount.size, Duration::from_millis(milliseconds)).await
}

async fn flood(link: &mut impl Link, size: usize, length: Duration) -> Outcome<Figures> {
    let (began, processor_before) = (Instant::now(), processor_time());
    let tally = send_for(link, size, length).await?;
    let answer = link.receive(parse_answer).await?.ok_or(GONE)?.ok_or("the tally is torn")?;
    let (seconds, processor) = (began.elapsed().as_secs_f64(), processor_time() - processor_before);
    tally.check(answer.0)?;
    Ok(figures(tally.count as f64, size as f64, seconds, processor, answer.1))
}

async fn send_for(link: &mut impl Link, size: usize, length: Duration) -> Outcome<Tally> {
    let (mut messages, mut tally) = (Messages::new(size), Tally::default());
    // Looking at the clock before every short message would be part of the measurement.
    let burst = (COALESCED / size).max(1);
    let began = Instant::now();
    while began.elapsed() < length {
        for _ in 0..burst {
            let message = messages.following();
            tally.add(message);
            link.send(message).await?;
        }
    }
    link.send(END).await?;
    link.flush().await?;
    Ok(tally)
}

fn figures(count: f64, size: f64, seconds: f64, sending: Duration, receiving: Duration) -> Figures {
    let gigabytes = count * size / 1e9;
    Figures::from([
        (Figure::Messages, count / seconds),
        (Figure::Megabytes, gigabytes * 1e3 / seconds),
        (Figure::SendingProcessor, sending.as_secs_f64() / gigabytes),
        (Figure::ReceivingProcessor, receiving.as_secs_f64() / gigabytes),
    ])
}

/// The accepting end: until the other one leaves.
pub(crate) async fn receive(link: &mut impl Link) -> Outcome<()> {
    let (mut tally, mut processor_before) = (Tally::default(), processor_time());
    let mut ended = false;
    while link.receive_some(|message| ended |= count(&mut tally, message)).await? {
        if std::mem::take(&mut ended) {
            link.send(&answer(tally, processor_time() - processor_before)).await?;
            link.flush().await?;
            (tally, processor_before) = (Tally::default(), processor_time());
        }
    }
    Ok(())
}

#[inline]
fn count(tally: &mut Tally, message: &[u8]) -> bool {
    let ended = message == END;
    if !ended {
        tally.add(message);
    }
    ended
}

fn answer(tally: Tally, processor: Duration) -> Vec<u8> {
    let nanoseconds = u64::try_from(processor.as_nanos()).unwrap_or(u64::MAX);
    [&tally.to_bytes()[..], &nanoseconds.to_le_bytes()].concat()
}

fn parse_answer(bytes: &[u8]) -> Option<(Tally, Duration)> {
    let (tally, processor) = bytes.split_last_chunk()?;
    Some((Tally::from_bytes(tally)?, Duration::from_nanos(u64::from_le_bytes(*processor))))
}
