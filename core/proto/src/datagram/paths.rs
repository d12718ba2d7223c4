//! The addresses that QUIC is given in place of real ones.
//!
//! A QUIC connection belongs to an address, and only its client may change its own (RFC 9000,
//! section 9). So QUIC is told a **virtual** address for each path that this node dials, one that is
//! nobody's ([`is_virtual`]): 240.0.0.1, 240.0.0.2, … for IPv4, the same numbers below
//! fd15:7032:7063:6861::/64 for IPv6, all with port 1. The socket replaces it by the real one in what
//! is sent, and back in what arrives. When the real address changes, the table is told, and QUIC goes
//! on without noticing.
//!
//! ```text
//!                to_real                            to_real
//!  QUIC ── 240.0.0.7:1 ──► 192.0.2.7:8099 ──► wire   reroute: ──► 198.51.100.9:5000
//!       ◄── to_virtual ──                 ◄──
//! ```
//!
//! Connections that others open come from real addresses and keep them: [`PathTable::hold`]. So that
//! what arrives from a real address always means one thing to QUIC, whoever was first decides how the
//! address is called while anybody uses it: a later dial to it gets the same name, and a connection
//! that comes from where this node dials gets the virtual one. Each use is counted and must be closed.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::address::{VIRTUAL_V6, is_virtual};

/// The port of all virtual addresses.
const PORT: u16 = 1;
/// The highest number of a virtual address: what 240.0.0.0/4 holds, less 255.255.255.255.
const LAST: u32 = 0x0fff_fffe;

/// Real addresses by virtual ones and back. See the [module's page](self).
#[derive(Debug)]
pub struct PathTable {
    /// Addresses at once.
    most: usize,
    /// By the address that QUIC knows; at most `most`.
    paths: BTreeMap<SocketAddr, Path>,
    /// The address that QUIC knows, by the real one; one for each of `paths`.
    names: BTreeMap<SocketAddr, SocketAddr>,
    /// Of the virtual address made last.
    number: u32,
}

#[derive(Debug)]
struct Path {
    real: SocketAddr,
    uses: usize,
}

impl PathTable {
    /// An empty table for at most this many addresses at once.
    pub const fn new(most: usize) -> Self {
        Self { most, paths: BTreeMap::new(), names: BTreeMap::new(), number: 0 }
    }

    /// This node dials the real address: the address to tell QUIC, mostly a new virtual one. `None`
    /// if the table is full, or the address is itself a virtual one.
    pub fn open(&mut self, real: SocketAddr) -> Option<SocketAddr> {
        let real = plain(real);
        self.use_again(real).or_else(|| {
            let name = self.next_virtual(real)?;
            self.insert(name, real)
        })
    }

    /// QUIC accepts a connection from this address, real or virtual: the address to close when the
    /// connection has ended. `None` if the table is full, or the virtual address is not in use; then
    /// the connection must be refused.
    pub fn hold(&mut self, address: SocketAddr) -> Option<SocketAddr> {
        let address = plain(address);
        let real = self.to_real(address)?;
        self.use_again(real).or_else(|| self.insert(real, real))
    }

    /// What is sent to this virtual address goes to another real one from now on, and what comes from
    /// there counts as coming from it. False, and nothing changes, if the address is not virtual or
    /// not in use, or the new one is of the other family, virtual, or in use by another path.
    pub fn reroute(&mut self, virtual_address: SocketAddr, new_real: SocketAddr) -> bool {
        let (name, new_real) = (plain(virtual_address), plain(new_real));
        let fits = name.is_ipv4() == new_real.is_ipv4() && !is_virtual(new_real.ip());
        let taken = self.names.get(&new_real).is_some_and(|other| *other != name);
        if !fits || taken || !is_virtual(name.ip()) {
            return false;
        }
        let Some(path) = self.paths.get_mut(&name) else { return false };
        self.names.remove(&path.real);
        self.names.insert(new_real, name);
        path.real = new_real;
        true
    }

    /// One use less of an address that [`open`](Self::open) or [`hold`](Self::hold) has given; with
    /// the last one it is forgotten. An address that is not in use is ignored.
    pub fn close(&mut self, address: SocketAddr) {
        let name = plain(address);
        let Some(path) = self.paths.get_mut(&name) else { return };
        path.uses = path.uses.saturating_sub(1);
        if path.uses == 0 {
            let real = path.real;
            self.paths.remove(&name);
            self.names.remove(&real);
        }
    }

    /// Where a packet goes that QUIC sends to this address: a real one is left as it is. `None` for a
    /// virtual address that is not in use: such a packet must not be sent.
    pub fn to_real(&self, address: SocketAddr) -> Option<SocketAddr> {
        if !is_virtual(address.ip()) {
            return Some(address);
        }
        self.paths.get(&plain(address)).map(|path| path.real)
    }

    /// Whom a packet comes from, as QUIC knows him: an address without a path is left as it is.
    pub fn to_virtual(&self, address: SocketAddr) -> SocketAddr {
        self.names.get(&plain(address)).copied().unwrap_or(address)
    }

    /// How many addresses are in use.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    fn use_again(&mut self, real: SocketAddr) -> Option<SocketAddr> {
        let name = *self.names.get(&real)?;
        let path = self.paths.get_mut(&name)?;
        path.uses = path.uses.saturating_add(1);
        Some(name)
    }

    fn insert(&mut self, name: SocketAddr, real: SocketAddr) -> Option<SocketAddr> {
        if self.paths.len() >= self.most || is_virtual(real.ip()) {
            return None;
        }
        self.paths.insert(name, Path { real, uses: 1 });
        self.names.insert(real, name);
        Some(name)
    }

    /// A virtual address that is not in use, of the family of `real`. None is given twice before all
    /// have been: packets of a connection that is over must not reach the next one.
    fn next_virtual(&mut self, real: SocketAddr) -> Option<SocketAddr> {
        // One more than can be in use.
        for _ in 0..=self.paths.len() {
            self.number = if self.number >= LAST { 1 } else { self.number + 1 };
            let name = virtual_address(self.number, real.is_ipv4());
            if !self.paths.contains_key(&name) {
                return Some(name);
            }
        }
        None
    }
}

/// The same without a flow label, which is no part of an address.
const fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(mut v6) => {
            v6.set_flowinfo(0);
            SocketAddr::V6(v6)
        }
    }
}

fn virtual_address(number: u32, is_ipv4: bool) -> SocketAddr {
    if is_ipv4 {
        return (Ipv4Addr::from(0xf000_0000 | number), PORT).into();
    }
    let [a, b, c, d] = VIRTUAL_V6;
    let prefix = u128::from(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0));
    (Ipv6Addr::from(prefix | u128::from(number)), PORT).into()
}
