//! An [`Explanation`] as text.

use std::{fmt, time::Duration};

use super::{
    AttemptStatus, CandidateStatus, Explanation, LinkStatus, StrategyStatus,
    words::{Plain, Span},
};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.known, self.links.is_empty()) {
            (false, _) => "unknown",
            (true, true) => "not connected",
            (true, false) => "connected",
        };
        writeln!(f, "{}: {state}", Plain(&self.target))?;
        for note in &self.notes {
            writeln!(f, "  {}", Plain(note))?;
        }
        self.links.iter().try_for_each(|link| tell_link(f, link, &self.target))?;
        self.candidates.iter().try_for_each(|candidate| tell_candidate(f, candidate))?;
        tell_others(f, "peers", &self.other_peers)?;
        tell_others(f, "addresses", &self.other_addresses)
    }
}

fn tell_others(f: &mut fmt::Formatter<'_>, what: &str, others: &[String]) -> fmt::Result {
    if others.is_empty() {
        return Ok(());
    }
    writeln!(f, "  known {what}:")?;
    others.iter().try_for_each(|other| writeln!(f, "    {}", Plain(other)))
}

fn tell_link(f: &mut fmt::Formatter<'_>, link: &LinkStatus, target: &str) -> fmt::Result {
    let LinkStatus { state, side, address, age, rtt, .. } = link;
    write!(f, "  connection {}: {state}, {side} {address} {} ago", link.link, Span(*age))?;
    tell_round_trip(f, *rtt)?;
    if link.peer == target { Ok(()) } else { writeln!(f, "    to {}", Plain(&link.peer)) }
}

/// The end of a line.
fn tell_round_trip(f: &mut fmt::Formatter<'_>, rtt: Option<Duration>) -> fmt::Result {
    match rtt {
        Some(rtt) => writeln!(f, ", round trip {}", Span(rtt)),
        None => writeln!(f),
    }
}

fn tell_candidate(f: &mut fmt::Formatter<'_>, candidate: &CandidateStatus) -> fmt::Result {
    let entry = &candidate.entry;
    writeln!(f, "{}", entry.address)?;
    let mut found: Vec<_> = entry
        .found
        .iter()
        .map(|found| format!("{} for subject {}", Plain(&found.source), found.subject))
        .collect();
    if found.is_empty() {
        found.push("nobody; the program asked for it".into());
    }
    writeln!(
        f,
        "  found by {}; first {} ago, last {} ago",
        found.join(", by "),
        Span(entry.first_seen),
        Span(entry.last_seen)
    )?;
    if let Some(peer) = &entry.peer {
        writeln!(f, "  answered by {peer}")?;
    }
    writeln!(f, "  now: {}", Now(candidate))?;
    candidate.attempts.iter().rev().try_for_each(|attempt| tell_attempt(f, attempt))
}

/// What an address is doing.
struct Now<'a>(&'a CandidateStatus);

impl fmt::Display for Now<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CandidateStatus { entry, dialling, .. } = self.0;
        match (&*entry.state, dialling, entry.next_try) {
            ("dialling", Some(since), _) => write!(f, "being dialled for {}", Span(*since)),
            ("waiting", ..) => f.write_str("waiting for a free place among the dials"),
            ("backing_off", _, Some(next)) => {
                write!(f, "left alone; next try in {}", Span(next))
            }
            ("connected", ..) => f.write_str("leads to a connected peer"),
            ("own", ..) => f.write_str("leads to this node itself; never dialled"),
            ("idle", ..) => f.write_str("worked once; no subject asks for it now"),
            (state, ..) => f.write_str(state),
        }?;
        match entry.tries {
            0 => f.write_str("; not tried yet"),
            1 => f.write_str("; tried once"),
            tries => write!(f, "; tried {tries} times"),
        }
    }
}

/// On one line if one way was tried, else with a line for each.
fn tell_attempt(f: &mut fmt::Formatter<'_>, attempt: &AttemptStatus) -> fmt::Result {
    let AttemptStatus { began, ended, strategies, rtt, verdict, .. } = attempt;
    write!(f, "  {} ago: ", Span(*began))?;
    let won = strategies.iter().any(|it| it.verdict == "won");
    match &**strategies {
        [] => return writeln!(f, "{} after {}", Plain(verdict), took(*began, *ended)),
        [only] if !won => return writeln!(f, "{}", Way(only)),
        _ if !won => write!(f, "not reached")?,
        _ => write!(f, "{}", Plain(verdict))?,
    }
    tell_round_trip(f, *rtt)?;
    strategies.iter().try_for_each(|strategy| writeln!(f, "    {}", Way(strategy)))
}

/// How one way went.
struct Way<'a>(&'a StrategyStatus);

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StrategyStatus { strategy, began, ended, verdict } = self.0;
        write!(f, "{strategy}: {}", Plain(verdict))?;
        match ended {
            Some(ended) => write!(f, " after {}", took(*began, *ended)),
            None => Ok(()),
        }
    }
}

/// What something took that began and ended so long ago.
const fn took(began: Duration, ended: Duration) -> Span {
    Span(began.saturating_sub(ended))
}
