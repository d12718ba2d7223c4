//! The port: what outlives the system's socket.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use p2pchan_proto::datagram::paths::PathTable;
use quinn::udp::{RecvMeta, Transmit};

use super::{
    live::Live,
    sort::{Queues, Sorted},
};

/// How long a path outlives its connection: the engine says goodbye when we have let go of it.
const GOODBYE: Duration = Duration::from_secs(3);
/// Addresses with connections at once: beyond it dials fail and newcomers are refused. Many times what
/// `limits.remotes` and `limits.unproven` allow by default.
const MOST_PATHS: usize = 16_384;

/// A UDP port that QUIC shares with others.
pub(crate) struct Port {
    /// Exchanged by [`Port::swap`], gone after [`Port::close`]; else only read.
    live: RwLock<Option<Arc<Live>>>,
    queues: Queues,
    sorted: Sorted,
    sent: AtomicU64,
    paths: Mutex<Paths>,
    /// Whether there is any: most ports lead nothing elsewhere, and then nothing is looked up.
    has_paths: AtomicBool,
    /// Who waits to receive, to be told of another socket.
    reader: Mutex<Option<Waker>>,
    /// Whether it is known. The engine has one reader, which is the same task for good.
    has_reader: AtomicBool,
}

/// What the engine's names for its peers mean.
struct Paths {
    table: PathTable,
    /// Names that no connection needs, and when: each is forgotten after [`GOODBYE`]. At most
    /// [`MOST_PATHS`].
    left: VecDeque<(Instant, SocketAddr)>,
}

impl Paths {
    /// Forgets the names whose time has passed.
    fn table(&mut self) -> &mut PathTable {
        while let Some((_, name)) = self.left.pop_front_if(|(left, _)| left.elapsed() > GOODBYE) {
            self.table.close(name);
        }
        &mut self.table
    }
}

/// How many datagrams a port has received, by kind, and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) quic: u64,
    pub(crate) own: u64,
    pub(crate) krpc: u64,
    pub(crate) other: u64,
    pub(crate) dropped: u64,
    /// Datagrams sent, each buffer that the kernel cuts counted as its pieces.
    pub(crate) sent: u64,
}

impl Port {
    pub(crate) fn new(socket: std::net::UdpSocket, queues: Queues) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            live: RwLock::new(Some(Arc::new(Live::new(socket)?))),
            queues,
            sorted: Sorted::default(),
            sent: AtomicU64::new(0),
            paths: Mutex::new(Paths { table: PathTable::new(MOST_PATHS), left: VecDeque::new() }),
            has_paths: AtomicBool::new(false),
            reader: Mutex::new(None),
            has_reader: AtomicBool::new(false),
        }))
    }

    /// Goes on with another socket: connections, probes and all else move to it together. What the
    /// old one had received and nobody read is lost, as datagrams may be.
    #[cfg_attr(not(test), expect(dead_code, reason = "for those that notice a new network"))]
    pub(crate) fn swap(&self, socket: std::net::UdpSocket) -> io::Result<()> {
        let live = Arc::new(Live::new(socket)?);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(live);
        if let Some(reader) = &*lock(&self.reader) {
            reader.wake_by_ref();
        }
        Ok(())
    }

    /// Gives the system's port back, whoever still holds this.
    pub(crate) fn close(&self) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Sends one datagram that is not QUIC, unless the socket is busy: then it is lost, as datagrams
    /// may be.
    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: None,
            src_ip: None,
        };
        self.count_sent(&transmit);
        self.live(|live| live.try_send(&transmit))?
    }

    /// A name for an address that can be led elsewhere while the engine uses it. `None` if too many are
    /// in use. Plain dials have none: the engine would take what the same peer dials for another one.
    #[cfg_attr(not(test), expect(dead_code, reason = "for punching and relays"))]
    pub(crate) fn open_path(self: &Arc<Self>, real: SocketAddr) -> Option<Path> {
        let name = lock(&self.paths).table().open(real)?;
        self.has_paths.store(true, Ordering::Release);
        Some(Path { port: self.clone(), name })
    }

    /// Where an address of the engine's really is.
    pub(crate) fn real_address(&self, name: SocketAddr) -> Option<SocketAddr> {
        match self.paths() {
            Some(paths) => paths.table.to_real(name),
            None => Some(name),
        }
    }

    fn paths(&self) -> Option<MutexGuard<'_, Paths>> {
        self.has_paths.load(Ordering::Acquire).then(|| lock(&self.paths))
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.live(Live::local_address)?
    }

    pub(crate) fn counters(&self) -> Counters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            quic: count(&self.sorted.quic),
            own: count(&self.sorted.own),
            krpc: count(&self.sorted.krpc),
            other: count(&self.sorted.other),
            dropped: count(&self.sorted.dropped),
            sent: count(&self.sent),
        }
    }

    /// Asks the system's socket; there is none once the port is closed.
    fn live<R>(&self, ask: impl FnOnce(&Live) -> R) -> io::Result<R> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.as_deref().map(ask).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn register(&self, waker: &Waker) {
        if !self.has_reader.load(Ordering::Acquire) {
            *lock(&self.reader) = Some(waker.clone());
            self.has_reader.store(true, Ordering::Release);
        }
    }

    fn count_sent(&self, transmit: &Transmit<'_>) {
        let segment = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        let datagrams = transmit.contents.len().div_ceil(segment) as u64;
        self.sent.fetch_add(datagrams, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl quinn::AsyncUdpSocket for Port {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn quinn::UdpPoller>> {
        Box::pin(Writable { port: self, waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = match self.real_address(transmit.destination) {
            Some(real) if real == transmit.destination => {
                self.live(|live| live.try_send(transmit))?
            }
            // Which of our addresses it leaves from depends on where it really goes.
            Some(destination) => {
                let transmit = Transmit { destination, src_ip: None, ..transmit.clone() };
                self.live(|live| live.try_send(&transmit))?
            }
            // The path has been closed: nobody is there any more.
            None => return Ok(()),
        };
        if !matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.count_sent(transmit);
        }
        sent
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // First, so that a socket that comes right after this one was looked at is not missed.
        self.register(context.waker());
        // After the end nothing comes any more.
        let Ok(received) = self.live(|live| live.poll_receive(context, buffers, metas)) else {
            return Poll::Pending;
        };
        let received = ready!(received);
        let paths = self.paths();
        for (buffer, meta) in buffers.iter_mut().zip(metas).take(received) {
            self.sorted.sort(buffer, meta, &self.queues);
            let Some(paths) = &paths else { continue };
            let name = paths.table.to_virtual(meta.addr);
            if name != meta.addr {
                (meta.addr, meta.dst_ip) = (name, None);
            }
        }
        Poll::Ready(Ok(received))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_address()
    }

    fn max_transmit_segments(&self) -> usize {
        self.live(Live::most_segments_sent).unwrap_or(1)
    }

    fn max_receive_segments(&self) -> usize {
        self.live(Live::most_segments_received).unwrap_or(1)
    }

    fn may_fragment(&self) -> bool {
        self.live(Live::may_fragment).unwrap_or(false)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("live", &self.live).finish_non_exhaustive()
    }
}

/// A place in the port's table of addresses, for as long as a connection needs it. The engine knows
/// its peer by the path's name, which need not be a real address.
pub(crate) struct Path {
    port: Arc<Port>,
    name: SocketAddr,
}

impl Path {
    #[cfg_attr(not(test), expect(dead_code, reason = "for punching and relays"))]
    pub(crate) const fn name(&self) -> SocketAddr {
        self.name
    }

    /// From now on the path leads to another address; QUIC never notices. Only paths that were opened
    /// by a dial can be led elsewhere; says whether this one could.
    #[cfg_attr(not(test), expect(dead_code, reason = "for punching and relays"))]
    pub(crate) fn reroute(&self, real: SocketAddr) -> bool {
        lock(&self.port.paths).table.reroute(self.name, real)
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        lock(&self.port.paths).left.push_back((Instant::now(), self.name));
    }
}

/// Waits until the port can send. Each connection has its own, as each has a task of its own.
struct Writable {
    port: Arc<Port>,
    waiting: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>>,
}

impl quinn::UdpPoller for Writable {
    fn poll_writable(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { port, waiting } = &mut *self;
        let waiting = match waiting {
            Some(waiting) => waiting,
            None => {
                let live = port.live.read().unwrap_or_else(PoisonError::into_inner);
                let live = live.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                if live.is_writable() {
                    return Poll::Ready(Ok(()));
                }
                let live = live.clone();
                waiting.insert(Box::pin(async move { live.writable().await }))
            }
        };
        let ready = ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        Poll::Ready(ready)
    }
}

impl fmt::Debug for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writable").finish_non_exhaustive()
    }
}
