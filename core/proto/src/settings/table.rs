//! The keys: one entry for each, from which values are read and `docs/settings.md` is made.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    forms::{
        boolean::Boolean,
        duration::{Between, Span},
        hosts::{BootstrapForm, Seeds},
        identity::{Identity, Peers},
        listen::Listen,
        number::{Count, Size},
        path::Path,
        port::{Ipv4, Port},
        subjects::Subjects,
        transports::TransportsForm,
    },
    key::{Field, Key},
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// The field of the settings with the path `$field`, in the form `$form`.
macro_rules! field {
    ($form:expr, $($field:ident).+) => {
        &Field {
            form: $form,
            of: |settings| &settings.$($field).+,
            of_mut: |settings| &mut settings.$($field).+,
        }
    };
}

/// Milliseconds, as the bounds of durations.
const fn millis(least: u64, most: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(least)..=Duration::from_millis(most)
}

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// All keys, in the order of their page.
pub static KEYS: &[Key] = &[
    Key {
        name: "listen",
        meaning: "Where this node accepts connections: with `tcp://` at a TCP port, with `quic://` \
                  at a UDP port, with neither at both, which then have the same number. Of several \
                  ports the first free one is taken, ascending; if none is, the node does not \
                  start and says so. `0.0.0.0` stands for all IPv4 addresses of the machine, \
                  `[::]` for all IPv6 ones and no others.",
        trade_off: "A node that listens nowhere still dials others, but two such nodes never meet. \
                    A fixed port can be opened in a firewall; a range lets several programs share \
                    a machine.",
        hot: true,
        secret: false,
        entry: field!(Listen, listen),
    },
    Key {
        name: "transports",
        meaning: "The transports by which this node dials. Where an address allows both, they race, \
                  and the first to finish TLS wins.",
        trade_off: "TCP moves bulk data faster and gets through firewalls that block UDP; QUIC gets \
                    through NATs and survives a change of network. One alone saves the packets of \
                    the other, and does not reach peers that have only that.",
        hot: true,
        secret: false,
        entry: field!(TransportsForm, transports),
    },
    Key {
        name: "identity",
        meaning: "The secret key whose public half is this node's peer id: a file, which is made \
                  with mode 0600 if it does not exist and refused if others can read it, or the \
                  Ed25519 seed itself.",
        trade_off: "A lasting identity lets others recognise the node, in an `allow` list say, and \
                    so lets anyone follow it from address to address. A seed in a settings file is \
                    a password there; a key file is safer.",
        hot: false,
        secret: true,
        entry: field!(Identity, identity),
    },
    Key {
        name: "allow",
        meaning: "The only peers that may open a remote, whether they dial or are dialled. An empty \
                  list lets nobody in.",
        trade_off: "Knowing the subject is no longer enough, but each newcomer must be added on \
                    every node, and needs an identity that lasts.",
        hot: true,
        secret: false,
        entry: field!(Peers, allow),
    },
    Key {
        name: "subjects",
        meaning: "Phrases that this node discovers because its settings say so, beside those that \
                  the program discovers by itself; one that is in both stays until both let go of \
                  it. One text is one phrase, commas and all; several are a list.",
        trade_off: "Programs that only serve whoever comes need not know their subjects, but a \
                    phrase in a settings file is a password there. Those with a secret are the \
                    program's to discover.",
        hot: true,
        secret: true,
        entry: field!(Subjects, subjects),
    },
    Key {
        name: "paused",
        meaning: "No network activity at all: remotes end and say why, announcements are taken \
                  back, sockets are closed, nobody is dialled or looked up. With `false` again, \
                  everything opens as the settings say.",
        trade_off: "Keeps the program, its settings and its subjects while a machine must be quiet; \
                    what has not been sent within `timeouts.close` is lost, and reported.",
        hot: true,
        secret: false,
        entry: field!(Boolean, paused),
    },
    Key {
        name: "control",
        meaning: "A Unix socket through which `p2pchan status`, `explain` and `reload` speak to this \
                  node. It is made with mode 0600, in a folder that others cannot write to (or only \
                  as to `/tmp`), and is gone when the node closes. One that a killed node left \
                  behind is replaced; one at which somebody answers is not.",
        trade_off: "Shows what the node does without stopping it. Whoever runs as the same user can \
                    ask for addresses and peer ids, not for subjects or messages.",
        hot: false,
        secret: false,
        entry: field!(Path, control),
    },
    Key {
        name: "discovery.seeds",
        meaning: "Known peers. They are dialled for every subject, and again when a connection to \
                  them ends; with `tcp://` or `quic://` by that transport only.",
        trade_off: "The fastest and most private way to meet, as no third party is asked; but \
                    somebody must keep the list.",
        hot: true,
        secret: false,
        entry: field!(Seeds, discovery.seeds),
    },
    Key {
        name: "discovery.bittorrent.bootstrap",
        meaning: "Finds peers through the BitTorrent DHT, beginning with these nodes: `public` for \
                  the well-known ones, or a list of one's own. An empty list makes a network of \
                  one's own, to which others may come.",
        trade_off: "The public network works wherever UDP does and needs no server, but its nodes \
                    see which addresses look for the same (hashed) subject, and anyone who guesses \
                    the phrase can ask them. The list is bounded because a few answering nodes are \
                    enough.",
        hot: true,
        secret: false,
        entry: field!(BootstrapForm, discovery.bittorrent.bootstrap),
    },
    Key {
        name: "discovery.bittorrent.port",
        meaning: "The UDP port of the BitTorrent client; 0 is any free one. Naming it without \
                  `discovery.bittorrent.bootstrap` means `public`.",
        trade_off: "A fixed port can be opened in a firewall, and lets others begin with this node; \
                    it must be free.",
        hot: true,
        secret: false,
        entry: field!(Port, discovery.bittorrent.port),
    },
    Key {
        name: "discovery.bittorrent.address",
        meaning: "The address that the BitTorrent client binds. Only with \
                  `discovery.bittorrent.bootstrap` or `discovery.bittorrent.port`.",
        trade_off: "One address keeps its traffic on one network interface; on `127.0.0.1` it \
                    reaches only nodes on this machine.",
        hot: true,
        secret: false,
        entry: field!(Ipv4, discovery.bittorrent.address),
    },
    Key {
        name: "discovery.announce_interval",
        meaning: "How long until an announcement is repeated; a random time in the interval.",
        trade_off: "Shorter costs the networks more. Nodes of the BitTorrent DHT forget an \
                    announcement after about half an hour, so one that is repeated later leaves a \
                    gap in which nobody finds this node.",
        hot: true,
        secret: false,
        entry: field!(Between(millis(SECOND, 30 * MINUTE)), discovery.announce_interval),
    },
    Key {
        name: "discovery.lookup_interval",
        meaning: "How long until a subject with at least one open remote is looked up again; a \
                  random time in the interval.",
        trade_off: "Shorter finds newcomers sooner that could not find this node themselves; each \
                    lookup in the BitTorrent DHT takes dozens of packets.",
        hot: true,
        secret: false,
        entry: field!(Between(millis(SECOND, HOUR)), discovery.lookup_interval),
    },
    Key {
        name: "discovery.lookup_interval_alone",
        meaning: "How long until a subject without an open remote is looked up again: at first the \
                  shortest time, then twice as long after each lookup, up to the longest.",
        trade_off: "Shorter meets others sooner and costs more packets while nobody is there. \
                    Less than a second is for networks on one machine.",
        hot: true,
        secret: false,
        entry: field!(Between(millis(100, HOUR)), discovery.lookup_interval_alone),
    },
    Key {
        name: "limits.message",
        meaning: "The largest message that this node sends or takes. A larger one is refused by \
                  `send`; a peer that sends one is cut off.",
        trade_off: "A peer can make this node hold a message of this size in memory. What is \
                    larger is better sent in parts, which the receiver can work on as they come.",
        hot: true,
        secret: false,
        entry: field!(Size(KIB..=GIB), limits.message),
    },
    Key {
        name: "limits.reassembly",
        meaning: "Bytes of incomplete long messages that the whole node holds; the remotes of one \
                  connection together a quarter of it, or one message. A remote that would go \
                  beyond waits until others have finished. At least `limits.message`.",
        trade_off: "Smaller saves memory when many peers send large messages at once, and makes \
                    them take turns.",
        hot: true,
        secret: false,
        entry: field!(Size(KIB..=2 * GIB), limits.reassembly),
    },
    Key {
        name: "limits.high_water",
        meaning: "Bytes waiting to be sent at which a remote counts as full: `send` waits and \
                  `try_send` says would-block. An empty remote takes one message of any allowed \
                  size.",
        trade_off: "Larger keeps a fast, distant connection busy: bandwidth times round trip, \
                    1 MiB for 100 Mbit/s over 80 ms. Each remote may hold this much, or one larger \
                    message.",
        hot: true,
        secret: false,
        entry: field!(Size(4 * KIB..=GIB), limits.high_water),
    },
    Key {
        name: "limits.low_water",
        meaning: "Bytes waiting to be sent at which a full remote becomes writable again. Less \
                  than `limits.high_water`.",
        trade_off: "Closer to the high-water mark wakes the program more often; closer to zero \
                    lets the connection run dry before it has woken.",
        hot: true,
        secret: false,
        entry: field!(Size(0..=GIB), limits.low_water),
    },
    Key {
        name: "limits.window",
        meaning: "Bytes of a remote that have arrived and that the program has not taken yet. \
                  When they are this many the peer must pause.",
        trade_off: "Larger keeps a fast, distant connection busy, and costs memory for each \
                    remote that is slow to read. Below 256 KiB, four full frames, a sender would \
                    stop and go.",
        hot: true,
        secret: false,
        entry: field!(Size(256 * KIB..=256 * MIB), limits.window),
    },
    Key {
        name: "limits.remotes",
        meaning: "Open connections. Beyond them, newcomers are told that the node is busy, and \
                  nobody is dialled.",
        trade_off: "Each costs a file descriptor and some memory, and up to `limits.high_water` and \
                    `limits.window` for each of its remotes when it is slow.",
        hot: true,
        secret: false,
        entry: field!(Count(1..=65_536), limits.remotes),
    },
    Key {
        name: "limits.channels",
        meaning: "Remotes on one connection: one for each subject that the two nodes have in \
                  common. Beyond them, subjects are neither offered nor accepted there.",
        trade_off: "Bounds what one peer can make this node hold. One greeting proves at most 256 \
                    subjects.",
        hot: true,
        secret: false,
        entry: field!(Count(1..=256), limits.channels),
    },
    Key {
        name: "limits.waiting",
        meaning: "Remotes that have opened and that the program has not taken yet. Beyond them, \
                  newcomers are refused with an event.",
        trade_off: "More outlasts longer pauses of the program; each holds up to `limits.window`.",
        hot: true,
        secret: false,
        entry: field!(Count(1..=4096), limits.waiting),
    },
    Key {
        name: "limits.subjects",
        meaning: "Subjects that this node discovers at once.",
        trade_off: "Each is announced and looked up on its own. One greeting has room for 256.",
        hot: true,
        secret: false,
        entry: field!(Count(1..=256), limits.subjects),
    },
    Key {
        name: "limits.unproven",
        meaning: "Connections that have not yet proven a subject. When they are this many, the \
                  oldest of the address with the most of them makes room.",
        trade_off: "More outlasts a larger flood of strangers; each costs a file descriptor and a \
                    few KiB until `timeouts.handshake`.",
        hot: true,
        secret: false,
        entry: field!(Count(1..=65_536), limits.unproven),
    },
    Key {
        name: "limits.dials",
        meaning: "Dials in flight.",
        trade_off: "More reaches the honest peer sooner among many dead addresses; fewer keeps a \
                    poisoned lookup from turning this node into a port scanner, and home routers \
                    from running out of entries.",
        hot: true,
        secret: false,
        entry: field!(Count(1..=256), limits.dials),
    },
    Key {
        name: "limits.dials_pending",
        meaning: "Addresses that wait for their dial. Beyond them, more are dropped until the next \
                  lookup finds them again.",
        trade_off: "More forgets fewer of a crowd of peers, and takes a little memory for each.",
        hot: true,
        secret: false,
        entry: field!(Count(1..=65_536), limits.dials_pending),
    },
    Key {
        name: "timeouts.handshake",
        meaning: "What an accepted connection has for TLS and the proof of a subject together; \
                  then it is closed. One that was dialled has as long for the proof alone.",
        trade_off: "Shorter sheds strangers sooner; a satellite link needs about 2 s.",
        hot: true,
        secret: false,
        entry: field!(Span(millis(100, MINUTE)), timeouts.handshake),
    },
    Key {
        name: "timeouts.dial",
        meaning: "What a dial has for TCP, TLS and the proof of a subject together.",
        trade_off: "Shorter frees the place of a dead address sooner; longer survives lost packets, \
                    as TCP repeats its first after 1, 3 and 7 s.",
        hot: true,
        secret: false,
        entry: field!(Span(millis(100, 5 * MINUTE)), timeouts.dial),
    },
    Key {
        name: "timeouts.close",
        meaning: "How long a remote that ends may go without any progress, up to twice; how long \
                  withdrawing an announcement may take, and, with up to 6 s more, closing the \
                  node. What is not sent by then is lost, and reported.",
        trade_off: "Longer delivers more over a slow connection; shorter ends sooner when a peer \
                    has stopped reading.",
        hot: true,
        secret: false,
        entry: field!(Span(millis(100, 5 * MINUTE)), timeouts.close),
    },
    Key {
        name: "timeouts.ping",
        meaning: "Silence of a connection after which the peer is asked whether it lives.",
        trade_off: "Shorter notices a dead peer sooner, and wakes a telephone's radio more often. \
                    Routers forget idle connections after some minutes, so longer may lose them.",
        hot: true,
        secret: false,
        entry: field!(Span(millis(100, 10 * MINUTE)), timeouts.ping),
    },
    Key {
        name: "timeouts.idle",
        meaning: "How long a connection without remotes stays open.",
        trade_off: "Longer saves a handshake when a subject is taken up again; shorter frees the \
                    connection's place.",
        hot: true,
        secret: false,
        entry: field!(Span(millis(100, HOUR)), timeouts.idle),
    },
    Key {
        name: "stats.interval",
        meaning: "How long at least lies between two items of a stream of statistics. While nobody \
                  listens to one, nothing is counted up.",
        trade_off: "Shorter shows more, and looks at every connection that often.",
        hot: true,
        secret: false,
        entry: field!(Span(millis(10, HOUR)), stats.interval),
    },
    Key {
        name: "runtime.threads",
        meaning: "Threads of the library's own runtime, which all nodes of a process share. The \
                  node that starts it decides. A program that brings its own tokio runtime uses \
                  that, and none of these.",
        trade_off: "One thread keeps what belongs together in one cache; more help when encryption \
                    fills a core. More than there are cores only add switches.",
        hot: false,
        secret: false,
        entry: field!(Count(1..=64), runtime.threads),
    },
];
