//! What all tasks of a node share, and how the decisions of its machines become actions.
//!
//! The machines of `p2pchan-proto` that look across connections (`Links`, `Admission`, `Book`) live
//! behind one lock, [`Core`], that is held for short calls only. Lock order: core, then one link.
//! Programs' code (hooks, discovery services) is never called under a lock.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use p2pchan_proto::{
    address::Address,
    book::{self, Book, DialId},
    channel::{BlockPool, Budget, CloseCode, Config, Opened, Reason, Traffic},
    error::Error,
    id::PeerId,
    node::{Admission, LinkId, Links, Output},
    settings::Settings,
    subject::SubjectKey,
    wire::Hello,
};
use tokio::{
    runtime,
    sync::{
        Notify, Semaphore, broadcast,
        mpsc::{self, error::TrySendError},
        oneshot, watch,
    },
};

use super::{
    node_closed, node_paused,
    ports::Ports,
    probes::Probes,
    searches::Searches,
    services::{Service, Services},
    subjects::{Derivation, Subjects},
    totals::Counters,
    update::{MAX_UPDATES, Open},
    welcome::RefuseHook,
};
use crate::{
    clock::Clock,
    event::{self, Event, Events},
    link::Link,
    remote::{Remote, State},
    tasks::Tasks,
    transport::{TlsConfigs, quic::QuicConfigs},
};

/// How much longer than `timeouts.close` closing may take: saying goodbye, and one turn of each task.
const CLOSING: Duration = Duration::from_secs(3);

pub(super) struct Inner {
    pub(super) id: PeerId,
    pub(super) settings: watch::Sender<Arc<Settings>>,
    pub(super) tls: TlsConfigs,
    pub(super) ports: Ports,
    pub(super) probes: Probes,
    /// Where the node accepts connections now.
    pub(super) listening: watch::Sender<Arc<[Address]>>,
    /// Whoever changes what is open holds this to the end, so one change comes after the other.
    pub(super) open: tokio::sync::Mutex<Open>,
    /// Places for changes that wait for it.
    pub(super) updates: Arc<Semaphore>,
    pub(super) refuse: Option<RefuseHook>,
    pub(super) runtime: runtime::Handle,
    pub(super) tasks: Tasks,
    pub(super) clock: Clock,
    /// Gone once the node has closed, so that listeners end.
    events: Mutex<Option<broadcast::Sender<Event>>>,
    pub(super) closing: watch::Sender<bool>,
    /// As the settings say, but sooner when they begin to, and later when they end to.
    pub(super) paused: watch::Sender<bool>,
    /// Each task of a connection, from the first dial or packet on, holds a receiver.
    pub(super) connections: watch::Sender<()>,
    /// The plans of [`Core`] may have changed.
    pub(super) plans_changed: Notify,
    pub(super) derivation: Derivation,
    /// What all connections share, also those that were made with other settings.
    pub(super) budget: Budget,
    pool: BlockPool,
    pub(super) counters: Counters,
    core: Mutex<Core>,
}

/// The machines, and the tables that connect them with tasks.
pub(super) struct Core {
    pub(super) links: Links,
    pub(super) admission: Admission,
    pub(super) book: Book,
    pub(super) subjects: Subjects,
    pub(super) services: Services,
    /// Connections with a session; bounded by admission and `limits.remotes`.
    pub(super) table: BTreeMap<LinkId, Arc<Link>>,
    /// Who waits for `connect`; bounded by the book.
    pub(super) connecting: BTreeMap<DialId, oneshot::Sender<Result<Remote, Error>>>,
    /// Open remotes; bounded by `limits.remotes` times `limits.channels`.
    pub(super) remotes: BTreeMap<(LinkId, u64), Arc<State>>,
    /// Channels that the program's hook is being asked about; bounded as the remotes.
    pub(super) asked: BTreeSet<(LinkId, u64)>,
    pub(super) incoming: Option<mpsc::Sender<Remote>>,
    /// Accepted connections that have not proved a subject; how to drop them.
    pub(super) unproven: BTreeMap<LinkId, Arc<Notify>>,
    /// HELLOs that came while subjects are still being derived; bounded by admission.
    pub(super) undecided: Vec<(LinkId, Hello)>,
    pub(super) next_link: u64,
    pub(super) searches: Searches,
    /// What went over connections that are not in the table any more.
    pub(super) gone: Traffic,
}

impl Core {
    /// The connection has ended, or been crowded out.
    pub(super) fn forget_link(&mut self, link: LinkId) {
        self.asked.retain(|(asked, _)| *asked != link);
        if let Some(link) = self.table.remove(&link) {
            self.gone += link.lock().session.traffic();
        }
    }
}

pub(super) struct Parts {
    pub(super) id: PeerId,
    pub(super) settings: Settings,
    pub(super) tls: TlsConfigs,
    pub(super) refuse: Option<RefuseHook>,
    pub(super) incoming: mpsc::Sender<Remote>,
    pub(super) runtime: runtime::Handle,
}

/// Unpredictable bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let kind = p2pchan_proto::error::ErrorKind::Io;
        Error::new(kind, format!("the operating system has no randomness: {error}"))
    })?;
    Ok(bytes)
}

impl Inner {
    pub(super) fn new(parts: Parts) -> Result<Arc<Self>, Error> {
        let Parts { id, settings, tls, refuse, incoming, runtime } = parts;
        let limits = &settings.limits;
        let core = Core {
            links: Links::new(id, limits.remotes, settings.timeouts.handshake),
            admission: Admission::new(limits.unproven),
            book: Book::new(book_config(&settings), u64::from_le_bytes(random()?)),
            subjects: Subjects::default(),
            services: Services::default(),
            table: BTreeMap::new(),
            connecting: BTreeMap::new(),
            remotes: BTreeMap::new(),
            asked: BTreeSet::new(),
            incoming: Some(incoming),
            unproven: BTreeMap::new(),
            undecided: Vec::new(),
            next_link: 0,
            searches: Searches::default(),
            gone: Traffic::default(),
        };
        let quic = QuicConfigs::new(&tls)?;
        Ok(Arc::new(Self {
            id,
            ports: Ports::new(quic, runtime.clone()),
            probes: Probes::default(),
            budget: Budget::new(limits.reassembly as u64),
            pool: BlockPool::default(),
            tls,
            listening: watch::channel(Arc::default()).0,
            open: tokio::sync::Mutex::default(),
            updates: Arc::new(Semaphore::new(MAX_UPDATES)),
            refuse,
            tasks: Tasks::new(runtime.clone()),
            runtime,
            clock: Clock::start(),
            events: Mutex::new(Some(broadcast::channel(event::WAITING).0)),
            closing: watch::channel(false).0,
            paused: watch::channel(settings.paused).0,
            settings: watch::channel(Arc::new(settings)).0,
            connections: watch::channel(()).0,
            plans_changed: Notify::new(),
            derivation: Derivation::default(),
            counters: Counters::default(),
            core: Mutex::new(core),
        }))
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings of this moment.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    /// Replaces the settings, also for what is running. What is open does not change by that.
    pub(super) fn set_settings(&self, settings: Settings) {
        let mut core = self.core();
        core.configure(&settings);
        self.budget.resize(settings.limits.reassembly as u64);
        self.settings.send_replace(Arc::new(settings));
        let config = self.session_config();
        for link in core.table.values() {
            link.command(|shared| shared.session.set_config(config.clone()));
        }
    }

    /// What a connection that begins now is made with.
    pub(super) fn session_config(&self) -> Config {
        session_config(&self.settings(), self.budget.clone(), self.pool.clone())
    }

    pub(super) fn emit(&self, event: Event) {
        event.log();
        self.counters.note(&event);
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listens: nobody wants to know.
        let _ = events.as_ref().map(|events| events.send(event));
    }

    /// First what is open, then what happens.
    pub(super) fn events(&self) -> Events {
        // Nothing opens meanwhile, as whoever says so holds this lock too.
        let core = self.core();
        let listening = self.listening.borrow().clone();
        let listening = listening.iter().map(|address| Event::Listening { address: *address });
        let opened = core.services.open.iter().filter_map(Service::opened);
        let control = self.control_opened();
        let opened = listening.chain(opened).chain(control).collect();
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        Events::new(opened, events.as_ref().map(broadcast::Sender::subscribe))
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Runs a task that ends when the node closes.
    pub(super) fn spawn_until_closing(
        self: &Arc<Self>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let inner = self.clone();
        self.tasks.spawn(async move {
            let _ = inner.until_closing(task).await;
        });
    }

    /// What a future comes to, unless the node closes first.
    pub(super) async fn until_closing<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            result = future => Some(result),
            _ = closing.wait_for(|closing| *closing) => None,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        *self.paused.borrow()
    }

    /// What a future comes to, unless the node closes or pauses first.
    pub(super) async fn while_running<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut paused = self.paused.subscribe();
        tokio::select! {
            result = self.until_closing(future) => result,
            _ = paused.wait_for(|paused| *paused) => None,
        }
    }

    /// Why a node that closes or pauses does not do something.
    pub(super) fn not_running(&self) -> Error {
        if self.is_closing() { node_closed() } else { node_paused() }
    }

    /// The task that dials when the book says so, and lets held newcomers in when their time comes.
    pub(super) fn drive_plans(self: &Arc<Self>) {
        let inner = self.clone();
        self.spawn_until_closing(async move {
            loop {
                let changed = inner.plans_changed.notified();
                let due = inner.advance_plans();
                match due {
                    None => changed.await,
                    Some(due) => {
                        let _ = tokio::time::timeout_at(inner.clock.instant(due), changed).await;
                    }
                }
            }
        });
    }

    fn advance_plans(self: &Arc<Self>) -> Option<p2pchan_proto::time::Time> {
        let now = self.clock.now();
        let mut core = self.core();
        if self.is_paused() {
            return None;
        }
        core.book.handle_timeout(now);
        core.links.handle_timeout(now);
        self.apply(&mut core);
        while let Some(output) = core.book.poll_output() {
            match output {
                book::Output::Dial { dial, address, subjects, patience } => {
                    self.dial(&mut core, dial, address, subjects, patience);
                }
                book::Output::Offer { peer, subject } => {
                    if let Some(link) = core.links.open_link(&peer) {
                        self.offer(&mut core, link, &[subject]);
                    }
                }
                book::Output::Unreachable { address, subjects, reason, attempts } => {
                    let mut labels = subjects.iter().filter_map(|key| core.subjects.label(*key));
                    let subject = labels.next();
                    self.emit(Event::Unreachable { subject, address, reason, attempts });
                }
            }
        }
        [core.book.poll_timeout(), core.links.poll_timeout()].into_iter().flatten().min()
    }

    /// Carries out what [`Links`] decided. Decisions on connections that have no session yet (the
    /// caller's own) are returned.
    pub(super) fn apply(&self, core: &mut Core) -> VecDeque<Output> {
        let mut own = VecDeque::new();
        while let Some(output) = core.links.poll_output() {
            match output {
                Output::Greet(_) => own.push_back(output),
                Output::Close(link, code) => match core.table.get(&link).cloned() {
                    Some(link) => self.close_link(core, &link, code, ""),
                    None => own.push_back(output),
                },
                Output::Welcome(link) => self.welcome(core, link),
                Output::Probe(link) => {
                    let now = self.clock.now();
                    if let Some(link) = core.table.get(&link) {
                        link.command(|shared| shared.session.ping(now));
                    }
                }
                Output::Offer(link, subjects) => self.offer(core, link, &subjects),
            }
        }
        own
    }

    /// Closes a connection. Its remotes have ended before those of another one in its place open.
    pub(super) fn close_link(&self, core: &mut Core, link: &Link, code: CloseCode, message: &str) {
        let reason = link.command(|shared| {
            shared.session.close(code, message);
            shared.session.closed().cloned()
        });
        let remotes = core.remotes.range((link.id, 0)..=(link.id, u64::MAX));
        let channels: Vec<_> = remotes.map(|((_, channel), _)| *channel).collect();
        for (channel, reason) in channels.into_iter().zip(std::iter::repeat(reason).flatten()) {
            self.end_remote(core, link, channel, reason);
        }
    }

    fn welcome(&self, core: &mut Core, link: LinkId) {
        let Some(link) = core.table.get(&link).cloned() else { return };
        let now = self.clock.now();
        let opened = link.command(|shared| {
            let (common, offered) = shared.held.take().unwrap_or_default();
            shared.session.welcome(&common, offered, Some(link.address.socket), now)
        });
        core.admission.leave(link.id, link.address.socket.ip());
        core.unproven.remove(&link.id);
        self.open_remotes(core, &link, &opened, None);
    }

    /// Offers further subjects on an open connection.
    pub(super) fn offer(&self, core: &mut Core, link: LinkId, subjects: &[SubjectKey]) {
        let (Some(link), Ok(seed)) = (core.table.get(&link), random()) else { return };
        let (peer, now) = (link.peer, self.clock.now());
        let done = link.command(|shared| {
            let wanted: Vec<_> = subjects
                .iter()
                .filter(|key| shared.session.has_room_for(**key))
                .take(shared.session.room())
                .filter_map(|key| Some((*key, &**core.subjects.keys(*key)?)))
                .collect();
            wanted.is_empty() || shared.session.offer(wanted, &seed, now)
        });
        if !done {
            subjects.iter().for_each(|subject| core.book.handle_declined(peer, *subject));
        }
    }

    /// Shows the program remotes for channels that opened. The first one goes to `connecting`.
    pub(super) fn open_remotes(
        &self,
        core: &mut Core,
        link: &Arc<Link>,
        opened: &[Opened],
        mut connecting: Option<oneshot::Sender<Result<Remote, Error>>>,
    ) {
        for Opened { channel, subject } in opened {
            let Some(name) = core.subjects.opened(*subject) else {
                // The subject was stopped while it was being proved.
                link.command(|shared| shared.session.reset(*channel, CloseCode::Refused));
                continue;
            };
            let state =
                State::new(link.clone(), *channel, *subject, name.clone(), self.clock.clone());
            core.remotes.insert((link.id, channel.0), state.clone());
            let (peer, address) = (link.peer, link.address);
            self.emit(Event::RemoteOpened { peer, subject: name, address });
            let remote = Remote::new(state);
            match connecting.take() {
                // Whoever asked may have gone; then the remote ends by being dropped.
                Some(connecting) => drop(connecting.send(Ok(remote))),
                None => self.hand_over(core, remote),
            }
        }
    }

    fn hand_over(&self, core: &Core, remote: Remote) {
        let Some(incoming) = &core.incoming else { return };
        let limit = self.settings().limits.waiting;
        let waiting = incoming.max_capacity() - incoming.capacity();
        let refused = match remote {
            remote if waiting >= limit => Some(remote),
            remote => incoming.try_send(remote).err().map(TrySendError::into_inner),
        };
        if let Some(remote) = refused {
            let reason =
                format!("{waiting} remotes wait for the program already; see limits.waiting");
            self.emit(Event::Refused { peer: remote.peer(), address: remote.address(), reason });
            remote.refuse();
        }
    }

    /// A channel has ended.
    pub(super) fn remote_ended(&self, link: &Link, channel: u64, reason: Reason) {
        self.end_remote(&mut self.core(), link, channel, reason);
    }

    fn end_remote(&self, core: &mut Core, link: &Link, channel: u64, reason: Reason) {
        core.asked.remove(&(link.id, channel));
        let Some(state) = core.remotes.remove(&(link.id, channel)) else { return };
        core.subjects.ended(state.key);
        let _ = state.ended.set(reason.clone());
        self.emit(Event::RemoteEnded { peer: link.peer, subject: state.subject.clone(), reason });
    }

    /// See [`super::Node::close`]. A second call waits for the first.
    pub(super) async fn close(&self) {
        self.closing.send_replace(true);
        let links: Vec<_> = {
            let mut core = self.core();
            core.incoming = None;
            core.subjects.stop_all();
            core.connecting.clear();
            core.table.values().cloned().collect()
        };
        let now = self.clock.now();
        for link in &links {
            link.command(|shared| shared.session.shut_down(now));
        }
        let limit = self.settings().timeouts.close + CLOSING;
        if tokio::time::timeout(limit, self.tasks.ended()).await.is_err() {
            self.tasks.abort();
            self.tasks.ended().await;
        }
        self.close_ports().await;
        self.close_services().await;
        self.events.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Core {
    /// Lets the machines work with other settings from now on.
    pub(super) fn configure(&mut self, settings: &Settings) {
        self.links.set_limits(settings.limits.remotes, settings.timeouts.handshake);
        self.admission.set_cap(settings.limits.unproven);
        self.book.set_config(book_config(settings));
    }
}

fn book_config(settings: &Settings) -> book::Config {
    book::Config {
        dials: settings.limits.dials,
        pending: settings.limits.dials_pending,
        patience: settings.timeouts.dial,
        ..book::Config::default()
    }
}

fn session_config(settings: &Settings, budget: Budget, pool: BlockPool) -> Config {
    let (limits, timeouts) = (&settings.limits, &settings.timeouts);
    Config {
        max_message: limits.message as u64,
        window: limits.window as u64,
        high_water: limits.high_water,
        low_water: limits.low_water,
        channels: limits.channels,
        handshake_timeout: timeouts.handshake,
        close_timeout: timeouts.close,
        ping_interval: timeouts.ping,
        idle_timeout: timeouts.idle,
        budget,
        pool,
    }
}
