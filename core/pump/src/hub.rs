//! A node's tasks of the pump, and what they tell the program.

use std::{
    cell::RefCell,
    future::poll_fn,
    mem,
    pin::pin,
    ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use p2pchan::{Batch, Error, ErrorKind, Events, Newcomer, Node, Reason, Remote, Sender, Stats};
use tokio::sync::oneshot;

use crate::{
    events::named,
    executor::{Pump, pass},
    finder::Asked,
    slots::{RemoteId, Slots},
};

/// Messages of one remote that are told before others get their turn.
const TURN: usize = 1024;
/// Requests without an answer: more than a program keeps an eye on.
const REQUESTS: usize = 4096;

/// What a program is told, never two things at once: by whoever turns the pump, on that thread.
pub trait Program: Send + Sync + 'static {
    /// A remote has opened.
    fn remote(&self, remote: RemoteId, sender: &Sender);
    /// Messages of a remote, in their order: it takes as many as it likes, and at least one; what is left is told again.
    /// Whether those that it took have been read. Else it has taken all, and [`Entry::confirm_read`] is called when
    /// they have.
    fn messages(&self, remote: RemoteId, messages: &mut Batch) -> bool;
    /// There is room again for what the remote would not take.
    fn writable(&self, remote: RemoteId);
    /// A remote has ended; it is the last that is told of it. Without a reason the node was stopped
    /// while the remote was paused.
    fn ended(&self, remote: RemoteId, reason: Option<&Reason>);
    /// The answer to a request, and the remote if that was asked for.
    fn result(&self, request: u64, result: Result<Option<RemoteId>, &Error>);
    /// Something that has a name, with particulars as JSON.
    fn event(&self, name: &str, json: &str);
    /// Whether anybody listens to events.
    fn wants_events(&self) -> bool;
    /// Somebody has proved a subject and would get a remote: whether that is refused is answered now or
    /// later.
    fn newcomer(&self, newcomer: &Newcomer, answer: Answer);
}

/// Where a program says whether a newcomer gets no remote. One that is dropped refuses.
pub struct Answer(oneshot::Sender<bool>);

impl Answer {
    /// Refuses, or lets in. Nothing if nobody waits for it any more, as time has run out.
    pub fn give(self, refused: bool) {
        let _ = self.0.send(refused);
    }

    /// Whether anybody waits for it.
    pub fn is_awaited(&self) -> bool {
        !self.0.is_closed()
    }
}

/// What stands between one node and its program. Its tasks are: one that accepts remotes, two for
/// events and statistics, one for each newcomer and each request to a discovery service, one for each
/// remote that is open, one for each that the program waits to write to, and one for each request.
pub struct Hub {
    pump: Arc<Pump>,
    program: Arc<dyn Program>,
    slots: Slots<Entry>,
    stopping: AtomicBool,
    /// The last number that was given to a request.
    numbered: AtomicU64,
    /// One for each request without an answer, and one here.
    unanswered: Arc<()>,
    pub(crate) asked: Asked,
}

/// A place among the requests, and its number.
pub struct Request {
    /// The number of which the answer is told.
    pub number: u64,
    /// The program wants to hear of it.
    wanted: bool,
    place: Arc<()>,
}

impl Hub {
    /// A hub for this program; nothing is told before [`begin`](Self::begin), except answers.
    pub fn new(program: Arc<dyn Program>) -> Arc<Self> {
        Arc::new(Self {
            pump: Pump::new(),
            program,
            slots: Slots::default(),
            stopping: AtomicBool::new(false),
            numbered: AtomicU64::new(0),
            unanswered: Arc::default(),
            asked: Asked::default(),
        })
    }

    /// What runs the tasks.
    pub const fn pump(&self) -> &Arc<Pump> {
        &self.pump
    }

    /// A number for a request that will be answered; the answer is told if it is `wanted`.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if too many wait for their answers, [`ErrorKind::Closed`] once the node
    /// stops.
    pub fn request(&self, wanted: bool) -> Result<Request, Error> {
        if self.is_stopping() {
            return Err(closed());
        }
        let place = self.unanswered.clone();
        if Arc::strong_count(&place) > REQUESTS + 1 {
            let message = format!("{REQUESTS} requests wait for their answers; await some first");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        Ok(Request { number: self.number(), wanted, place })
    }

    /// The number of a request: never 0, never the same again.
    pub(crate) fn number(&self) -> u64 {
        self.numbered.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tells the answer to a request when it is ready. A remote in it is told of first.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] if the node has stopped meanwhile, so that it will never be told.
    pub fn answer(
        self: &Arc<Self>,
        request: Request,
        answer: impl Future<Output = Result<Option<Remote>, Error>> + Send + 'static,
    ) -> Result<(), Error> {
        let hub = self.clone();
        let spawned = self.pump.spawn(async move {
            let Request { number, wanted, place: _place } = request;
            let result = answer.await.map(|remote| remote.and_then(|remote| hub.open(remote)));
            if wanted {
                hub.program.result(number, result.as_ref().copied());
            }
        });
        if spawned { Ok(()) } else { Err(closed()) }
    }

    /// Whether a newcomer gets no remote, which the program is asked; yes once it is asked nothing any
    /// more.
    pub fn refuses(
        self: &Arc<Self>,
        newcomer: Newcomer,
    ) -> impl Future<Output = bool> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let hub = self.clone();
        self.pump.spawn(async move {
            // It may have given up before its turn came.
            if !answer.is_closed() {
                hub.program.newcomer(&newcomer, Answer(answer));
            }
        });
        async { answered.await.unwrap_or(true) }
    }

    /// Tells of all that a node does from now on. Its remotes are taken as they come, so nobody else may
    /// take them.
    pub fn begin(self: &Arc<Self>, node: Node) {
        if self.program.wants_events() {
            self.pump.spawn(self.clone().tell_events(node.events()));
            self.pump.spawn(self.clone().tell_stats(node.stats()));
        }
        let hub = self.clone();
        self.pump.spawn(async move {
            while let Some(remote) = node.next_remote().await {
                hub.open(remote);
                pass().await;
            }
        });
    }

    async fn tell_events(self: Arc<Self>, mut events: Events) {
        while let Some(event) = events.next().await {
            let (name, particulars) = named(&event);
            self.program.event(name, &particulars.to_string());
            pass().await;
        }
    }

    async fn tell_stats(self: Arc<Self>, mut stats: Stats) {
        while let Some(change) = stats.next().await {
            // Numbers under names always become JSON.
            let json = serde_json::to_string(&change).unwrap_or_default();
            self.program.event("stats", &json);
        }
    }

    /// Tells to the end what closing the node brings, which is over when `closed` is ready. When all
    /// remotes have been told to have ended, the event `stopped` is the last, and the pump ends. A second
    /// call does nothing.
    pub fn stop(self: &Arc<Self>, closed: impl Future<Output = ()> + Send + 'static) {
        if self.stopping.swap(true, Ordering::SeqCst) {
            return;
        }
        self.slots.all().iter().for_each(|(_, entry)| entry.wake_reader());
        let hub = self.clone();
        self.pump.spawn(async move {
            closed.await;
            hub.pump.alone().await;
            hub.program.event("stopped", "{}");
            hub.pump.end();
        });
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Takes a remote over and tells of it. Only for tasks of the pump.
    fn open(self: &Arc<Self>, remote: Remote) -> Option<RemoteId> {
        let entry = Entry::new(remote.sender());
        let Ok(id) = self.slots.insert(entry.clone()) else {
            remote.refuse();
            return None;
        };
        self.program.remote(id, &entry.sender);
        let hub = self.clone();
        self.pump.spawn(hub.receive(id, entry, remote));
        Some(id)
    }

    async fn receive(self: Arc<Self>, id: RemoteId, entry: Arc<Entry>, mut remote: Remote) {
        remote.read_on_confirmation();
        // How it ended is told by `reason`.
        while let Some(messages) = self.next(&entry, &mut remote).await {
            self.tell(id, &entry, messages).await;
            // One that is paused now waits in any case.
            if !entry.paused.load(Ordering::Relaxed) {
                pass().await;
            }
        }
        // A paused remote holds back its end too, as a socket does that nobody reads.
        self.resumed(&entry).await;
        self.program.ended(id, remote.reason());
        entry.gone.store(true, Ordering::Relaxed);
        self.slots.remove(id);
    }

    /// The next messages, if others follow. While the remote is paused none are taken: the peer would
    /// be told that the program has read them.
    async fn next(&self, entry: &Entry, remote: &mut Remote) -> Option<Batch> {
        poll_fn(|context| match self.poll_resumed(entry, context) {
            Poll::Ready(true) => {
                pin!(remote.recv_batch()).poll(context).map(|received| received.ok().flatten())
            }
            Poll::Ready(false) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Tells messages of a remote, which wait while it is paused; now and then others have their turn.
    async fn tell(&self, id: RemoteId, entry: &Entry, mut messages: Batch) {
        let mut left = TURN;
        while messages.len() > 0 {
            if left == 0 {
                pass().await;
                left = TURN;
            }
            if !self.resumed(entry).await {
                entry.sender.leave_unread();
                return;
            }
            let before = messages.len();
            if self.program.messages(id, &mut messages) && messages.len() == 0 {
                entry.confirm_read();
            }
            left = left.saturating_sub(before - messages.len());
        }
    }

    /// Waits while a remote is paused; false if the node stops meanwhile.
    async fn resumed(&self, entry: &Entry) -> bool {
        poll_fn(|context| self.poll_resumed(entry, context)).await
    }

    fn poll_resumed(&self, entry: &Entry, context: &Context<'_>) -> Poll<bool> {
        if !entry.paused.load(Ordering::SeqCst) {
            return Poll::Ready(true);
        }
        *lock(&entry.reader) = Some(context.waker().clone());
        // Looked at again, as either may have changed just now.
        match (entry.paused.load(Ordering::SeqCst), self.is_stopping()) {
            (false, _) => Poll::Ready(true),
            (true, true) => Poll::Ready(false),
            (true, false) => Poll::Pending,
        }
    }

    /// Calls with a remote.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] if there is none of that number any more.
    #[inline]
    pub fn with<T>(&self, id: RemoteId, call: impl FnOnce(&Arc<Entry>) -> T) -> Result<T, Error> {
        self.slots.with(id, call)
    }

    /// As [`with`](Self::with), without a lock if this thread asked for the same remote the last time:
    /// for what is done again and again.
    #[inline]
    pub fn with_recent<T>(
        &self,
        id: RemoteId,
        call: impl FnOnce(&Arc<Entry>) -> T,
    ) -> Result<T, Error> {
        let hub = ptr::from_ref(self).addr();
        RECENT
            .try_with(|recent| {
                let mut recent = recent.borrow_mut();
                match &*recent {
                    Some(known) if known.is(hub, id) => Ok(call(&known.entry)),
                    _ => {
                        let entry = self.slots.with(id, Arc::clone)?;
                        let known = recent.insert(Recent { hub, id, entry });
                        Ok(call(&known.entry))
                    }
                }
            })
            // The thread ends.
            .unwrap_or_else(|_| Err(closed()))
    }

    /// All remotes that are open.
    pub fn remotes(&self) -> Vec<RemoteId> {
        self.slots.all().into_iter().map(|(id, _)| id).collect()
    }

    /// Tells once when there is room again; a second call before that does nothing.
    pub fn await_room(self: &Arc<Self>, id: RemoteId, entry: Arc<Entry>) {
        if entry.wants_room.swap(true, Ordering::SeqCst) {
            return;
        }
        let hub = self.clone();
        self.pump.spawn(async move {
            let writable = entry.sender.writable().await;
            entry.wants_room.store(false, Ordering::SeqCst);
            // Its end may have been told meanwhile, and that is the last.
            if writable.is_ok() && hub.slots.with(id, |_| ()).is_ok() {
                hub.program.writable(id);
            }
        });
    }
}

thread_local! {
    /// The remote that this thread asked for the last time. It keeps no more than that one, and that
    /// until it asks for another, gives a node back, or ends.
    static RECENT: RefCell<Option<Recent>> = const { RefCell::new(None) };
}

struct Recent {
    /// Where the hub is. Another one may be there later, but never with the same number.
    hub: usize,
    id: RemoteId,
    entry: Arc<Entry>,
}

impl Recent {
    #[inline]
    fn is(&self, hub: usize, id: RemoteId) -> bool {
        self.id == id && self.hub == hub && !self.entry.gone.load(Ordering::Relaxed)
    }
}

/// Lets this thread forget the remote that it asked for the last time.
pub fn forget_recent() {
    // A thread that ends has forgotten it.
    let recent = RECENT.try_with(RefCell::take);
    drop(recent);
}

/// What is kept of a remote beside the task that reads it.
pub struct Entry {
    /// Sends to it.
    pub sender: Sender,
    /// The program's own, from beginning to end.
    pub userdata: AtomicPtr<()>,
    paused: AtomicBool,
    /// The task that waits for the pause to end.
    reader: Mutex<Option<Waker>>,
    /// The program waits to hear that there is room.
    wants_room: AtomicBool,
    /// Its end has been told.
    gone: AtomicBool,
}

impl Entry {
    fn new(sender: Sender) -> Arc<Self> {
        Arc::new(Self {
            sender,
            userdata: AtomicPtr::default(),
            paused: AtomicBool::new(false),
            reader: Mutex::default(),
            wants_room: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        })
    }

    /// Tells nothing more of it, not even its end, until it is resumed. Messages that are being told
    /// are told.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// Tells of it again.
    pub fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
        self.wake_reader();
    }

    /// Says that all messages that were told have been read, before it is resumed.
    pub fn confirm_read(&self) {
        self.sender.confirm_read();
    }

    fn wake_reader(&self) {
        let reader = mem::take(&mut *lock(&self.reader));
        reader.into_iter().for_each(Waker::wake);
    }
}

/// What is answered once the node has stopped.
pub fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the node has stopped")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
