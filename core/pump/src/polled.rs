//! A node that is asked what has happened, instead of calling: for languages in which no call may come
//! from inside a turn.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use p2pchan::{Builder, Changes, Discovery, Error, ErrorKind, Node, Remote, Topic};
use tokio::task::{AbortHandle, JoinHandle};

use crate::{
    executor::Turn,
    finder::{self, Finder, SERVICES, Verb, check_name},
    fork::{forked_error, generation},
    hub::{Hub, closed},
    mailbox::{Asked, Mailbox, Told},
    runtime::SharedRuntime,
};

/// A node from its settings to its end, whose program turns it and then takes what was told.
///
/// `T` is what the language's face keeps of each remote. In a child of a fork every call answers
/// [`ErrorKind::Forked`].
pub struct PolledNode<T> {
    generation: u64,
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox<T>>,
    /// Until it is started.
    builder: Mutex<Option<Builder>>,
    /// How many discovery services of the program it has.
    services: Mutex<usize>,
    /// From its start to its end, even if the program keeps what has ended.
    runtime: Mutex<Option<Arc<SharedRuntime>>>,
    node: Arc<OnceLock<Node>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

impl<T: Default + Send + Sync + 'static> PolledNode<T> {
    /// Checks the settings; opens nothing. Of newcomers it is told if that is asked for.
    ///
    /// # Errors
    /// As [`Builder::runtime_threads`].
    pub fn new(changes: Changes, file: Option<PathBuf>, newcomers: bool) -> Result<Self, Error> {
        let mut builder = Node::builder().settings(changes);
        if let Some(path) = file {
            builder = builder.settings_file(path);
        }
        builder.runtime_threads()?;
        let (mailbox, hub) = Mailbox::with_hub();
        if newcomers {
            let hub = hub.clone();
            builder = builder.refuse_later(move |newcomer| Box::pin(hub.refuses(newcomer)));
        }
        Ok(Self {
            generation: generation(),
            hub,
            mailbox,
            builder: Mutex::new(Some(builder)),
            services: Mutex::new(0),
            runtime: Mutex::default(),
            node: Arc::default(),
        })
    }

    /// Whether this is the process that made it.
    ///
    /// # Errors
    /// [`ErrorKind::Forked`] if it is not.
    pub fn live(&self) -> Result<&Self, Error> {
        if self.is_own() { Ok(self) } else { Err(forked_error()) }
    }

    /// As [`live`](Self::live).
    pub fn is_own(&self) -> bool {
        self.generation == generation()
    }

    /// The node, once it has started.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it has not, and as [`live`](Self::live).
    pub fn running(&self) -> Result<&Node, Error> {
        let node = self.live()?.node.get();
        node.ok_or_else(|| invalid("the node was not started; start it first"))
    }

    /// What tells the mailbox.
    pub const fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// What was told, for those who add to it.
    pub const fn mailbox(&self) -> &Arc<Mailbox<T>> {
        &self.mailbox
    }

    /// Does what there is to do at this moment, and takes what has happened. Never waits.
    pub fn turn(&self) -> (Turn, Vec<Told<T>>) {
        let turn = self.hub.pump().turn(Some(Instant::now()));
        if turn == Turn::Ended {
            lock(&self.runtime).take();
        }
        (turn, self.mailbox.take())
    }

    fn spawn<R: Send + 'static>(
        &self,
        task: impl Future<Output = R> + Send + 'static,
    ) -> Result<JoinHandle<R>, Error> {
        let runtime = lock(&self.runtime).clone();
        runtime.and_then(|runtime| runtime.spawn(task)).ok_or_else(closed)
    }

    /// Begins to answer a request: [`Told::Result`] with its number says how it went. It can be given up.
    ///
    /// # Errors
    /// As [`Hub::request`] and [`live`](Self::live).
    pub fn request(
        &self,
        answer: impl Future<Output = Result<Option<Remote>, Error>> + Send + 'static,
    ) -> Result<(u64, AbortHandle), Error> {
        let request = self.live()?.hub.request(true)?;
        let number = request.number;
        let running = self.spawn(answer)?;
        let handle = running.abort_handle();
        self.hub.answer(request, async { running.await.unwrap_or_else(|_| Err(closed())) })?;
        Ok((number, handle))
    }

    /// A request that ends when the first announcement of a subject stands.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn flushed(&self, discovery: Discovery) -> Result<u64, Error> {
        let request = self.request(async move { discovery.flushed().await.map(|()| None) })?;
        Ok(request.0)
    }

    /// Begins to open what the settings name; a request.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it was started before, and as [`request`](Self::request).
    pub fn start(&self) -> Result<u64, Error> {
        let mut place = lock(&self.live()?.builder);
        let Some(builder) = place.as_ref() else {
            return Err(invalid("a node is started once; make a new one"));
        };
        let runtime = SharedRuntime::with_threads(builder.runtime_threads()?)?;
        let request = self.hub.request(true)?;
        let number = request.number;
        let Some(builder) = place.take() else { return Err(closed()) };
        let starting = runtime.spawn(builder.start()).ok_or_else(closed)?;
        *lock(&self.runtime) = Some(runtime);
        // Neither is kept if the program forgets the node meanwhile.
        let (hub, started) = (Arc::downgrade(&self.hub), Arc::downgrade(&self.node));
        self.hub.answer(request, async move {
            let node = starting.await.unwrap_or_else(|_| Err(closed()))?;
            let (hub, started) = hub.upgrade().zip(started.upgrade()).ok_or_else(closed)?;
            hub.begin(node.clone());
            let _ = started.set(node);
            Ok(None)
        })?;
        Ok(number)
    }

    /// Begins to end the node; [`turn`](Self::turn) says when it has.
    ///
    /// # Errors
    /// As [`live`](Self::live).
    pub fn stop(&self) -> Result<(), Error> {
        let Some(node) = self.live()?.node.get().cloned() else {
            self.hub.pump().end();
            return Ok(());
        };
        // Without a runtime it has ended.
        if let Ok(closing) = self.spawn(async move { node.close().await }) {
            self.hub.stop(async { drop(closing.await) });
        }
        Ok(())
    }

    /// Ends it without waiting, and without telling anything: for those who forget it.
    pub fn abandon(&self) {
        self.hub.pump().end();
        let runtime = lock(&self.runtime).take();
        if let (Some(node), Some(runtime)) = (self.node.get().cloned(), runtime) {
            let kept = runtime.clone();
            runtime.spawn(async move {
                node.close().await;
                drop(kept);
            });
        }
    }

    /// The setting `limits.waiting`.
    ///
    /// # Errors
    /// As [`running`](Self::running).
    pub fn most_waiting(&self) -> Result<u32, Error> {
        let most = self.running()?.settings().value("limits.waiting").map(ToString::to_string);
        most.and_then(|most| most.parse().ok())
            .ok_or_else(|| Error::new(ErrorKind::Internal, "limits.waiting is no number"))
    }

    /// Adds a discovery service of the program with these verbs, before the start; its place among
    /// them.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a name that is none, or after the start; [`ErrorKind::Refused`] beyond
    /// [`SERVICES`].
    pub fn add_service(&self, name: String, verbs: Vec<Verb>) -> Result<usize, Error> {
        check_name(&name)?;
        let mut builder = lock(&self.live()?.builder);
        let mut services = lock(&self.services);
        if *services >= SERVICES {
            let message = format!("{SERVICES} discovery services are added already");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        let Some(before) = builder.take() else {
            return Err(invalid("discovery services are added before the node is started"));
        };
        let place = *services;
        let finder = Arc::new(Service { name, place, verbs, mailbox: self.mailbox.clone() });
        *builder = Some(before.discovery(finder::Service { hub: self.hub.clone(), finder }));
        *services += 1;
        Ok(place)
    }

    /// A discovery service of the program answers a request, which may have been given up meanwhile:
    /// without an error, or with its code and message. A code that there is not means a defect.
    ///
    /// # Errors
    /// As [`live`](Self::live).
    pub fn discovery_done(
        &self,
        request: u64,
        error: Option<(String, String)>,
    ) -> Result<(), Error> {
        let result = error.map_or(Ok(()), |(code, message)| {
            let kind = ErrorKind::ALL.into_iter().find(|kind| kind.code() == code);
            Err(Error::new(kind.unwrap_or(ErrorKind::Internal), message))
        });
        let _ = self.live()?.hub.discovery_done(request, result);
        Ok(())
    }
}

/// A discovery service of the program.
struct Service<T> {
    name: String,
    /// Its place among the services of the node.
    place: usize,
    /// The verbs that it has.
    verbs: Vec<Verb>,
    mailbox: Arc<Mailbox<T>>,
}

impl<T: Default + Send + Sync + 'static> Finder for Service<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&self, verb: Verb, request: u64, topic: &Topic) -> bool {
        if !self.verbs.contains(&verb) {
            return false;
        }
        let find_key = topic.find_key(&self.name);
        let (place, topic) = (self.place, topic.clone());
        self.mailbox.tell(Told::Asked(Asked { request, place, verb, topic, find_key }));
        true
    }

    fn cancel(&self, request: u64) {
        self.mailbox.tell(Told::Cancelled(request));
    }
}
