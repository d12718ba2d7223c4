//! Live, encrypted channels between all programs that share a phrase.

mod discovery;

pub use discovery::{BoxFuture, DiscoveryService, Found, Topic};
pub use p2pchan_proto::{
    address::{Address, TransportKind},
    error::{Error, ErrorKind},
    id::PeerId,
};
