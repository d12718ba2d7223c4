//! The subjects of a node: their keys, who looks for them, how many remotes they have.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use p2pchan_proto::{
    error::{Error, ErrorKind},
    subject::{Subject, SubjectKey, SubjectName},
};
use tokio::sync::{Mutex, watch};
use zeroize::Zeroizing;

use super::{
    discovery::{Discovery, number},
    inner::{Core, Inner},
    node_closed, refused,
    services::ServiceId,
};
use crate::{event::Event, status::SubjectStatus};

/// Stopped subjects whose keys are kept, so that discovering them again costs nothing.
const KEPT: usize = 256;

pub(super) const NOBODY_SEARCHES: &str = "no discovery service is set, so this node finds nobody by \
     itself; it can still accept and `connect`. Set discovery.seeds or discovery.bittorrent.bootstrap";

/// All subjects that are, or lately were, discovered. Bounded by `limits.subjects` and [`KEPT`].
#[derive(Default)]
pub(super) struct Subjects {
    entries: BTreeMap<SubjectKey, Entry>,
    next: u32,
}

struct Entry {
    name: SubjectName,
    secret: Option<Zeroizing<String>>,
    label: Arc<str>,
    keys: Option<Arc<Subject>>,
    remotes: watch::Sender<usize>,
    search: Option<Search>,
}

/// Who wants a subject discovered; it is until nobody does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    Program,
    Settings,
}

/// A subject that is being discovered.
struct Search {
    holders: BTreeSet<Holder>,
    stop: watch::Sender<bool>,
    /// Steps until the first announcement stands everywhere: deriving, and one for each service.
    outstanding: watch::Sender<usize>,
    /// Deriving is done with.
    derived: bool,
    /// Who looks for it.
    services: BTreeSet<ServiceId>,
}

impl Search {
    fn new(holder: Holder) -> Self {
        let outstanding = watch::channel(1).0;
        let (stop, services) = (watch::channel(false).0, BTreeSet::new());
        Self { holders: [holder].into(), stop, outstanding, derived: false, services }
    }

    fn derived(&mut self) {
        if !self.derived {
            self.derived = true;
            self.outstanding.send_modify(|left| *left = left.saturating_sub(1));
        }
    }
}

/// One derivation at a time: each takes 19 MiB.
pub(super) struct Derivation {
    turn: Mutex<()>,
    pending: watch::Sender<usize>,
}

impl Default for Derivation {
    fn default() -> Self {
        Self { turn: Mutex::default(), pending: watch::channel(0).0 }
    }
}

impl Derivation {
    /// Waits until nothing is being derived.
    pub(super) async fn settled(&self) {
        let _ = self.pending.subscribe().wait_for(|pending| *pending == 0).await;
    }

    async fn derive(
        &self,
        name: SubjectName,
        secret: Option<Zeroizing<String>>,
    ) -> Result<Subject, Error> {
        let _turn = self.turn.lock().await;
        let secret = move || secret.as_ref().map(|secret| secret.as_str().to_owned());
        let derive = move || {
            Subject::derive(name, secret().map(Zeroizing::new).as_ref().map(|it| it.as_str()))
        };
        match tokio::task::spawn_blocking(derive).await {
            Ok(result) => result,
            Err(error) => Err(Error::new(ErrorKind::Internal, format!("deriving keys: {error}"))),
        }
    }
}

/// What a search task needs to know of its subject.
pub(super) struct Watched {
    pub(super) label: Arc<str>,
    pub(super) keys: Arc<Subject>,
    pub(super) remotes: watch::Receiver<usize>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) outstanding: watch::Sender<usize>,
}

impl Subjects {
    /// The keys of a subject that is being discovered.
    pub(super) fn keys(&self, key: SubjectKey) -> Option<&Arc<Subject>> {
        let entry = self.entries.get(&key)?;
        entry.search.as_ref()?;
        entry.keys.as_ref()
    }

    /// All subjects that can be proved.
    pub(super) fn all(&self) -> Vec<(SubjectKey, Arc<Subject>)> {
        self.active().into_iter().filter_map(|key| Some((key, self.keys(key)?.clone()))).collect()
    }

    /// All subjects that are being discovered.
    pub(super) fn active(&self) -> Vec<SubjectKey> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.search.is_some())
            .map(|(key, _)| *key)
            .collect()
    }

    pub(super) fn is_deriving(&self) -> bool {
        self.entries.values().any(|entry| entry.search.is_some() && entry.keys.is_none())
    }

    pub(super) fn label(&self, key: SubjectKey) -> Option<Arc<str>> {
        self.entries.get(&key).map(|entry| entry.label.clone())
    }

    /// The subjects that are being discovered, for people: number, open remotes, and whether their
    /// keys are still being derived.
    pub(super) fn status(&self) -> Vec<SubjectStatus> {
        let searched = self.entries.iter().filter(|(_, entry)| entry.search.is_some());
        let shown = |(key, entry): (&SubjectKey, &Entry)| SubjectStatus {
            subject: number(*key),
            remotes: *entry.remotes.borrow() as u64,
            deriving: entry.keys.is_none(),
        };
        searched.map(shown).collect()
    }

    /// A remote opened; the label of its subject, unless that is not discovered any more.
    pub(super) fn opened(&mut self, key: SubjectKey) -> Option<Arc<str>> {
        let entry = self.entries.get(&key).filter(|entry| entry.search.is_some())?;
        entry.remotes.send_modify(|count| *count += 1);
        Some(entry.label.clone())
    }

    /// A remote ended.
    pub(super) fn ended(&mut self, key: SubjectKey) {
        if let Some(entry) = self.entries.get(&key) {
            entry.remotes.send_modify(|count| *count = count.saturating_sub(1));
        }
    }

    /// One of those who want a subject discovered lets go of it; whether that stops it.
    pub(super) fn release(&mut self, key: SubjectKey, holder: Holder) -> bool {
        let Some(search) = self.search(key) else { return false };
        search.holders.remove(&holder);
        search.holders.is_empty() && self.stop(key)
    }

    /// How many are discovered because the program says so, not counting some.
    pub(super) fn of_program_beside(&self, others: &BTreeSet<SubjectName>) -> usize {
        let counts = |entry: &&Entry| {
            let search = entry.search.as_ref();
            search.is_some_and(|search| search.holders.contains(&Holder::Program))
                && !others.contains(&entry.name)
        };
        self.entries.values().filter(counts).count()
    }

    /// Whether a subject is discovered, and with a secret.
    pub(super) fn has_secret(&self, name: &SubjectName) -> bool {
        self.find(name).is_some_and(|key| self.entries[&key].secret.is_some())
    }

    /// Stops a search; whether there was one.
    fn stop(&mut self, key: SubjectKey) -> bool {
        let search = self.entries.get_mut(&key).and_then(|entry| entry.search.take());
        search.is_some_and(|search| {
            search.stop.send_replace(true);
            true
        })
    }

    /// What a service has to look for that it does not look for yet: subjects whose keys are known.
    pub(super) fn enlist(&mut self, service: ServiceId) -> Vec<(SubjectKey, Watched)> {
        let enlist = |(key, entry): (&SubjectKey, &mut Entry)| {
            let (search, keys) = (entry.search.as_mut()?, entry.keys.clone()?);
            if !search.services.insert(service) {
                return None;
            }
            search.outstanding.send_modify(|left| *left += 1);
            let watched = Watched {
                label: entry.label.clone(),
                keys,
                remotes: entry.remotes.subscribe(),
                stop: search.stop.subscribe(),
                outstanding: search.outstanding.clone(),
            };
            Some((*key, watched))
        };
        self.entries.iter_mut().filter_map(enlist).collect()
    }

    /// A service is gone.
    pub(super) fn dismiss(&mut self, service: ServiceId) {
        for search in self.entries.values_mut().filter_map(|entry| entry.search.as_mut()) {
            search.services.remove(&service);
        }
    }

    /// No service looks for anything any more.
    pub(super) fn dismiss_all(&mut self) {
        for search in self.entries.values_mut().filter_map(|entry| entry.search.as_mut()) {
            search.services.clear();
        }
    }

    pub(super) fn stop_all(&mut self) {
        for key in self.active() {
            self.stop(key);
        }
    }

    fn search(&mut self, key: SubjectKey) -> Option<&mut Search> {
        self.entries.get_mut(&key)?.search.as_mut()
    }

    fn find(&self, name: &SubjectName) -> Option<SubjectKey> {
        let entry =
            |(_, entry): &(&SubjectKey, &Entry)| entry.name == *name && entry.search.is_some();
        self.entries.iter().find(entry).map(|(key, _)| *key)
    }

    /// The number of a subject: the one it had before, if its keys are still known.
    fn number(&mut self, name: &SubjectName, secret: Option<&str>) -> SubjectKey {
        let same = |entry: &Entry| {
            entry.name == *name && entry.secret.as_ref().map(|it| it.as_str()) == secret
        };
        if let Some((key, _)) = self.entries.iter().find(|(_, entry)| same(entry)) {
            return *key;
        }
        self.forget_one();
        let key = SubjectKey(self.next);
        self.next += 1;
        let entry = Entry {
            name: name.clone(),
            secret: secret.map(|secret| Zeroizing::new(secret.into())),
            label: name.to_string().into(),
            keys: None,
            remotes: watch::channel(0).0,
            search: None,
        };
        self.entries.insert(key, entry);
        key
    }

    fn forget_one(&mut self) {
        let idle = |entry: &Entry| entry.search.is_none() && *entry.remotes.borrow() == 0;
        let mut stopped = self.entries.iter().filter(|(_, entry)| idle(entry)).map(|(key, _)| *key);
        if let (Some(first), true) = (stopped.next(), stopped.count() + 1 >= KEPT) {
            self.entries.remove(&first);
        }
    }
}

impl Core {
    pub(super) fn release(&mut self, key: SubjectKey, holder: Holder) {
        if self.subjects.release(key, holder) {
            self.book.handle_subject_stopped(key);
        }
    }
}

impl Inner {
    pub(super) fn discover(
        self: &Arc<Self>,
        name: SubjectName,
        secret: Option<&str>,
        holder: Holder,
    ) -> Result<Discovery, Error> {
        let mut core = self.core();
        if self.is_closing() {
            return Err(node_closed());
        }
        let subjects = &mut core.subjects;
        if let Some(key) = subjects.find(&name) {
            let entry = &subjects.entries[&key];
            if entry.secret.as_ref().map(|it| it.as_str()) != secret {
                let message =
                    "the subject is discovered with another secret; stop_discover it first";
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            let label = entry.label.clone();
            let outstanding = subjects.search(key).map(|search| {
                search.holders.insert(holder);
                search.outstanding.subscribe()
            });
            return Ok(Discovery::new(self, key, label, outstanding));
        }
        let limit = self.settings().limits.subjects;
        if subjects.active().len() >= limit {
            let message = format!("{limit} subjects are discovered already; see limits.subjects");
            return Err(refused(message));
        }
        let key = subjects.number(&name, secret);
        let search = Search::new(holder);
        let receiver = search.outstanding.subscribe();
        let mut label = None;
        if let Some(entry) = subjects.entries.get_mut(&key) {
            entry.search = Some(search);
            label = Some(entry.label.clone());
        }
        drop(core);
        self.warn_if_nobody_searches();
        self.derive_and_search(key, name, secret.map(|secret| Zeroizing::new(secret.into())));
        Ok(Discovery::new(self, key, label.unwrap_or_else(|| "".into()), Some(receiver)))
    }

    fn derive_and_search(
        self: &Arc<Self>,
        key: SubjectKey,
        name: SubjectName,
        secret: Option<Zeroizing<String>>,
    ) {
        let inner = self.clone();
        self.derivation.pending.send_modify(|pending| *pending += 1);
        self.tasks.spawn(async move {
            let known = inner.core().subjects.keys(key).cloned();
            let keys = match known {
                Some(keys) => Ok(keys),
                None => inner.derivation.derive(name, secret).await.map(Arc::new),
            };
            match keys {
                Ok(keys) => inner.begin_search(key, keys),
                Err(error) => {
                    inner.emit(Event::Warning { message: error.to_string() });
                }
            }
            inner.derivation.pending.send_modify(|pending| *pending -= 1);
            inner.decide_undecided();
        });
    }

    fn begin_search(self: &Arc<Self>, key: SubjectKey, keys: Arc<Subject>) {
        let mut core = self.core();
        let Some(entry) = core.subjects.entries.get_mut(&key) else { return };
        entry.keys = Some(keys);
        self.begin_searches(&mut core);
        if let Some(search) = core.subjects.search(key) {
            search.derived();
        }
    }

    /// One of those who want a subject discovered lets go of it.
    pub(super) fn stop_discover(&self, name: &SubjectName, holder: Holder) {
        let mut core = self.core();
        if let Some(key) = core.subjects.find(name) {
            core.release(key, holder);
        }
    }

    fn warn_if_nobody_searches(&self) {
        if !self.is_paused() && self.core().services.missed_first() {
            self.emit(Event::Warning { message: NOBODY_SEARCHES.into() });
        }
    }
}
