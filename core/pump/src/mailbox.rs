//! What the pump tells, until a program takes it: for languages in which no call may come from inside a
//! turn. Each turn leaves a list of what has happened; messages wait in an inbox for each remote.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use p2pchan::{Batch, Error, Newcomer, Reason, Sender, Topic};

use crate::{
    finder::Verb,
    hub::{Answer, Entry, Hub, Program, closed},
    slots::RemoteId,
};

/// Something that has happened; messages wait in their remote's inbox.
pub enum Told<T> {
    /// A remote has opened. It is paused until somebody wants to read it.
    Remote(Arc<Channel<T>>),
    /// Messages are here.
    Readable(Arc<Channel<T>>),
    /// There is room again.
    Writable(Arc<Channel<T>>),
    /// It has ended, after all its messages.
    Ended(Arc<Channel<T>>),
    /// A request was answered; a remote in the answer was told of before.
    Result(u64, Result<Option<RemoteId>, Error>),
    /// Somebody would get a remote, and waits for the answer.
    Newcomer(Newcomer, Answer),
    /// A discovery service of the program is asked for something.
    Asked(Asked),
    /// The answer to that number is not needed any more.
    Cancelled(u64),
}

/// What a discovery service of the program is asked for; [`Hub::discovery_done`] answers.
pub struct Asked {
    /// The number of the request.
    pub request: u64,
    /// Which of the services.
    pub place: usize,
    /// What it is to do.
    pub verb: Verb,
    /// For what.
    pub topic: Topic,
    /// The key under which this service is to find it.
    pub find_key: [u8; 32],
}

/// A remote, with what the language's face keeps of it.
pub struct Channel<T> {
    /// Its number.
    pub id: RemoteId,
    /// What the hub keeps of it.
    pub entry: Arc<Entry>,
    /// The face's own.
    pub own: T,
    inbox: Mutex<Inbox>,
}

/// One batch of messages, a window at most: the next is taken when this is empty and somebody asks for more. If a thread
/// asks while another hands one over there may be two.
#[derive(Default)]
struct Inbox {
    batches: VecDeque<Batch>,
    ended: Option<Result<(), Error>>,
    /// Nobody reads it any more.
    abandoned: bool,
}

/// What a remote has at this moment.
pub enum Taken {
    /// Messages: some were taken.
    Messages,
    /// Nothing yet: it is told when.
    Nothing,
    /// Nothing any more, and why if that is not a clean end.
    Ended(Result<(), Error>),
}

impl Inbox {
    /// Lets the program take messages out of what is here for as long as it says that it goes on; whether all
    /// are taken.
    fn take(&mut self, mut takes: impl FnMut(&mut Batch) -> bool) -> bool {
        while let Some(batch) = self.batches.front_mut() {
            let goes_on = takes(batch);
            if batch.len() > 0 {
                return false;
            }
            self.batches.pop_front();
            if !goes_on {
                break;
            }
        }
        self.batches.is_empty()
    }
}

impl<T> Channel<T> {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the program take messages out of what is here, as many as it likes, for as long as it says that it goes
    /// on. If there are none, the connection goes on.
    pub fn take(&self, takes: impl FnMut(&mut Batch) -> bool) -> Taken {
        let mut inbox = self.inbox();
        if !inbox.batches.is_empty() {
            if inbox.take(takes) {
                self.entry.confirm_read();
            }
            return Taken::Messages;
        }
        if let Some(ended) = &inbox.ended {
            return Taken::Ended(ended.clone());
        }
        drop(inbox);
        self.entry.resume();
        Taken::Nothing
    }

    /// As [`take`](Self::take); if none is left the connection goes on at once: false if one is.
    pub fn take_all(&self, takes: impl FnMut(&mut Batch) -> bool) -> bool {
        let mut inbox = self.inbox();
        let had = !inbox.batches.is_empty();
        if !inbox.take(takes) {
            return false;
        }
        if had {
            self.entry.confirm_read();
        }
        let goes_on = inbox.ended.is_none();
        drop(inbox);
        if goes_on {
            self.entry.resume();
        }
        true
    }

    /// Lets the connection go on if nothing is here: one batch more, or the end, may come.
    pub fn watch(&self) {
        let inbox = self.inbox();
        if inbox.batches.is_empty() && inbox.ended.is_none() {
            drop(inbox);
            self.entry.resume();
        }
    }

    /// Whether messages are here.
    pub fn has_messages(&self) -> bool {
        !self.inbox().batches.is_empty()
    }

    /// Gives back what could not be handed over; it comes first again.
    pub fn put_back(&self, messages: Batch) {
        if messages.len() > 0 {
            self.inbox().batches.push_front(messages);
        }
    }

    /// Ends it; what is here and what the peer still sends is thrown away, and then the peer is told.
    pub fn abandon(&self) {
        let mut inbox = self.inbox();
        inbox.abandoned = true;
        let unread = !mem::take(&mut inbox.batches).is_empty();
        drop(inbox);
        if unread {
            self.entry.sender.leave_unread();
        }
        self.entry.sender.finish();
        self.entry.resume();
    }

    /// How it ended, once that was told.
    pub fn ended(&self) -> Option<Result<(), Error>> {
        self.inbox().ended.clone()
    }
}

/// Where a hub tells what happens. It holds as much as there are remotes, requests and one turn, if
/// the program takes it after each.
pub struct Mailbox<T> {
    hub: OnceLock<Weak<Hub>>,
    told: Mutex<Vec<Told<T>>>,
    channels: Mutex<BTreeMap<u64, Arc<Channel<T>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Default + Send + Sync + 'static> Mailbox<T> {
    /// A hub that tells a new mailbox.
    pub fn with_hub() -> (Arc<Self>, Arc<Hub>) {
        let mailbox = Arc::new(Self {
            hub: OnceLock::new(),
            told: Mutex::default(),
            channels: Mutex::default(),
        });
        let hub = Hub::new(mailbox.clone());
        let _ = mailbox.hub.set(Arc::downgrade(&hub));
        (mailbox, hub)
    }

    /// All that was told since the last time.
    pub fn take(&self) -> Vec<Told<T>> {
        mem::take(&mut *lock(&self.told))
    }

    /// Adds to what was told.
    pub fn tell(&self, told: Told<T>) {
        lock(&self.told).push(told);
    }

    fn channel(&self, RemoteId(id): RemoteId) -> Option<Arc<Channel<T>>> {
        lock(&self.channels).get(&id).cloned()
    }
}

impl<T: Default + Send + Sync + 'static> Program for Mailbox<T> {
    fn remote(&self, id: RemoteId, _: &Sender) {
        let hub = self.hub.get().and_then(Weak::upgrade);
        let Some(entry) = hub.and_then(|hub| hub.with(id, Arc::clone).ok()) else { return };
        // Until somebody wants to read it.
        entry.pause();
        let channel = Channel { id, entry, own: T::default(), inbox: Mutex::default() };
        let channel = Arc::new(channel);
        lock(&self.channels).insert(id.0, channel.clone());
        self.tell(Told::Remote(channel));
    }

    fn messages(&self, id: RemoteId, messages: &mut Batch) -> bool {
        let messages = mem::take(messages);
        let Some(channel) = self.channel(id) else { return false };
        let mut inbox = channel.inbox();
        if inbox.abandoned {
            channel.entry.sender.leave_unread();
            return false;
        }
        inbox.batches.push_back(messages);
        drop(inbox);
        channel.entry.pause();
        self.tell(Told::Readable(channel));
        false
    }

    fn writable(&self, id: RemoteId) {
        if let Some(channel) = self.channel(id) {
            self.tell(Told::Writable(channel));
        }
    }

    fn ended(&self, id: RemoteId, reason: Option<&Reason>) {
        let Some(channel) = lock(&self.channels).remove(&id.0) else { return };
        let error = reason.map_or_else(|| Some(closed()), Reason::to_error);
        channel.inbox().ended = Some(error.map_or(Ok(()), Err));
        self.tell(Told::Ended(channel));
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
