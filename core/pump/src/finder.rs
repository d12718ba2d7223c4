//! Discovery services of the program: each verb is a request that the program answers, early or late.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use p2pchan::{Address, BoxFuture, DiscoveryService, Error, ErrorKind, Found, Topic};
use tokio::sync::oneshot;

use crate::hub::{Hub, closed};

/// Services that one node may have: no program needs more, and each asks for every subject.
pub const SERVICES: usize = 16;
/// The longest name of a service, in bytes.
const NAME: usize = 64;

/// Whether a discovery service may have this name.
///
/// # Errors
/// [`ErrorKind::Invalid`] if it is empty, or longer than 64 bytes.
pub fn check_name(name: &str) -> Result<(), Error> {
    if (1..=NAME).contains(&name.len()) {
        return Ok(());
    }
    let message = format!("name has {} bytes; give it 1 to {NAME}", name.len());
    Err(Error::new(ErrorKind::Invalid, message))
}

/// What a program has that can find others. Its verbs are called as everything that is told: by
/// whoever turns the pump, one thing at a time.
pub trait Finder: Send + Sync + 'static {
    /// A short name: the source of what it finds.
    fn name(&self) -> &str;
    /// Asks for something, which [`Hub::discovery_done`] answers; false if the program has nothing to do
    /// for it.
    fn begin(&self, verb: Verb, request: u64, topic: &Topic) -> bool;
    /// The answer is not needed any more, and would be too late.
    fn cancel(&self, request: u64);
}

/// What a discovery service is asked for; see [`DiscoveryService`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Tell others where this node is.
    Announce,
    /// Look for others, and tell each by [`Hub::discovery_found`].
    LookUp,
    /// Take the announcement back.
    Withdraw,
}

/// Requests that the program has not answered. There is one at most for each subject and service.
#[derive(Default)]
pub(crate) struct Asked(Mutex<BTreeMap<u64, Open>>);

struct Open {
    answer: oneshot::Sender<Result<(), Error>>,
    found: Option<Found>,
    /// The program knows of it.
    begun: bool,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A discovery service as the node knows it: for [`Builder::discovery`](p2pchan::Builder::discovery).
pub struct Service {
    /// The hub of the node that is to have it.
    pub hub: Arc<Hub>,
    /// The program's part of it.
    pub finder: Arc<dyn Finder>,
}

/// Takes a request back when nobody waits for its answer any more.
struct Waiting<'a> {
    service: &'a Service,
    request: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Service { hub, finder } = self.service;
        let open = hub.asked.lock().remove(&self.request);
        if open.is_some_and(|open| open.begun) {
            let (finder, request) = (finder.clone(), self.request);
            hub.pump().spawn(async move { finder.cancel(request) });
        }
    }
}

impl Service {
    async fn ask(&self, verb: Verb, topic: &Topic, found: Option<&Found>) -> Result<(), Error> {
        let (hub, finder, topic) = (self.hub.clone(), self.finder.clone(), topic.clone());
        let request = hub.number();
        let (answer, answered) = oneshot::channel();
        let open = Open { answer, found: found.cloned(), begun: false };
        hub.asked.lock().insert(request, open);
        let _waiting = Waiting { service: self, request };
        let asking = hub.clone();
        hub.pump().spawn(async move {
            match asking.asked.lock().get_mut(&request) {
                Some(open) => open.begun = true,
                None => return,
            }
            if !finder.begin(verb, request, &topic) {
                // It may have been answered, all the same.
                let _ = asking.discovery_done(request, Ok(()));
            }
        });
        answered.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl DiscoveryService for Service {
    fn name(&self) -> &str {
        self.finder.name()
    }

    fn announce<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.ask(Verb::Announce, topic, None))
    }

    fn look_up<'a>(
        &'a self,
        topic: &'a Topic,
        found: &'a Found,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.ask(Verb::LookUp, topic, Some(found)))
    }

    fn withdraw<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, ()> {
        Box::pin(async {
            // Nothing can be done about an announcement that stays.
            let _ = self.ask(Verb::Withdraw, topic, None).await;
        })
    }
}

impl Hub {
    /// The program has found an address.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] if the request is not open any more, [`ErrorKind::Invalid`] if it does
    /// not ask for addresses.
    pub fn discovery_found(&self, request: u64, address: Address) -> Result<(), Error> {
        let found = match self.asked.lock().get(&request) {
            Some(Open { found: Some(found), .. }) => found.clone(),
            Some(Open { found: None, .. }) => {
                let message = format!("request {request} does not ask for addresses; look_up does");
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            None => return Err(gone(request)),
        };
        found.address(address);
        Ok(())
    }

    /// The program answers a request.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] if it is not open any more.
    pub fn discovery_done(&self, request: u64, result: Result<(), Error>) -> Result<(), Error> {
        let open = self.asked.lock().remove(&request).ok_or_else(|| gone(request))?;
        open.answer.send(result).map_err(|_| gone(request))
    }
}

fn gone(request: u64) -> Error {
    let message = format!("request {request} has been answered or given up, or never was");
    Error::new(ErrorKind::Closed, message)
}
