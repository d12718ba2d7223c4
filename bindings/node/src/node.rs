//! A node: from its settings to its end.

#![expect(clippy::needless_pass_by_value, reason = "what JavaScript passes comes by value")]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use napi::bindgen_prelude::Env;
use napi_derive::napi;
use p2pchan::{
    Address, Error, ErrorKind, Node, Remote, Target, check_secret, check_subject,
    settings_from_json,
};
use p2pchan_pump::{Answer, Items, PolledNode, Turn, Verb};

use crate::{
    error::{Failure, invalid, thrown},
    items::NativeItems,
    records::{Extra, Shown, State, Table},
    remote::NativeRemote,
    stream::{Places, Stream, Told},
    wake::EventLoop,
};

/// Turns in one call: one brings messages and lets their remotes go on, the next finds what has come
/// since, until the table is full.
const TURNS: usize = 4;

/// Memory of JavaScript, for the time of a call. By these names, as napi takes `&mut` for a class.
type Memory<'a> = &'a mut [u8];
type Index<'a> = &'a mut [u32];

/// What a node and its remotes share.
pub(crate) struct Shared {
    pub(crate) polled: PolledNode<Stream>,
    /// From before its start to its end.
    waker: Mutex<Option<Waker>>,
    places: Places,
    /// What did not fit into the last table: no more than one turn brings.
    queue: Mutex<VecDeque<Told>>,
    /// Newcomers that wait for an answer, by the numbers that they have got; the core says how many.
    newcomers: Mutex<(u64, BTreeMap<u64, Answer>)>,
    /// Those of the last table, until they are taken.
    extras: Mutex<Vec<Extra>>,
}

/// A node without an event loop; `Node` of lib/node.js is made of it.
#[napi]
pub struct NativeNode(Arc<Shared>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn changes(settings: &str) -> Result<p2pchan::Changes, Error> {
    let json: serde_json::Value = serde_json::from_str(settings)
        .map_err(|error| Error::new(ErrorKind::Settings, format!("settings: {error}")))?;
    settings_from_json(&json)
}

impl Shared {
    /// Lets the event loop turn the node.
    pub(crate) fn wake(&self) {
        let waker = lock(&self.waker).clone();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Writes what fits into the table; whether everything did.
    fn write(self: &Arc<Self>, table: &mut Table<'_>, told: Vec<Told>) -> bool {
        let mut queue = lock(&self.queue);
        queue.extend(told);
        while let Some(told) = queue.pop_front() {
            if let Err(told) = self.write_one(table, told) {
                queue.push_front(told);
                return false;
            }
        }
        true
    }

    /// Gives back what does not fit.
    fn write_one(self: &Arc<Self>, table: &mut Table<'_>, told: Told) -> Result<(), Told> {
        if !table.has_room() {
            return Err(told);
        }
        match told {
            Told::Readable(channel) => {
                let place = channel.own.place();
                let fits = !channel.own.is_wanted()
                    || channel.take_all(|messages| table.messages(place, messages));
                return if fits { Ok(()) } else { Err(Told::Readable(channel)) };
            }
            Told::Remote(channel) => {
                let place = self.places.take();
                channel.own.set_place(place);
                table.remote(place, NativeRemote::new(channel, self.clone()));
            }
            Told::Writable(channel) => table.writable(&channel),
            Told::Newcomer(newcomer, answer) => {
                let mut newcomers = lock(&self.newcomers);
                newcomers.0 += 1;
                let number = newcomers.0;
                // A program may have forgotten some.
                newcomers.1.retain(|_, answer| answer.is_awaited());
                newcomers.1.insert(number, answer);
                table.newcomer(number, &newcomer);
            }
            Told::Ended(channel) => {
                let error = channel.ended().and_then(Result::err);
                table.ended(channel.own.place(), error.as_ref());
                self.places.give_back(channel.own.place());
            }
            told => table.told(told),
        }
        Ok(())
    }
}

impl NativeNode {
    /// Begins to answer a request; the record with its number says how it went.
    fn request(
        &self,
        answer: impl Future<Output = Result<Option<Remote>, Error>> + Send + 'static,
    ) -> Result<i64, Error> {
        self.0.polled.request(answer).map(|(request, _)| request.cast_signed())
    }
}

fn topic(bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| invalid("a topic is 32 bytes; for a phrase use discover"))
}

// Requests are answered by number. They are counted from 1, so a number of JavaScript holds them.
#[napi]
impl NativeNode {
    /// Checks the settings, which are JSON; opens nothing. Of newcomers it tells if that is asked for.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        settings: String,
        settings_file: Option<String>,
        newcomers: bool,
    ) -> Result<Self, Failure> {
        let changes = changes(&settings).map_err(thrown)?;
        let file = settings_file.map(Into::into);
        let polled = PolledNode::new(changes, file, newcomers).map_err(thrown)?;
        Ok(Self(Arc::new(Shared {
            polled,
            waker: Mutex::default(),
            places: Places::default(),
            queue: Mutex::default(),
            newcomers: Mutex::default(),
            extras: Mutex::default(),
        })))
    }

    /// Does what there is to do at this moment, and writes what has happened: messages into the slab
    /// from there on, all else into the index. Unless the table says that there is more, the bell is rung
    /// when something has happened.
    #[napi(catch_unwind)]
    pub fn dispatch(&self, slab: Memory<'_>, index: Index<'_>, from: u32) {
        let shared = &self.0;
        let mut table = Table::new(slab, index, from as usize);
        let (mut fits, mut turn) = (true, Turn::Ran);
        for _ in 0..TURNS {
            let told;
            (turn, told) = shared.polled.turn();
            fits = shared.write(&mut table, told);
            if !fits || turn != Turn::Ran {
                break;
            }
        }
        let state = match turn {
            _ if !fits => State::More,
            Turn::Ended => State::Ended,
            _ => State::Waits,
        };
        *lock(&shared.extras) = table.finish(state);
        match state {
            State::More => {}
            State::Waits => {
                let waker = lock(&shared.waker).clone();
                waker.iter().for_each(|waker| shared.polled.hub().pump().wake_when_ready(waker));
            }
            State::Ended => drop(lock(&shared.waker).take()),
        }
    }

    /// What the last table could not hold.
    #[napi(catch_unwind)]
    pub fn extras<'env>(&self, env: &'env Env) -> napi::Result<Vec<Shown<'env>>> {
        let extras = std::mem::take(&mut *lock(&self.0.extras));
        extras.into_iter().map(|extra| extra.show(env)).collect()
    }

    /// A descriptor to read, and to close at its end: a byte comes when there is something to dispatch.
    #[napi(catch_unwind)]
    pub fn bell(&self) -> Result<i32, Failure> {
        let (event_loop, descriptor) = EventLoop::new().map_err(|error| {
            let message = format!("no socket to wake the event loop could be made: {error}");
            thrown(Error::new(ErrorKind::Io, message))
        })?;
        let waker = Waker::from(Arc::new(event_loop));
        *lock(&self.0.waker) = Some(waker.clone());
        self.0.polled.hub().pump().wake_when_ready(&waker);
        Ok(descriptor)
    }

    /// Rings the bell: for who stops though the table says that there is more.
    #[napi(catch_unwind)]
    pub fn ring(&self) {
        self.0.wake();
    }

    /// Begins to open what the settings name; a request.
    #[napi(catch_unwind)]
    pub fn start(&self) -> Result<i64, Failure> {
        self.0.polled.start().map(u64::cast_signed).map_err(thrown)
    }

    /// Begins to end the node; a table says when it has.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        // It only fails in children of a fork, which Node does not have.
        let _ = self.0.polled.stop();
    }

    /// The node's identity: 64 hexadecimal digits.
    #[napi(getter, catch_unwind)]
    pub fn id(&self) -> Result<String, Failure> {
        self.0.polled.running().map(|node| node.id().to_string()).map_err(thrown)
    }

    /// Where it accepts connections.
    #[napi(getter, catch_unwind)]
    pub fn addresses(&self) -> Result<Vec<String>, Failure> {
        let addresses = self.0.polled.running().map(Node::addresses).map_err(thrown)?;
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    /// The setting `limits.waiting`.
    #[napi(catch_unwind)]
    pub fn most_waiting(&self) -> Result<u32, Failure> {
        self.0.polled.most_waiting().map_err(thrown)
    }

    /// Whether these can be a subject and its secret.
    #[napi(catch_unwind)]
    pub fn check(subject: String, secret: Option<String>) -> Result<(), Failure> {
        check_subject(&subject)
            .and_then(|()| secret.as_deref().map_or(Ok(()), check_secret))
            .map_err(thrown)
    }

    /// Discovers a subject; a request that ends when the announcement stands.
    #[napi(catch_unwind)]
    pub fn discover(&self, subject: String, secret: Option<String>) -> Result<i64, Failure> {
        let discovery = self.0.polled.running().and_then(|node| match secret {
            None => node.discover(&subject),
            Some(secret) => node.discover_with_secret(&subject, &secret),
        });
        let request = discovery.and_then(|it| self.0.polled.flushed(it));
        request.map(u64::cast_signed).map_err(thrown)
    }

    /// As `discover`, for 32 bytes.
    #[napi(catch_unwind)]
    pub fn discover_topic(&self, bytes: &[u8]) -> Result<i64, Failure> {
        let topic = topic(bytes).map_err(thrown)?;
        let discovery = self.0.polled.running().and_then(|node| node.discover_topic(topic));
        let request = discovery.and_then(|it| self.0.polled.flushed(it));
        request.map(u64::cast_signed).map_err(thrown)
    }

    /// Withdraws a subject.
    #[napi(catch_unwind)]
    pub fn stop_discover(&self, subject: String) -> Result<(), Failure> {
        self.0.polled.running().and_then(|node| node.stop_discover(&subject)).map_err(thrown)
    }

    /// As `stop_discover`, for 32 bytes.
    #[napi(catch_unwind)]
    pub fn stop_discover_topic(&self, bytes: &[u8]) -> Result<(), Failure> {
        let topic = topic(bytes).map_err(thrown)?;
        self.0.polled.running().map(|node| node.stop_discover_topic(topic)).map_err(thrown)
    }

    /// Dials an address; a request.
    #[napi(catch_unwind)]
    pub fn connect(&self, address: String) -> Result<i64, Failure> {
        let node = self.0.polled.running().cloned();
        let request = node.and_then(|node| {
            let address: Address = address.parse()?;
            self.request(async move { node.connect(address).await.map(Some) })
        });
        request.map_err(thrown)
    }

    /// Changes settings, which are JSON; a request.
    #[napi(catch_unwind)]
    pub fn update(&self, settings: String) -> Result<i64, Failure> {
        let request = changes(&settings).and_then(|changes| {
            let node = self.0.polled.running()?.clone();
            self.request(async move { node.update(changes).await.map(|()| None) })
        });
        request.map_err(thrown)
    }

    /// Reads the settings file again; a request.
    #[napi(catch_unwind)]
    pub fn reload(&self) -> Result<i64, Failure> {
        let node = self.0.polled.running().cloned();
        let request =
            node.and_then(|node| self.request(async move { node.reload().await.map(|()| None) }));
        request.map_err(thrown)
    }

    /// Lets a newcomer in, or refuses it.
    #[napi(catch_unwind)]
    pub fn answer_newcomer(&self, number: i64, refused: bool) {
        let answer = lock(&self.0.newcomers).1.remove(&number.cast_unsigned());
        answer.into_iter().for_each(|answer| answer.give(refused));
    }

    /// Adds a discovery service with these verbs; its place among them.
    #[napi(catch_unwind)]
    pub fn add_discovery_service(&self, name: String, verbs: Vec<String>) -> Result<u32, Failure> {
        let verbs = verbs.iter().filter_map(|name| match &**name {
            "announce" => Some(Verb::Announce),
            "lookUp" => Some(Verb::LookUp),
            "withdraw" => Some(Verb::Withdraw),
            _ => None,
        });
        let place = self.0.polled.add_service(name, verbs.collect());
        place.map(|place| u32::try_from(place).unwrap_or(u32::MAX)).map_err(thrown)
    }

    /// A discovery service has found an address.
    #[napi(catch_unwind)]
    pub fn discovery_found(&self, request: i64, address: String) -> Result<(), Failure> {
        let found = address.parse().and_then(|address| {
            self.0.polled.hub().discovery_found(request.cast_unsigned(), address)
        });
        found.map_err(thrown)
    }

    /// A discovery service answers a request: with the kind and the message of an error, or none.
    #[napi(catch_unwind)]
    pub fn discovery_done(
        &self,
        request: i64,
        kind: Option<String>,
        message: Option<String>,
    ) -> Result<(), Failure> {
        let error = kind.zip(message);
        self.0.polled.discovery_done(request.cast_unsigned(), error).map_err(thrown)
    }

    /// What is open, and then what happens.
    #[napi(catch_unwind)]
    pub fn events(&self) -> Result<NativeItems, Failure> {
        let items = self.0.polled.running().map(|node| Items::events(node.events()));
        items.map(|items| NativeItems::new(self.0.clone(), items)).map_err(thrown)
    }

    /// The counters that change.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> Result<NativeItems, Failure> {
        let items = self.0.polled.running().map(|node| Items::stats(node.stats()));
        items.map(|items| NativeItems::new(self.0.clone(), items)).map_err(thrown)
    }

    /// What docs/status.md says, as JSON.
    #[napi(catch_unwind)]
    pub fn status(&self) -> Result<String, Failure> {
        let status =
            self.0.polled.running().map(|node| serde_json::json!(node.status()).to_string());
        status.map_err(thrown)
    }

    /// What is known of a peer or an address, as JSON.
    #[napi(catch_unwind)]
    pub fn explain(&self, target: String) -> Result<String, Failure> {
        let explained = self.0.polled.running().and_then(|node| {
            let target: Target = target.parse()?;
            Ok(serde_json::json!(node.explain(target)).to_string())
        });
        explained.map_err(thrown)
    }
}

impl Drop for NativeNode {
    /// Ends it without waiting.
    fn drop(&mut self) {
        let shared = &self.0;
        lock(&shared.waker).take();
        shared.polled.abandon();
    }
}
