//! Taking apart what came: QUIC stays in the buffer, everything else goes to its queue.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use p2pchan_proto::datagram::{Class, classify};
use quinn::udp::RecvMeta;
use tokio::sync::mpsc;

/// Packets that wait in each queue. Those who take them answer in microseconds, so more than this
/// means that they cannot keep up, and the newest is the least worth keeping.
const WAITING: usize = 1024;
/// The longest packet that is not QUIC: what fits into one Ethernet frame.
const LONGEST: usize = 1500;

/// A datagram that is not QUIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) from: SocketAddr,
    pub(crate) bytes: Bytes,
}

/// Where packets of one kind wait.
pub(crate) type Queue = mpsc::Receiver<Packet>;

/// A queue and its entrance.
pub(crate) fn queue() -> (mpsc::Sender<Packet>, Queue) {
    mpsc::channel(WAITING)
}

/// Who takes what is not QUIC; what nobody takes is dropped and counted.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    /// Packets of our own: probes and their answers.
    pub(crate) own: Option<mpsc::Sender<Packet>>,
    /// Messages of the BitTorrent DHT.
    pub(crate) krpc: Option<mpsc::Sender<Packet>>,
}

/// How many datagrams came, by kind.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) quic: AtomicU64,
    pub(super) own: AtomicU64,
    pub(super) krpc: AtomicU64,
    pub(super) other: AtomicU64,
    /// Of all these, the ones that nobody took or had room for.
    pub(super) dropped: AtomicU64,
}

impl Sorted {
    /// Leaves only QUIC in a buffer that the system filled, which may hold several datagrams of one
    /// sender, each `meta.stride` bytes long but the last.
    pub(super) fn sort(&self, buffer: &mut [u8], meta: &mut RecvMeta, queues: &Queues) {
        let (mut read, mut kept, mut quic) = (0, 0, 0);
        while read < meta.len {
            let length = meta.stride.clamp(1, meta.len - read);
            let datagram = read..read + length;
            match classify(&buffer[datagram.clone()]) {
                Class::Quic => {
                    if kept != read {
                        buffer.copy_within(datagram, kept);
                    }
                    kept += length;
                    quic += 1;
                }
                class => self.queue(class, &buffer[datagram], meta.addr, queues),
            }
            read += length;
        }
        if meta.len == 0 {
            self.queue(Class::Other, &[], meta.addr, queues);
        }
        meta.len = kept;
        self.quic.fetch_add(quic, Ordering::Relaxed);
    }

    fn queue(&self, class: Class, datagram: &[u8], from: SocketAddr, queues: &Queues) {
        let (count, queue) = match class {
            Class::Own => (&self.own, &queues.own),
            Class::Krpc => (&self.krpc, &queues.krpc),
            Class::Quic | Class::Other => (&self.other, &None),
        };
        count.fetch_add(1, Ordering::Relaxed);
        let queue = queue.as_ref().filter(|_| datagram.len() <= LONGEST);
        let queued = match queue.map(mpsc::Sender::try_reserve) {
            Some(Ok(place)) => {
                place.send(Packet { from, bytes: Bytes::copy_from_slice(datagram) });
                true
            }
            _ => false,
        };
        if !queued {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
