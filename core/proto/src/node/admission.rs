//! A bound on connections that have not proved a subject yet.
//!
//! A fixed number per address would let a few addresses lock everybody out, so there is only one
//! bound for all; when it is reached, the oldest connection of the most crowded prefix makes room.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use super::links::LinkId;

/// Connections that wait for proof, by the prefix they come from.
#[derive(Debug)]
pub struct Admission {
    cap: usize,
    count: usize,
    prefixes: BTreeMap<u128, VecDeque<LinkId>>,
}

impl Admission {
    /// At most `cap` at once; at least one.
    pub fn new(cap: usize) -> Self {
        Self { cap: cap.max(1), count: 0, prefixes: BTreeMap::new() }
    }

    /// At most `cap` at once from now on; at least one. Those beyond it stay until they leave.
    pub fn set_cap(&mut self, cap: usize) {
        self.cap = cap.max(1);
    }

    /// Those that wait for proof now.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Lets a connection in. Returns the one to drop for it, if the cap is reached.
    pub fn admit(&mut self, link: LinkId, from: IpAddr) -> Option<LinkId> {
        let dropped = if self.count >= self.cap { self.drop_one() } else { None };
        self.prefixes.entry(prefix(from)).or_default().push_back(link);
        self.count += 1;
        dropped
    }

    /// The connection has proved itself or ended.
    pub fn leave(&mut self, link: LinkId, from: IpAddr) {
        let Some(links) = self.prefixes.get_mut(&prefix(from)) else { return };
        if let Some(position) = links.iter().position(|it| *it == link) {
            links.remove(position);
            self.count -= 1;
        }
        if links.is_empty() {
            self.prefixes.remove(&prefix(from));
        }
    }

    fn drop_one(&mut self) -> Option<LinkId> {
        let (fullest, links) = self.prefixes.iter_mut().max_by_key(|(_, links)| links.len())?;
        let (fullest, dropped) = (*fullest, links.pop_front());
        if links.is_empty() {
            self.prefixes.remove(&fullest);
        }
        self.count -= 1;
        dropped
    }
}

/// One IPv4 address, or one IPv6 /64: what one party can be assumed to own.
fn prefix(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_crowd_from_one_prefix_makes_room_for_others_and_not_the_reverse() {
        let mut admission = Admission::new(4);
        assert_eq!(admission.admit(LinkId(0), ip("192.0.2.9")), None);
        for link in 1..4 {
            let from = format!("2001:db8::{link}");
            assert_eq!(admission.admit(LinkId(link), ip(&from)), None);
        }
        assert_eq!(admission.admit(LinkId(4), ip("198.51.100.1")), Some(LinkId(1)));
        assert_eq!(admission.admit(LinkId(5), ip("2001:db8::99")), Some(LinkId(2)));
    }

    #[test]
    fn a_smaller_cap_counts_for_those_who_come() {
        let mut admission = Admission::new(2);
        admission.admit(LinkId(0), ip("192.0.2.1"));
        admission.admit(LinkId(1), ip("192.0.2.1"));
        admission.set_cap(0);
        assert_eq!(admission.admit(LinkId(2), ip("192.0.2.1")), Some(LinkId(0)));
        admission.set_cap(3);
        assert_eq!(admission.admit(LinkId(3), ip("192.0.2.1")), None);
    }

    #[test]
    fn those_who_left_do_not_count() {
        let mut admission = Admission::new(1);
        admission.admit(LinkId(0), ip("192.0.2.1"));
        admission.leave(LinkId(0), ip("192.0.2.1"));
        assert_eq!(admission.admit(LinkId(1), ip("192.0.2.1")), None);
        assert_eq!((admission.prefixes.len(), admission.count()), (1, 1));
    }
}
