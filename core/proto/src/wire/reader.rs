//! Reading the fields of a body one after the other.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use super::varint::read_varint;
use crate::address::{Address, TransportKind};

/// A body that does not have the form its frame type asks for; says what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A cursor over a body. Every read checks that the bytes are there.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`Malformed`] if there are fewer; likewise for all reads below.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or(Malformed("a field is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed("a field is cut off"))?;
        self.0 = rest;
        Ok(*taken)
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    /// A 64-bit integer, most significant byte first.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// A variable-length integer.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let (value, len) = read_varint(self.0).ok_or(Malformed("an integer is cut off"))?;
        self.0 = &self.0[len..];
        Ok(value)
    }

    /// A count of things, refused if over `most` before anything is allocated for it.
    pub fn count(&mut self, most: usize) -> Result<usize, Malformed> {
        match usize::try_from(self.varint()?) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(Malformed("a count is over its limit")),
        }
    }

    /// A socket address: a byte 4 or 6, the IP address, the port; or a byte 0 for none.
    pub fn socket(&mut self) -> Result<Option<SocketAddr>, Malformed> {
        let ip = match self.u8()? {
            0 => return Ok(None),
            4 => IpAddr::from(self.array::<4>()?),
            6 => IpAddr::from(self.array::<16>()?),
            _ => return Err(Malformed("an address is neither IPv4 nor IPv6")),
        };
        Ok(Some(SocketAddr::new(ip, u16::from_be_bytes(self.array()?))))
    }

    /// A dialable address: a byte for the transport ([`TransportKind::code`]), then the socket
    /// address. `None` for transports that this version does not know.
    pub fn address(&mut self) -> Result<Option<Address>, Malformed> {
        let transport = TransportKind::from_code(self.u8()?);
        let socket = self.socket()?;
        Ok(transport.zip(socket).map(|(transport, socket)| Address { transport, socket }))
    }
}

/// Appends a socket address as [`Reader::socket`] reads it.
pub(super) fn push_socket(out: &mut Vec<u8>, socket: Option<SocketAddr>) {
    let Some(socket) = socket else { return out.push(0) };
    match socket.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&socket.port().to_be_bytes());
}

/// Appends an address as [`Reader::address`] reads it.
pub(super) fn push_address(out: &mut Vec<u8>, address: &Address) {
    out.push(address.transport.code());
    push_socket(out, Some(address.socket));
}
