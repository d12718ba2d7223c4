//! The command line, and the roles that the binary gives itself through it.

use std::{collections::BTreeSet, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::Outcome;

/// Measures p2pchan beside raw TCP and bare QUIC, on loopback, and prints the ratios.
#[derive(Debug, Parser)]
#[command(name = "p2pchan-bench")]
pub(crate) struct Arguments {
    /// Fewer and shorter rounds: under five minutes at rest, with a wider spread
    #[arg(long)]
    pub(crate) quick: bool,
    /// Measures only this; a flood or a round trip through every face, unless --face names one
    #[arg(long, value_enum)]
    pub(crate) only: Option<Work>,
    /// Measures only what goes through this face
    #[arg(long, value_enum)]
    pub(crate) face: Option<Face>,
    /// Prints the faces that would be measured, and measures nothing
    #[arg(long)]
    pub(crate) faces: bool,
    /// Floods only with messages of this many bytes
    #[arg(long, value_parser = clap::value_parser!(u32).range(64..=8 << 20))]
    pub(crate) size: Option<u32>,
    /// How many rounds must count, instead of 5 (3 with --quick)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=25))]
    pub(crate) rounds: Option<u32>,
    /// How long each run takes, instead of 400 (300 with --quick)
    #[arg(long, value_parser = clap::value_parser!(u32).range(20..=5000))]
    pub(crate) milliseconds: Option<u32>,
    /// The shared library of the C interface, such as `make library` builds: measures that too
    #[arg(long, value_name = "FILE")]
    pub(crate) c_library: Option<PathBuf>,
    /// A Python that has the packages p2pchan and pyzmq: measures the Python interface too
    #[arg(long, value_name = "FILE")]
    pub(crate) python: Option<PathBuf>,
    /// A folder of packages for Node, with p2pchan, ws and socket.io: measures the Node interface too
    #[arg(long, value_name = "FOLDER")]
    pub(crate) node: Option<PathBuf>,
    /// The program p2pchan-rivals, which `make bench-rivals` builds: measures what it plays too
    #[arg(long, value_name = "FILE")]
    pub(crate) rivals: Option<PathBuf>,
    /// A folder of packages for Node, with hyperdht, protomux and @number0/iroh: puts the Node interface beside them too
    #[arg(long, value_name = "FOLDER", requires = "node")]
    pub(crate) rivals_node: Option<PathBuf>,
    /// A Python that has the package iroh: puts the Python interface beside it too
    #[arg(long, value_name = "FILE", requires = "python")]
    pub(crate) rivals_python: Option<PathBuf>,
    /// Where the JSON is written
    #[arg(long, default_value = "target/bench.json")]
    pub(crate) output: PathBuf,
    /// Where what was measured is kept, to be compared with: JSON, pictures, and a page with tables
    #[arg(long, value_name = "FOLDER")]
    pub(crate) record: Option<PathBuf>,
    /// Compares with what was recorded there, and fails if a ratio is worse, beyond the spread of both
    #[arg(long, value_name = "FOLDER")]
    pub(crate) check: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One end of a run, as a process of its own; the benchmark starts these itself
    #[command(hide = true)]
    Endpoint(Role),
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Messages one way, as fast as they go
    Flood,
    /// One message there and back, then the next
    RoundTrip,
    /// A flood over QUIC
    QuicFlood,
    /// A round trip over QUIC
    QuicRoundTrip,
    /// A flood by programs in C, beside one by programs in Rust
    CFlood,
    /// A flood by programs in Python
    PythonFlood,
    /// A round trip by programs in Python
    PythonRoundTrip,
    /// A flood by programs in JavaScript
    NodeFlood,
    /// A round trip by programs in JavaScript
    NodeRoundTrip,
    /// New connections that both sides have proven
    #[value(alias = "connections")]
    Connect,
    /// What a connection that does nothing holds
    Memory,
    /// Messages to many remotes in turn, beside one remote
    Many,
    /// One remote that sends long messages, among many that send short ones
    Greedy,
    /// One remote that does not read, among many that do
    Stalled,
    /// A small message now and then while long ones go to the same peer
    Latency,
    /// From looking for somebody to talking, in a DHT on this machine
    Discover,
    /// What a node with a hundred remotes costs that say nothing
    Idle,
    /// All of that for which rivals are named, beside them
    Rivals,
}

impl Work {
    /// Whether it is a message there and back.
    pub(crate) const fn is_round_trip(self) -> bool {
        matches!(
            self,
            Self::RoundTrip | Self::QuicRoundTrip | Self::PythonRoundTrip | Self::NodeRoundTrip
        )
    }
}

/// How a program uses p2pchan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Face {
    /// The Rust interface, over TCP
    Rust,
    /// The Rust interface, over QUIC
    Quic,
    /// The C interface
    C,
    /// The Python interface
    Python,
    /// The Node interface
    Node,
}

impl Work {
    /// The face that it goes through.
    pub(crate) const fn face(self) -> Face {
        match self {
            Self::QuicFlood | Self::QuicRoundTrip => Face::Quic,
            Self::CFlood => Face::C,
            Self::PythonFlood | Self::PythonRoundTrip => Face::Python,
            Self::NodeFlood | Self::NodeRoundTrip => Face::Node,
            _ => Face::Rust,
        }
    }

    /// The same through the Rust interface.
    const fn in_rust(self) -> Self {
        match self {
            Self::QuicFlood | Self::CFlood | Self::PythonFlood | Self::NodeFlood => Self::Flood,
            other if other.is_round_trip() => Self::RoundTrip,
            other => other,
        }
    }
}

impl Arguments {
    /// Whether the command line chose this.
    pub(crate) fn choose(&self, work: Work) -> bool {
        self.only.is_none_or(|only| only == work || only == work.in_rust())
            && self.face.is_none_or(|face| face == work.face())
    }

    /// The faces of what it chose.
    ///
    /// # Errors
    /// If that is nothing, as nobody has written it.
    pub(crate) fn chosen_faces(&self) -> Outcome<BTreeSet<Face>> {
        let chosen = Work::value_variants().iter().filter(|work| self.choose(**work));
        let faces: BTreeSet<Face> = chosen.map(|work| work.face()).collect();
        match (faces.is_empty(), self.only, self.face) {
            (true, Some(only), Some(face)) => {
                let (only, face) = (spelt(&only), spelt(&face));
                Err(format!("there is no {only} of {face}; leave out --face or --only").into())
            }
            _ => Ok(faces),
        }
    }
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// Raw TCP: blocking sockets where there is one connection, else tokio's
    Raw,
    /// Raw TCP on tokio
    RawTokio,
    /// Mutually authenticated TLS over TCP, with raw public keys, and nothing above it
    Tls,
    /// QUIC by its engine alone, written 64 KiB at a time
    Quinn,
    /// The same, with a write for each message
    QuinnEach,
    /// This project, through its public interface
    P2pchan,
    /// The same, over QUIC
    P2pchanQuic,
    /// The same, with many remotes in the place of one
    P2pchanMany,
    /// The same, with one remote that sends long messages
    P2pchanGreedy,
    /// The same, with one remote that does not read
    P2pchanStalled,
    /// The same, while long messages go over another channel to the same peer
    P2pchanBeside,
    /// The same, while long messages go over the same channel
    P2pchanBehind,
    /// Its C interface: callbacks on the library's thread, many messages each
    CBatch,
    /// The same, a message each
    CData,
    /// The same, many messages each, inside the program's loop
    CDispatch,
    /// Its Python interface: `await send`, `async for`
    PythonAsync,
    /// The same: `await send`, `await recv`
    PythonAwait,
    /// The same: `await send_many`, `await recv_many`
    PythonBatch,
    /// Its Python interface without an event loop: `send`, `recv`
    PythonPlain,
    /// The streams of asyncio over raw TCP, in Python
    Streams,
    /// Blocking sockets over raw TCP, in Python
    Sockets,
    /// ZeroMQ through pyzmq, in Python
    Pyzmq,
    /// iroh, in Python
    IrohPython,
    /// Its interface for Node: `send`, "data"
    Node,
    /// `WebSockets` by ws, in Node
    Ws,
    /// socket.io, in Node
    SocketIo,
    /// Raw TCP by Node's own net
    Net,
    /// TLS by rustls without buffers of its own, over blocking sockets, written 64 KiB at a time
    Rustls,
    /// iroh, written 64 KiB at a time
    Iroh,
    /// The same, with a write for each message
    IrohEach,
    /// libp2p over TCP, with Noise and yamux, written 64 KiB at a time
    Libp2p,
    /// The same, with a write for each message
    Libp2pEach,
    /// ZeroMQ in C, without encryption
    Zmq,
    /// The same, with CURVE
    ZmqCurve,
    /// hyperdht, on which hyperswarm stands, in Node: a write for each message
    Hyperdht,
    /// The same with protomux, which gathers messages
    Protomux,
    /// iroh, in Node
    IrohNode,
}

/// Which end of the connection a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum End {
    Accept,
    Dial,
}

/// One end of one run.
#[derive(Debug, Args)]
pub(crate) struct Role {
    #[arg(long, value_enum)]
    pub(crate) system: System,
    #[arg(long, value_enum)]
    pub(crate) work: Work,
    #[arg(long, value_enum)]
    pub(crate) end: End,
    /// The core on which this process stays
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// Where the accepting end listens; for the dialling end
    #[arg(long, default_value = "")]
    pub(crate) address: String,
    /// What plays it, if that is a program in C
    #[arg(long)]
    pub(crate) c_program: Option<PathBuf>,
    /// What runs it, if that is a program in Python
    #[arg(long)]
    pub(crate) python: Option<PathBuf>,
    /// Where its packages are, if that is a program in JavaScript
    #[arg(long)]
    pub(crate) node: Option<PathBuf>,
    /// What plays it, if that is p2pchan-rivals
    #[arg(long)]
    pub(crate) rivals: Option<PathBuf>,
    /// Where its packages are, if that is a rival in JavaScript
    #[arg(long)]
    pub(crate) rivals_node: Option<PathBuf>,
    /// What runs it, if that is a rival in Python
    #[arg(long)]
    pub(crate) rivals_python: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) amount: Amount,
}

/// How much of it.
#[derive(Clone, Copy, Debug, Args, Serialize)]
pub(crate) struct Amount {
    /// Bytes of a message
    #[arg(long, default_value_t = 64)]
    pub(crate) size: usize,
    /// How long messages are sent or connections made
    #[arg(long, default_value_t = 1000)]
    pub(crate) milliseconds: u32,
    /// Connections that are being made at the same time, or remotes that are there
    #[arg(long, default_value_t = 1)]
    pub(crate) at_once: usize,
    /// Connections of which the memory is taken
    #[arg(long, default_value_t = 0)]
    pub(crate) idle: usize,
}

/// The name of a value as the command line spells it.
pub(crate) fn spelt(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |known| known.get_name().to_owned())
}
