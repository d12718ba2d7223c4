//! Round trip: one message there and back, then the next.

use std::time::{Duration, Instant};

use crate::{
    Outcome,
    arguments::Amount,
    figures::{Figure, Figures},
    link::{GONE, Link},
    message::Messages,
};

/// Round trips that are not counted: until caches and branch predictors know the way.
const WARM_UP: u32 = 1000;
/// Keeps the list of times below 16 MiB however fast the machine is.
const MOST: usize = 2_000_000;

/// The dialling end.
pub(crate) async fn ask(link: &mut impl Link, amount: Amount) -> Outcome<Figures> {
    let mut messages = Messages::new(amount.size);
    for _ in 0..WARM_UP {
        once(link, messages.following()).await?;
    }
    let length = Duration::from_millis(amount.milliseconds.into());
    let (mut times, began) = (Vec::new(), Instant::now());
    while began.elapsed() < length && times.len() < MOST {
        times.push(once(link, messages.following()).await?);
    }
    times.sort_unstable();
    Ok(Figures::from([
        (Figure::Median, percentile(&times, 50)),
        (Figure::NinetyNinth, percentile(&times, 99)),
    ]))
}

async fn once(link: &mut impl Link, message: &[u8]) -> Outcome<Duration> {
    let began = Instant::now();
    link.send(message).await?;
    link.flush().await?;
    let same = link.receive(|echo| echo == message).await?.ok_or(GONE)?;
    let time = began.elapsed();
    if same { Ok(time) } else { Err("a message came back changed".into()) }
}

/// Microseconds that `percent` of the sorted `times` do not exceed.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> f64 {
    let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// The accepting end: until the other one leaves.
pub(crate) async fn echo(link: &mut impl Link) -> Outcome<()> {
    let mut echo = Vec::new();
    let keep = |echo: &mut Vec<u8>, message: &[u8]| {
        echo.clear();
        echo.extend_from_slice(message);
    };
    while link.receive(|message| keep(&mut echo, message)).await?.is_some() {
        link.send(&echo).await?;
        link.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&times, 50), 100.0);
        assert_eq!(percentile(&times, 99), 198.0);
        assert_eq!(percentile(&times[..1], 99), 1.0);
        assert!(percentile(&[], 50).is_nan());
    }
}
