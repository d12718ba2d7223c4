//! The settings as the node works with them: typed, valid, with defaults.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use super::{
    changes::Changes,
    forms::{
        duration::Interval,
        hosts::{Bootstrap, Seed},
        identity::IdentitySource,
        listen::ListenAddress,
        number::format_size,
    },
    key::{Key, NOT_SHOWN},
    table::KEYS,
};
use crate::{
    address::Transports,
    error::{Error, ErrorKind},
    id::PeerId,
    subject::SubjectName,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// All settings of a node. Without changes they open, dial and write nothing.
///
/// [`Settings::with`] is the way to valid ones; a field that is set by hand is not checked. What
/// each field means and costs stands in [`KEYS`] under the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where to accept connections; empty: nowhere.
    pub listen: Vec<ListenAddress>,
    /// Which transports are dialled.
    pub transports: Transports,
    /// Where the secret key comes from.
    pub identity: IdentitySource,
    /// Who may open a remote; `None`: everyone, an empty set: nobody.
    pub allow: Option<BTreeSet<PeerId>>,
    /// What the settings say to discover.
    pub subjects: BTreeSet<SubjectName>,
    /// No network activity at all.
    pub paused: bool,
    /// The Unix socket at which the node answers questions about itself.
    pub control: Option<String>,
    /// How others are found.
    pub discovery: Discovery,
    /// How much memory and how many connections, remotes and dials there may be.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How often statistics are told.
    pub stats: StatsSettings,
    /// The threads that nodes share when the program brings none.
    pub runtime: RuntimeSettings,
}

/// `discovery.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Known peers.
    pub seeds: Vec<Seed>,
    /// The BitTorrent DHT.
    pub bittorrent: BitTorrent,
    /// How long until an announcement is repeated.
    pub announce_interval: Interval,
    /// How long until the next lookup while a remote of the subject is open.
    pub lookup_interval: Interval,
    /// The same while none is: starts at the shortest and doubles up to the longest.
    pub lookup_interval_alone: Interval,
}

/// `discovery.bittorrent.*` as given; [`settings`](Self::settings) says what it amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitTorrent {
    /// The nodes to begin with, if named.
    pub bootstrap: Option<Bootstrap>,
    /// The UDP port, if named.
    pub port: Option<u16>,
    /// The address to bind.
    pub address: Ipv4Addr,
}

/// What the BitTorrent client of a node needs to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitTorrentSettings {
    /// The nodes to begin with.
    pub bootstrap: Bootstrap,
    /// The UDP port; 0: any free one.
    pub port: u16,
    /// The address to bind.
    pub address: Ipv4Addr,
}

impl BitTorrent {
    /// The client to start, or `None` if it is off: it runs if either its bootstrap or its port is
    /// named, and a port alone stands for the public network.
    pub fn settings(&self) -> Option<BitTorrentSettings> {
        let bootstrap = match (&self.bootstrap, self.port) {
            (Some(bootstrap), _) => bootstrap.clone(),
            (None, Some(_)) => Bootstrap::Public,
            (None, None) => return None,
        };
        Some(BitTorrentSettings { bootstrap, port: self.port.unwrap_or(0), address: self.address })
    }
}

/// `limits.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message, in bytes.
    pub message: usize,
    /// Bytes of incomplete messages in the whole node.
    pub reassembly: usize,
    /// Bytes waiting to be sent at which a remote is full.
    pub high_water: usize,
    /// Bytes waiting to be sent at which a full remote is writable again.
    pub low_water: usize,
    /// Bytes received that the program has not taken yet, per remote.
    pub window: usize,
    /// Open connections.
    pub remotes: usize,
    /// Remotes per connection.
    pub channels: usize,
    /// Remotes that the program has not taken yet.
    pub waiting: usize,
    /// Subjects at once.
    pub subjects: usize,
    /// Connections that have not proven a subject yet.
    pub unproven: usize,
    /// Dials in flight.
    pub dials: usize,
    /// Addresses waiting to be dialled.
    pub dials_pending: usize,
}

/// `timeouts.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From an accepted connection to the proof of a subject.
    pub handshake: Duration,
    /// From the start of a dial to the proof of a subject.
    pub dial: Duration,
    /// How long ending may go without progress, and what withdrawing and closing may take.
    pub close: Duration,
    /// Silence after which a connection is asked whether it lives.
    pub ping: Duration,
    /// How long a connection without remotes stays.
    pub idle: Duration,
}

/// `stats.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsSettings {
    /// The least time between two items of a stream.
    pub interval: Duration,
}

/// `runtime.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// Threads of the library's own runtime.
    pub threads: usize,
}

impl Settings {
    /// These settings with `changes` made to them. Everything is checked before anything counts.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for the first key that is unknown or whose value is not allowed, and
    /// for values that contradict each other. The message names the key, the value, what is
    /// allowed, and for an unknown key the nearest.
    pub fn with(&self, changes: &Changes) -> Result<Self, Error> {
        let mut settings = self.clone();
        for (name, value) in changes.iter() {
            Key::find(name)?.apply(&mut settings, value)?;
        }
        settings.check_together()?;
        Ok(settings)
    }

    /// Checks that a running node can take `next` over: only keys that are [`Key::hot`] differ.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for the first one that is not, with what to do.
    pub fn check_hot(&self, next: &Self) -> Result<(), Error> {
        let differs = |key: &&Key| !key.hot && key.value(self) != key.value(next);
        KEYS.iter().find(differs).map_or(Ok(()), |key| Err(key.cold(&key.value(next))))
    }

    /// Every key with its value, null where nothing is set: the changes that turn any settings into
    /// these. They hold secrets, such as the subjects; [`Key::secret`] marks them.
    pub fn to_changes(&self) -> Changes {
        KEYS.iter().map(|key| (key.name, key.value(self))).collect()
    }

    /// The keys whose values are not the defaults, for people: of secret ones the value is the text
    /// `(not shown)`.
    pub fn differences(&self) -> Changes {
        let defaults = Self::default();
        let changed = KEYS.iter().filter(|key| key.value(self) != key.value(&defaults));
        let shown = |key: &Key| if key.secret { NOT_SHOWN.into() } else { key.value(self) };
        changed.map(|key| (key.name, shown(key))).collect()
    }

    /// What must hold between keys.
    fn check_together(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let size = format_size;
        // A remote that is full must be able to become writable again.
        require(
            limits.low_water < limits.high_water,
            ("limits.low_water", size(limits.low_water)),
            "less than",
            ("limits.high_water", size(limits.high_water)),
        )?;
        // Else the largest message could never be put together.
        require(
            limits.message <= limits.reassembly,
            ("limits.message", size(limits.message)),
            "at most",
            ("limits.reassembly", size(limits.reassembly)),
        )?;
        require(
            self.subjects.len() <= limits.subjects,
            ("subjects", format!("{} phrases", self.subjects.len())),
            "at most",
            ("limits.subjects", limits.subjects.to_string()),
        )?;
        self.check_bittorrent_address()
    }

    /// An address that nothing binds is a mistake, not a wish.
    fn check_bittorrent_address(&self) -> Result<(), Error> {
        let bittorrent = &self.discovery.bittorrent;
        if bittorrent.settings().is_some() || bittorrent.address == BitTorrent::default().address {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Settings,
            format!(
                "setting discovery.bittorrent.address = {}: BitTorrent is off; name \
                 discovery.bittorrent.bootstrap or discovery.bittorrent.port too, or leave the \
                 address out",
                bittorrent.address
            ),
        ))
    }
}

/// Fails unless `holds`, naming both keys and their values.
fn require(
    holds: bool,
    (left, left_value): (&str, String),
    relation: &str,
    (right, right_value): (&str, String),
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Settings,
        format!(
            "setting {left} = {left_value}: must be {relation} {right} = {right_value}; \
             change one of the two"
        ),
    ))
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            seeds: Vec::new(),
            bittorrent: BitTorrent::default(),
            announce_interval: Interval::from_secs(10 * 60, 15 * 60),
            lookup_interval: Interval::from_secs(60, 120),
            lookup_interval_alone: Interval::from_secs(1, 30),
        }
    }
}

impl Default for BitTorrent {
    fn default() -> Self {
        Self { bootstrap: None, port: None, address: Ipv4Addr::UNSPECIFIED }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 16 * MIB,
            reassembly: 64 * MIB,
            high_water: MIB,
            low_water: 256 * KIB,
            window: MIB,
            remotes: 256,
            channels: 64,
            waiting: 64,
            subjects: 256,
            unproven: 512,
            dials: 8,
            dials_pending: 64,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            dial: Duration::from_secs(20),
            close: Duration::from_secs(5),
            ping: Duration::from_secs(15),
            idle: Duration::from_secs(60),
        }
    }
}

impl Default for StatsSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1) }
    }
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self { threads: 1 }
    }
}
