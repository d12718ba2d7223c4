//! Gathers what is known of one peer or address.

use std::{cmp::Reverse, collections::BTreeSet, net::SocketAddr};

use p2pchan_proto::{
    address::Address,
    book::{Attempt, Ignored, Known, Tried},
    id::PeerId,
    time::Time,
};

use super::{
    inner::{Core, Inner},
    status::{address_status, link_status},
};
use crate::{
    link::Link,
    status::{AttemptStatus, CandidateStatus, Explanation, StrategyStatus, Target},
};

/// Addresses that are told of: somebody may claim one identity at many.
const MOST_CANDIDATES: usize = 32;
/// What is listed of what is known, when nothing is known of what was asked for.
const MOST_OTHERS: usize = 16;

impl Inner {
    /// See [`super::Node::explain`].
    pub(super) fn explain(&self, target: &Target) -> Explanation {
        let now = self.clock.now();
        let core = self.core();
        let (mut candidates, more) = candidates(&core, target, now);
        // What was dialled last first.
        candidates.sort_by_key(|it| it.attempts.last().map_or(it.entry.last_seen, |it| it.began));
        let mut notes = self.notes(&core, target);
        if more > 0 {
            notes.push(format!("{more} more of its addresses are known"));
        }
        let is_meant = |link: &Link| target.is(&link.peer) || is_at(target, link.address);
        let links: Vec<_> = core
            .table
            .values()
            .filter(|link| is_meant(link) || leads_to(&candidates, link))
            .map(|link| link_status(link, now))
            .collect();
        let known = !(links.is_empty() && candidates.is_empty());
        let (other_peers, other_addresses) = if known { Default::default() } else { others(&core) };
        let target = target.to_string();
        Explanation { target, known, notes, links, candidates, other_peers, other_addresses }
    }

    fn notes(&self, core: &Core, target: &Target) -> Vec<String> {
        let note = match target {
            Target::Address(address) => match core.book.ignores(*address) {
                Some(Ignored::Own) => "this node itself listens there",
                Some(Ignored::Never(why)) => {
                    return vec![format!("an address that {why} is never dialled")];
                }
                _ => return Vec::new(),
            },
            peer if peer.is(&self.id) => "it is this node itself",
            peer => match self.settings().allow.as_ref() {
                Some(allow) if !allow.iter().any(|allowed| peer.is(allowed)) => {
                    "it is not on the list of the setting allow, and gets no remote"
                }
                _ => return Vec::new(),
            },
        };
        vec![note.into()]
    }
}

/// The addresses that are meant, and how many there are besides.
fn candidates(core: &Core, target: &Target, now: Time) -> (Vec<CandidateStatus>, usize) {
    let mut meant: Vec<_> = core.book.attempts().filter(|known| is_meant(target, known)).collect();
    let more = meant.len().saturating_sub(MOST_CANDIDATES);
    // Those that were heard of lately matter most.
    meant.sort_by_key(|known| Reverse(known.seen));
    meant.truncate(MOST_CANDIDATES);
    let status = |known: &Known<'_>| CandidateStatus {
        entry: address_status(known, now),
        dialling: core.book.dialling_since(known.address).map(|since| now - since),
        attempts: known.attempts.iter().map(|attempt| attempt_status(attempt, now)).collect(),
    };
    (meant.iter().map(status).collect(), more)
}

fn is_meant(target: &Target, known: &Known<'_>) -> bool {
    let mut peers = known.peer.into_iter().chain(known.attempts.iter().filter_map(|it| it.peer));
    is_at(target, known.address) || peers.any(|peer| target.is(&peer))
}

fn is_at(target: &Target, address: Address) -> bool {
    let Target::Address(target) = target else { return false };
    let socket = SocketAddr::new(target.socket.ip().to_canonical(), target.socket.port());
    Address { socket, ..*target }.same_place(&address)
}

/// Whether one of these addresses leads to the peer of the link.
fn leads_to(candidates: &[CandidateStatus], link: &Link) -> bool {
    let peer = link.peer.to_string();
    let leads = |it: &CandidateStatus| {
        it.entry.state == "connected" && it.entry.peer.as_ref() == Some(&peer)
    };
    candidates.iter().any(leads)
}

fn others(core: &Core) -> (Vec<String>, Vec<String>) {
    let connected = core.table.values().map(|link| link.peer);
    let found = core.book.attempts().filter_map(|known| known.peer);
    let peers: BTreeSet<PeerId> = connected.chain(found).collect();
    let addresses = core.book.attempts().map(|known| known.address.to_string());
    (
        peers.iter().take(MOST_OTHERS).map(ToString::to_string).collect(),
        addresses.take(MOST_OTHERS).collect(),
    )
}

fn attempt_status(attempt: &Attempt, now: Time) -> AttemptStatus {
    AttemptStatus {
        began: now - attempt.began,
        ended: now - attempt.ended,
        strategies: attempt.tried.iter().map(|tried| strategy_status(tried, now)).collect(),
        rtt: attempt.round_trip,
        peer: attempt.peer.map(|peer| peer.to_string()),
        verdict: attempt.outcome.to_string(),
    }
}

fn strategy_status(tried: &Tried, now: Time) -> StrategyStatus {
    StrategyStatus {
        strategy: tried.strategy.into(),
        began: now - tried.began,
        ended: tried.ended.map(|ended| now - ended),
        verdict: tried.verdict.clone(),
    }
}
