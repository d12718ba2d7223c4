//! Live, encrypted channels between all programs that share a phrase.

mod discovery;
mod identity;
mod transport;

pub use discovery::{BoxFuture, DiscoveryService, Found, Topic};
pub use identity::Identity;
mod testnet;

pub use discovery::{
    BitTorrentDht, BitTorrentSettings, BoxFuture, DiscoveryService, Found, PUBLIC_BOOTSTRAP, Seeds,
    Topic,
};
pub use p2pchan_proto::{
    address::{Address, TransportKind},
    error::{Error, ErrorKind},
    id::PeerId,
};
pub use testnet::{Testnet, TestnetBuilder};
