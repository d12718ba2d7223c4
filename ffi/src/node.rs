//! The node: from `new` to `free`, and who runs its callbacks.

use std::{
    ffi::{c_char, c_int},
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use p2pchan::{Builder, Error, ErrorKind, Node, Remote};
use p2pchan_pump::{
    self as pump, Hub, SERVICES, Turn, closed, forget_recent, forked_error, generation,
};

use crate::{
    callbacks::{Calls, outside_callbacks, p2pchan_callbacks},
    discovery::Service,
    fork,
    remote::{p2pchan_peer_id, timeout},
    result::{answer, call, invalid, p2pchan_result},
    runtime::Runtime,
    settings::{Callbacks, Table, p2pchan_settings},
    text::{place, required, sized, write_text},
};

/// A node: one identity, with its listeners, discovery services and remotes.
pub struct p2pchan_node {
    generation: u64,
    pub(crate) hub: Arc<Hub>,
    calls: Arc<Calls>,
    pub(crate) settings: Table,
    /// From the moment it was started.
    started: OnceLock<Started>,
    life: Mutex<Life>,
}

/// The node goes before its runtime.
struct Started {
    node: Node,
    runtime: Arc<Runtime>,
}

/// What only starting and ending change.
#[derive(Default)]
struct Life {
    services: Vec<Arc<Service>>,
    /// It was asked to stop, perhaps before it was started.
    stopped: bool,
    thread: Option<JoinHandle<()>>,
}

impl p2pchan_node {
    /// The node behind a pointer.
    ///
    /// # Safety
    /// It is live, or NULL.
    #[inline]
    pub(crate) unsafe fn of<'a>(node: *const Self) -> Result<&'a Self, Error> {
        // SAFETY: the caller's promise.
        let node = unsafe { required(node, "node") }?;
        if node.generation == generation() { Ok(node) } else { Err(forked_error()) }
    }

    /// A further owner of the node behind a pointer, for what outlives the call or runs callbacks.
    ///
    /// # Safety
    /// It is live, or NULL.
    pub(crate) unsafe fn shared(node: *const Self) -> Result<Arc<Self>, Error> {
        // SAFETY: the caller's promise; it came from `Arc::into_raw`.
        unsafe {
            Self::of(node)?;
            Arc::increment_strong_count(node);
            Ok(Arc::from_raw(node))
        }
    }

    fn new(settings: Table, calls: Arc<Calls>) -> Arc<Self> {
        Arc::new_cyclic(|node| {
            calls.belong_to(node.clone());
            Self {
                generation: generation(),
                hub: Hub::new(calls.clone()),
                calls,
                settings,
                started: OnceLock::new(),
                life: Mutex::default(),
            }
        })
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node of the crate, once it was started.
    pub(crate) fn running(&self) -> Result<&Node, Error> {
        let started = self.started.get().map(|started| &started.node);
        started.ok_or_else(|| invalid("the node was not started; call p2pchan_node_start first"))
    }

    fn start(self: &Arc<Self>) -> Result<(), Error> {
        let mut life = self.life();
        if life.stopped {
            return Err(Error::new(ErrorKind::Closed, "the node was stopped; make a new one"));
        }
        if self.started.get().is_some() {
            return Err(invalid("the node was started already"));
        }
        let builder = self.builder(&life.services);
        let runtime = Runtime::shared(builder.runtime_threads()?)?;
        // First, so that nothing is open if there can be no thread.
        let threaded = self.settings.callbacks() == Callbacks::Thread;
        let thread = if threaded { Some(self.spawn_thread()?) } else { None };
        let (sender, receiver) = mpsc::channel();
        runtime.spawn(async move {
            // Whoever asked is waiting.
            let _ = sender.send(builder.start().await);
        });
        let lost = |_| Error::new(ErrorKind::Internal, "starting the node failed");
        let node = receiver.recv().map_err(lost)??;
        self.hub.begin(node.clone());
        let _ = self.started.set(Started { node, runtime });
        life.thread = thread.map(|(thread, go)| {
            // It waits for that.
            let _ = go.send(());
            thread
        });
        Ok(())
    }

    /// What the settings say, and what the program brings.
    fn builder(&self, services: &[Arc<Service>]) -> Builder {
        let mut builder = self.settings.builder();
        for service in services {
            let (hub, finder) = (self.hub.clone(), service.clone());
            builder = builder.discovery(pump::Service { hub, finder });
        }
        if self.calls.want_newcomers() {
            let hub = self.hub.clone();
            builder = builder.refuse_later(move |newcomer| Box::pin(hub.refuses(newcomer)));
        }
        builder
    }

    /// See `p2pchan_node_add_discovery`.
    pub(crate) fn add_service(&self, service: Arc<Service>) -> Result<(), Error> {
        let mut life = self.life();
        if self.started.get().is_some() || life.stopped {
            return Err(invalid("discovery services are added before p2pchan_node_start"));
        }
        if life.services.len() >= SERVICES {
            let message = format!("{SERVICES} discovery services are added already");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        life.services.push(service);
        Ok(())
    }

    /// Tells the program, as the last thing, that nothing will be called any more.
    fn drop_userdata(&self) {
        let services = mem::take(&mut self.life().services);
        services.iter().for_each(|service| service.drop_userdata());
        self.calls.drop_userdata();
    }

    /// The thread that runs the callbacks, from when it is told to go, or none if it never is. It keeps
    /// the node until the last of them has returned.
    fn spawn_thread(self: &Arc<Self>) -> Result<(JoinHandle<()>, mpsc::Sender<()>), Error> {
        let (node, (go, told)) = (self.clone(), mpsc::channel());
        let run = move || {
            if told.recv().is_err() {
                return;
            }
            while node.hub.pump().turn(None) != Turn::Ended {}
            node.drop_userdata();
        };
        let thread = thread::Builder::new().name("p2pchan-calls".into()).spawn(run);
        thread.map(|thread| (thread, go)).map_err(|error| {
            Error::new(ErrorKind::Io, format!("no thread for callbacks could be made: {error}"))
        })
    }

    fn stop(&self) {
        self.life().stopped = true;
        match self.started.get() {
            Some(Started { node, runtime }) => {
                let node = node.clone();
                let closing = runtime.spawn(async move { node.close().await });
                self.hub.stop(async { drop(closing.await) });
            }
            None => self.hub.pump().end(),
        }
    }

    /// Begins to answer a request at once, whether or not somebody dispatches. Its number is written
    /// before it can be answered.
    ///
    /// # Safety
    /// There is room for a number, or the pointer is NULL: then nobody wants the answer.
    pub(crate) unsafe fn request(
        &self,
        number: *mut u64,
        answer: impl Future<Output = Result<Option<Remote>, Error>> + Send + 'static,
    ) -> Result<(), Error> {
        self.running()?;
        let Some(started) = self.started.get() else { return Ok(()) };
        let request = self.hub.request(!number.is_null())?;
        let running = started.runtime.spawn(answer);
        let answer = async { running.await.unwrap_or_else(|_| Err(closed())) };
        // SAFETY: the caller's promise.
        let Some(number) = (unsafe { number.as_mut() }) else {
            return self.hub.answer(request, answer);
        };
        let before = mem::replace(number, request.number);
        self.hub.answer(request, answer).inspect_err(|_| *number = before)
    }

    /// Ends everything and waits for the last callback.
    fn free(self: Arc<Self>) {
        forget_recent();
        self.stop();
        let thread = mem::take(&mut self.life().thread);
        match thread {
            // It catches panics of its tasks, and has nothing else to say.
            Some(thread) => drop(thread.join()),
            None => while self.hub.pump().turn(None) != Turn::Ended {},
        }
        self.drop_userdata();
    }

    /// Ends everything without waiting.
    fn release(self: Arc<Self>) {
        if self.life().thread.is_some() {
            return self.stop();
        }
        self.life().stopped = true;
        self.hub.pump().end();
        let Some(Started { node, runtime }) = self.started.get() else {
            return self.drop_userdata();
        };
        let (node, runtime, handle) = (node.clone(), runtime.clone(), runtime.handle().clone());
        handle.clone().spawn(async move {
            node.close().await;
            // It may be released inside one of its own callbacks.
            self.hub.pump().quiet().await;
            // The program may take its time. The runtime goes there too, if it was the last node.
            handle.spawn_blocking(move || {
                self.drop_userdata();
                drop((node, self, runtime));
            });
        });
    }
}

/// Makes a node; nothing is opened and nobody called before p2pchan_node_start. NULL for settings
/// means that all have their defaults; NULL for callbacks means none.
///
/// Ownership: the node written to out is the caller's, see rule 1; settings and callbacks are copied
/// and may be given back at once. Threads: any. Errors: P2PCHAN_ERR_SETTINGS and P2PCHAN_ERR_IO for
/// settings that are wrong, or contradict each other; P2PCHAN_ERR_INVALID. If it fails, on_drop has
/// been called before it returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_new(
    settings: *const p2pchan_settings,
    callbacks: *const p2pchan_callbacks,
    out: *mut *mut p2pchan_node,
) -> p2pchan_result {
    call(|| {
        fork::watch();
        // SAFETY: the rules of the header.
        let callbacks = unsafe {
            if callbacks.is_null() { mem::zeroed() } else { sized(callbacks, "p2pchan_callbacks")? }
        };
        // From here on, whatever happens, dropping them calls on_drop.
        let calls = Arc::new(Calls::new(callbacks));
        let out = place(out, "out")?;
        // SAFETY: the rules of the header.
        let settings = unsafe { settings.as_ref() };
        let settings = settings.map(p2pchan_settings::table).unwrap_or_default();
        settings.builder().runtime_threads()?;
        let node = p2pchan_node::new(settings, calls);
        // SAFETY: it is not NULL.
        unsafe { out.write(Arc::into_raw(node).cast_mut()) };
        Ok(())
    })
}

/// Opens what the settings name, and nothing else. It reads files, but does not wait for the network.
///
/// Threads: any. Errors: P2PCHAN_ERR_SETTINGS naming the key and the value; P2PCHAN_ERR_IO if
/// something cannot be opened, or a file not be read; then nothing is left open, and it may be started
/// again. P2PCHAN_ERR_INVALID if it was started already, P2PCHAN_ERR_CLOSED if it was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_start(node: *mut p2pchan_node) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        unsafe { p2pchan_node::shared(node) }?.start()
    })
}

/// Asks the node to end: announcements are withdrawn, what was sent goes out, remotes end (on_end
/// comes for each), and last on_event says "stopped". Nothing waits for that here. A node cannot be
/// started again.
///
/// Threads: any. Errors: none beyond those of the rules.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_stop(node: *mut p2pchan_node) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        unsafe { p2pchan_node::of(node) }?.stop();
        Ok(())
    })
}

/// Gives a node back: stops it and waits until all is closed and the last callback, on_drop, has
/// returned; timeouts.close and 6 s at most, and as long as callbacks take. With
/// callbacks = "dispatch" it runs the remaining ones itself. NULL is allowed.
///
/// Ownership: the node is gone, unless it fails. Threads: any, see rule 1. Errors:
/// P2PCHAN_ERR_IN_CALLBACK; use p2pchan_node_release there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_free(node: *mut p2pchan_node) -> p2pchan_result {
    call(|| {
        if node.is_null() {
            return Ok(());
        }
        // SAFETY: the rules of the header; it came from `Arc::into_raw`, and is given back once.
        unsafe {
            p2pchan_node::of(node)?;
            outside_callbacks("p2pchan_node_free")?;
            Arc::from_raw(node).free();
        }
        Ok(())
    })
}

/// Gives a node back without waiting, from anywhere, also inside its own callbacks: for finalisers.
/// It ends in the background as with p2pchan_node_stop; with callbacks = "dispatch" no callback but
/// on_drop comes any more. on_drop comes last: on a thread of the library, or before this returns if
/// the node was not started. NULL is allowed.
///
/// Ownership: the node is gone. Threads: any, see rule 1. Errors: none; in a forked child it does
/// nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_release(node: *mut p2pchan_node) {
    call(|| {
        if node.is_null() {
            return Ok(());
        }
        // SAFETY: as in `p2pchan_node_free`.
        unsafe {
            p2pchan_node::of(node)?;
            Arc::from_raw(node).release();
        }
        Ok(())
    });
}

/// A descriptor for poll, epoll and the like: readable while p2pchan_node_dispatch would find
/// something to do. Watch it for reading (level-triggered), and do nothing else with it.
///
/// Ownership: the node's; it is closed with it. Threads: any. Errors: -1 if callbacks is not
/// "dispatch", or the operating system has no descriptor left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_event_fd(node: *const p2pchan_node) -> c_int {
    answer(-1, || {
        // SAFETY: the rules of the header.
        let node = unsafe { p2pchan_node::of(node) }?;
        node.dispatched("p2pchan_node_event_fd")?;
        node.hub.pump().bell(std::os::fd::AsRawFd::as_raw_fd).map_err(|error| {
            Error::new(ErrorKind::Io, format!("no descriptor for events: {error}"))
        })
    })
}

/// Runs callbacks: waits until there is something to do, at most so many milliseconds (0: not at all,
/// negative: for ever), and then does what there is to do at that moment. If another thread is in this
/// call, waits for that first.
///
/// Threads: any, one at a time. Errors: P2PCHAN_OK also if time ran out; P2PCHAN_ERR_CLOSED once the
/// node has been stopped and the last callback but on_drop has returned; P2PCHAN_ERR_IN_CALLBACK;
/// P2PCHAN_ERR_INVALID if callbacks is not "dispatch".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_dispatch(
    node: *mut p2pchan_node,
    timeout_ms: c_int,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header. A callback may release the node meanwhile.
        let node = unsafe { p2pchan_node::shared(node) }?;
        outside_callbacks("p2pchan_node_dispatch")?;
        node.dispatched("p2pchan_node_dispatch")?;
        match node.hub.pump().turn(timeout(timeout_ms)) {
            Turn::Ran | Turn::Idle => Ok(()),
            Turn::Ended => Err(closed()),
        }
    })
}

impl p2pchan_node {
    fn dispatched(&self, what: &str) -> Result<(), Error> {
        if self.settings.callbacks() == Callbacks::Dispatch {
            return Ok(());
        }
        Err(invalid(format!(
            "{what}: a thread of the library runs the callbacks; set callbacks = \"dispatch\""
        )))
    }
}

/// Writes the node's identity.
///
/// Ownership: out is yours. Threads: any. Errors: P2PCHAN_ERR_INVALID before p2pchan_node_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_id(
    node: *const p2pchan_node,
    out: *mut p2pchan_peer_id,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let id = unsafe { p2pchan_node::of(node) }?.running()?.id();
        // SAFETY: it is not NULL.
        unsafe { place(out, "out")?.write(p2pchan_peer_id { bytes: *id.as_bytes() }) };
        Ok(())
    })
}

/// Writes the addresses at which the node accepts connections at this moment, one on each line. `len`
/// gets the length without NUL; they are written to `out` only if they fit with a NUL into `cap`
/// bytes.
///
/// Ownership: out is yours; NULL is allowed if cap is 0. Threads: any. Errors: P2PCHAN_ERR_INVALID
/// before p2pchan_node_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_addresses(
    node: *const p2pchan_node,
    out: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let addresses = unsafe { p2pchan_node::of(node) }?.running()?.addresses();
        let lines: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        // SAFETY: the rules of the header.
        unsafe { write_text(&lines.join("\n"), out, cap, len) }
    })
}
