//! What the pump tells, until Python takes it.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use p2pchan::{Error, Message, Newcomer, Reason, Sender, Topic};
use p2pchan_pump::{Answer, Entry, Hub, Program, RemoteId, Verb, closed};

/// Messages that a remote takes from its connection at once: enough that waking Python for them costs
/// nothing beside them.
const BATCH: usize = 256;

/// Something that has happened; messages wait in their remote's inbox.
pub(crate) enum Told {
    Remote(Arc<Channel>),
    Readable(RemoteId),
    Writable(RemoteId),
    Ended(RemoteId),
    Result(u64, Result<Option<RemoteId>, Error>),
    Newcomer(Newcomer, Answer),
    Asked(Asked),
    Cancelled(u64),
}

/// What a discovery service of the program is asked for.
pub(crate) struct Asked {
    pub(crate) request: u64,
    /// Which of the services.
    pub(crate) place: usize,
    pub(crate) verb: Verb,
    pub(crate) topic: Topic,
    pub(crate) find_key: [u8; 32],
}

/// A remote as Python has it.
pub(crate) struct Channel {
    pub(crate) id: RemoteId,
    pub(crate) entry: Arc<Entry>,
    inbox: Mutex<Inbox>,
}

/// One batch of messages at most: the next is taken when this is empty and somebody asks for more.
#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    ended: Option<Result<(), Error>>,
    /// Nobody reads it any more.
    abandoned: bool,
}

/// What a remote has at this moment.
pub(crate) enum Taken {
    Messages(Vec<Message>),
    /// Nothing yet: an event says when.
    Nothing,
    Ended(Result<(), Error>),
}

impl Channel {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes so many messages, or lets the connection go on if there are none.
    pub(crate) fn take(&self, most: usize) -> Taken {
        let mut inbox = self.inbox();
        if !inbox.messages.is_empty() {
            let count = most.min(inbox.messages.len());
            return Taken::Messages(inbox.messages.drain(..count).collect());
        }
        if let Some(ended) = &inbox.ended {
            return Taken::Ended(ended.clone());
        }
        drop(inbox);
        self.entry.resume();
        Taken::Nothing
    }

    /// Lets the connection go on if nothing is here: one batch more, or the end, may come.
    pub(crate) fn watch(&self) {
        let inbox = self.inbox();
        if inbox.messages.is_empty() && inbox.ended.is_none() {
            drop(inbox);
            self.entry.resume();
        }
    }

    /// Gives back what could not be handed over, in its order.
    pub(crate) fn put_back(&self, messages: impl DoubleEndedIterator<Item = Message>) {
        let mut inbox = self.inbox();
        messages.rev().for_each(|message| inbox.messages.push_front(message));
    }

    /// Ends it; what the peer still sends is read and thrown away, so that the end comes.
    pub(crate) fn abandon(&self) {
        let mut inbox = self.inbox();
        inbox.abandoned = true;
        inbox.messages.clear();
        drop(inbox);
        self.entry.sender.finish();
        self.entry.resume();
    }

    /// How it ended, once that was told.
    pub(crate) fn ended(&self) -> Option<Result<(), Error>> {
        self.inbox().ended.clone()
    }
}

/// As long as there are remotes, requests and one turn: the events of a turn are taken after it.
#[derive(Default)]
pub(crate) struct Mailbox {
    hub: OnceLock<Weak<Hub>>,
    told: Mutex<Vec<Told>>,
    channels: Mutex<BTreeMap<u64, Arc<Channel>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    /// A hub that tells a new mailbox.
    pub(crate) fn with_hub() -> (Arc<Self>, Arc<Hub>) {
        let mailbox = Arc::new(Self::default());
        let hub = Hub::new(mailbox.clone());
        let _ = mailbox.hub.set(Arc::downgrade(&hub));
        (mailbox, hub)
    }

    /// All that was told since the last time.
    pub(crate) fn take(&self) -> Vec<Told> {
        mem::take(&mut *lock(&self.told))
    }

    pub(crate) fn tell(&self, told: Told) {
        lock(&self.told).push(told);
    }

    fn channel(&self, RemoteId(id): RemoteId) -> Option<Arc<Channel>> {
        lock(&self.channels).get(&id).cloned()
    }
}

impl Program for Mailbox {
    fn batch(&self) -> usize {
        BATCH
    }

    fn remote(&self, id: RemoteId, _: &Sender) {
        let hub = self.hub.get().and_then(Weak::upgrade);
        let Some(entry) = hub.and_then(|hub| hub.with(id, Arc::clone).ok()) else { return };
        // Until somebody wants to read it.
        entry.pause();
        let channel = Arc::new(Channel { id, entry, inbox: Mutex::default() });
        lock(&self.channels).insert(id.0, channel.clone());
        self.tell(Told::Remote(channel));
    }

    fn messages(&self, id: RemoteId, messages: &[Message]) {
        let Some(channel) = self.channel(id) else { return };
        let mut inbox = channel.inbox();
        if inbox.abandoned {
            return;
        }
        inbox.messages.extend(messages.iter().cloned());
        drop(inbox);
        channel.entry.pause();
        self.tell(Told::Readable(id));
    }

    fn writable(&self, id: RemoteId) {
        self.tell(Told::Writable(id));
    }

    fn ended(&self, id: RemoteId, reason: Option<&Reason>) {
        let Some(channel) = lock(&self.channels).remove(&id.0) else { return };
        let error = reason.map_or_else(|| Some(closed()), Reason::to_error);
        channel.inbox().ended = Some(error.map_or(Ok(()), Err));
        self.tell(Told::Ended(id));
    }

    fn result(&self, request: u64, result: Result<Option<RemoteId>, &Error>) {
        self.tell(Told::Result(request, result.map_err(Clone::clone)));
    }

    fn event(&self, _: &str, _: &str) {}

    fn wants_events(&self) -> bool {
        false
    }

    fn newcomer(&self, newcomer: &Newcomer, answer: Answer) {
        self.tell(Told::Newcomer(newcomer.clone(), answer));
    }
}
