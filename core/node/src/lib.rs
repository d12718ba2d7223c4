//! Live, encrypted channels between all programs that share a phrase.
//!
//! A program names a *subject*, a phrase that it shares with others. The [`Node`] announces it with
//! the discovery services that the settings name, finds the addresses of others, dials them, and
//! proves to each other that both know the subject, without ever showing it. What comes of that is a
//! [`Remote`]: an ordered, encrypted, bounded channel of messages.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), p2pchan::Error> {
//! use p2pchan::{Node, Testnet};
//!
//! // A BitTorrent DHT of our own on loopback; outside of tests, set it to "public".
//! let testnet = Testnet::builder(5).start().await?;
//! let bootstrap = testnet.bootstrap()[0].to_string();
//!
//! let mut nodes = Vec::new();
//! for _ in 0..2 {
//!     let node = Node::builder()
//!         .set("listen", "127.0.0.1:0")
//!         .set("discovery.bittorrent.bootstrap", [bootstrap.as_str()])
//!         .start()
//!         .await?;
//!     node.discover("My Cool Service 1.0")?;
//!     nodes.push(node);
//! }
//! let here = nodes[0].next_remote().await.expect("the node runs");
//! let mut there = nodes[1].next_remote().await.expect("the node runs");
//! here.send("Hello, dude!").await?;
//! println!("{:?} from {}", there.recv().await?, there.peer());
//! # for node in nodes { node.close().await; }
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//! - `node`: what programs call, and the tasks behind it. `remote`, `message`, `event`: what it gives.
//! - `link`: one connection's task. `transport`: encrypted bytes. `identity`: the key.
//! - `status`: what a node tells of itself.
//! - `settings`: files and JSON as settings.
//! - `discovery`: finding others. `testnet`: a DHT for tests.
//!
//! The protocol itself is in the crate `p2pchan-proto`.

mod batch;
mod clock;
mod discovery;
mod event;
mod identity;
mod link;
mod message;
mod node;
mod remote;
mod runtime;
mod settings;
mod status;
mod tasks;
mod testnet;
mod transport;

pub use batch::Batch;
pub use discovery::{
    BitTorrentDht, BitTorrentSettings, BoxFuture, DiscoveryService, Found, PUBLIC_BOOTSTRAP, Seeds,
    Topic,
};
pub use event::{Event, Events};
pub use identity::Identity;
pub use message::{AsMessage, Kind, Message};
pub use node::{Builder, Discovery, Newcomer, Node, Stats};
pub use p2pchan_proto::{
    address::{Address, TransportKind},
    channel::{CloseCode, Reason},
    error::{Error, ErrorKind},
    id::PeerId,
    settings::{Changes, Value},
    subject::{check_secret, check_subject},
};
pub use remote::{Remote, Sender};
pub use settings::{settings_from_file, settings_from_json, settings_from_toml};
pub use status::{
    AddressBookStatus, AddressStatus, AttemptStatus, CandidateStatus, DoneStatus, Explanation,
    FoundStatus, LimitsStatus, LinkStatus, NodeStatus, RemoteStatus, SearchStatus, ServiceStatus,
    SocketStatus, StatsChange, Status, StrategyStatus, SubjectStatus, Target, Totals,
    TransportStatus, UsageStatus,
};
pub use testnet::{Testnet, TestnetBuilder};

/// Its example is compiled with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
