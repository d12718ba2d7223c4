//! Which of the addresses that DHT nodes name are believed enough to be reported.
//!
//! Anybody can announce any number of addresses, and every node answers with a random sample of
//! what it has. A lookup therefore takes few addresses from each answer, at random, and its total
//! fairly across answers: those who fill a thousand places crowd an honest peer out of one lookup,
//! never out of all.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddrV4},
};

/// Addresses taken from one answer: an honest node has 8 to 100 and means them as a sample.
const MAX_PER_ANSWER: usize = 16;
/// Addresses reported by one lookup; the dialler tries no more in the time until the next.
pub(super) const MAX_PER_LOOKUP: usize = 64;
/// Addresses of one answer that are reported as it arrives; the others wait for the fair division.
const EAGER_PER_ANSWER: usize = 2;
/// Addresses that may be reported before the lookup is over, half of the total: the first
/// answers come from those who answer fastest, not from those who are right.
const MAX_EAGER: usize = MAX_PER_LOOKUP / 2;
/// Answers that wait for the division. A lookup visits some tens of nodes.
const MAX_ANSWERS: usize = 128;

/// The addresses of one lookup.
#[derive(Debug)]
pub(super) struct Answers {
    /// Whether this network is the user's own, where private addresses are what one looks for.
    own_network: bool,
    reported: HashSet<SocketAddrV4>,
    waiting: Vec<Vec<SocketAddrV4>>,
    /// Answers seen, so that each has the same chance to wait.
    seen: usize,
}

impl Answers {
    pub(super) fn new(own_network: bool) -> Self {
        Self { own_network, reported: HashSet::new(), waiting: Vec::new(), seen: 0 }
    }

    /// Takes one answer, and returns what to report at once.
    pub(super) fn take(&mut self, mut answer: Vec<SocketAddrV4>) -> Vec<SocketAddrV4> {
        answer.retain(|address| {
            is_possible(*address, self.own_network) && !self.reported.contains(address)
        });
        shuffle(&mut answer);
        answer.truncate(MAX_PER_ANSWER);
        let room = MAX_EAGER.saturating_sub(self.reported.len()).min(EAGER_PER_ANSWER);
        let later = answer.split_off(room.min(answer.len()));
        answer.retain(|address| self.reported.insert(*address));
        self.wait(later);
        answer
    }

    /// Ends the lookup: divides what is left of the total across the answers, one address each in
    /// turn.
    pub(super) fn rest(mut self) -> Vec<SocketAddrV4> {
        shuffle(&mut self.waiting);
        let mut rest = Vec::new();
        while !self.waiting.is_empty() {
            for answer in &mut self.waiting {
                let Some(address) = answer.pop() else { continue };
                if self.reported.len() < MAX_PER_LOOKUP && self.reported.insert(address) {
                    rest.push(address);
                }
            }
            self.waiting.retain(|answer| !answer.is_empty());
        }
        rest
    }

    /// Reservoir sampling: whoever answers late waits as likely as whoever answered first.
    fn wait(&mut self, answer: Vec<SocketAddrV4>) {
        self.seen += 1;
        if self.waiting.len() < MAX_ANSWERS {
            self.waiting.push(answer);
        } else if let Some(place) = self.waiting.get_mut(below(self.seen)) {
            *place = answer;
        }
    }
}

/// Whether all of a network's entrances are on this machine or the local network, so that it is a
/// network of the user's own.
pub(super) fn is_own_network(bootstrap: &[SocketAddrV4]) -> bool {
    bootstrap.iter().all(|address| is_local(*address.ip()))
}

/// Whether a peer can be there. Private addresses from the public network mean other people's
/// machines, or an attempt to make this one probe its own network.
fn is_possible(address: SocketAddrV4, own_network: bool) -> bool {
    let ip = *address.ip();
    let martian = ip.octets()[0] == 0 || ip.is_multicast() || ip.octets()[0] >= 240;
    address.port() != 0 && !martian && (own_network || !is_local(ip))
}

/// Loopback, RFC 1918, link-local (RFC 3927) and shared address space (RFC 6598).
const fn is_local(ip: Ipv4Addr) -> bool {
    let octets = ip.octets();
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || (octets[0] == 100 && octets[1] & 0xc0 == 64)
}

/// Fisher and Yates.
fn shuffle<T>(list: &mut [T]) {
    for last in (1..list.len()).rev() {
        list.swap(last, below(last + 1));
    }
}

/// A random number below `limit`, which is not 0. Without operating system randomness it is 0: the
/// choice is then predictable, which only costs fairness.
fn below(limit: usize) -> usize {
    let random = getrandom::u32().unwrap_or(0);
    usize::try_from(random).unwrap_or(0) % limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    /// 198.18.0.0/15 is for tests (RFC 2544).
    fn bogus(number: u16) -> SocketAddrV4 {
        let [high, low] = number.to_be_bytes();
        SocketAddrV4::new(Ipv4Addr::new(198, 18, high, low), 4000)
    }

    fn look_up(answers: &[Vec<SocketAddrV4>]) -> Vec<SocketAddrV4> {
        let mut sample = Answers::new(false);
        let mut reported: Vec<_> =
            answers.iter().flat_map(|answer| sample.take(answer.clone())).collect();
        reported.extend(sample.rest());
        reported
    }

    #[test]
    fn one_answer_yields_at_most_sixteen_addresses() {
        assert_eq!(look_up(&[(0..250).map(bogus).collect()]).len(), MAX_PER_ANSWER);
    }

    #[test]
    fn a_lookup_yields_at_most_sixty_four_addresses_however_many_answer() {
        let answers: Vec<_> =
            (0..1000).map(|i| (0..64).map(|j| bogus(i * 64 + j)).collect()).collect();
        assert_eq!(look_up(&answers).len(), MAX_PER_LOOKUP);
    }

    #[test]
    fn no_address_is_reported_twice() {
        let answers = vec![(0..20).map(bogus).collect::<Vec<_>>(); 10];
        let reported = look_up(&answers);
        let distinct: HashSet<_> = reported.iter().collect();
        assert_eq!(distinct.len(), reported.len());
    }

    #[test]
    fn a_peer_that_one_node_names_gets_past_any_number_of_bogus_addresses() {
        let honest = address("192.0.2.7:8099");
        let mut answers: Vec<_> =
            (0..40).map(|i| (0..25).map(|j| bogus(i * 25 + j)).collect()).collect();
        answers.push(vec![honest]);
        // One of 41 answers, with 32 places left to divide: all but certain within 40 lookups.
        assert!((0..200).any(|_| look_up(&answers).contains(&honest)));
    }

    #[test]
    fn a_peer_among_a_thousand_addresses_of_one_answer_gets_through_in_time() {
        let honest = address("192.0.2.7:8099");
        let mut answer: Vec<_> = (0..250).map(bogus).collect();
        answer.push(honest);
        // 16 of 251 are taken: 1,000 lookups all miss it with probability 1e-29.
        assert!((0..1000).any(|_| look_up(&[answer.clone()]).contains(&honest)));
    }

    #[test]
    fn a_late_answer_waits_as_likely_as_an_early_one() {
        let honest = address("192.0.2.7:8099");
        let mut answers: Vec<_> = (0..300).map(|i| vec![bogus(i), bogus(i + 300)]).collect();
        answers.push(vec![honest]);
        assert!((0..1000).any(|_| look_up(&answers).contains(&honest)));
    }

    #[test]
    fn addresses_where_nobody_can_be_are_dropped() {
        for text in [
            "0.0.0.0:1",
            "0.1.2.3:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "240.0.0.1:1",
            "8.8.8.8:0",
        ] {
            assert!(!is_possible(address(text), true), "{text}");
        }
        assert!(is_possible(address("192.0.2.1:1"), false));
    }

    #[test]
    fn private_addresses_count_only_in_a_network_of_ones_own() {
        for text in ["127.0.0.1:1", "10.0.0.1:1", "192.168.0.1:1", "169.254.0.1:1", "100.64.0.1:1"]
        {
            assert!(!is_possible(address(text), false), "{text}");
            assert!(is_possible(address(text), true), "{text}");
        }
        assert!(is_possible(address("100.128.0.1:1"), false));
    }

    #[test]
    fn one_public_entrance_makes_a_network_public() {
        let (own, public) = (address("127.0.0.1:1"), address("192.0.2.1:1"));
        assert!(is_own_network(&[own, own]));
        assert!(!is_own_network(&[own, public]));
    }
}
