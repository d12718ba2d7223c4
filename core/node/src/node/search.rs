//! Asking one discovery service for one subject, when the schedule says so.

use std::{future::pending, pin::Pin, sync::Arc};

use p2pchan_proto::{
    address::Address,
    book::{Action, Backoff, Noted, Pace, Schedule, Step},
    error::Error,
    settings::{Interval, Settings},
    subject::SubjectKey,
};
use tokio::{sync::watch, time};

use super::{
    inner::{Inner, random},
    searches::{Done, SearchNumber},
    subjects::Watched,
};
use crate::{
    clock::sleep_until,
    discovery::{DiscoveryService, Found, Topic},
    event::Event,
};

type Running = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// One service and one subject.
struct Search {
    inner: Arc<Inner>,
    watched: Watched,
    service: Arc<dyn DiscoveryService>,
    /// Whether the service goes; its keeper waits until this is dropped.
    service_stop: watch::Receiver<bool>,
    listening: watch::Receiver<Arc<[Address]>>,
    settings: watch::Receiver<Arc<Settings>>,
    source: Arc<str>,
    topic: Topic,
    /// The topic as it was last announced, for taking that back.
    announced: Option<Topic>,
    found: Found,
    schedule: Schedule,
    /// Where it tells what it does.
    number: SearchNumber,
    running: Option<(Action, Running)>,
    flushed: bool,
    stopping: bool,
}

/// What a search waits for.
enum Input {
    Done(Action, Result<(), Error>),
    Time,
    Stop,
    Alone(bool),
    Listening(Arc<[Address]>),
    Settings,
}

impl Inner {
    /// Runs the search until the subject is stopped and its announcement withdrawn.
    pub(super) fn search(
        self: &Arc<Self>,
        key: SubjectKey,
        watched: Watched,
        service: Arc<dyn DiscoveryService>,
        service_stop: watch::Receiver<bool>,
        number: SearchNumber,
    ) {
        let source: Arc<str> = service.name().into();
        let (mut listening, mut settings) = (self.listening.subscribe(), self.settings.subscribe());
        let addresses = listening.borrow_and_update().clone();
        let pace = pace(&settings.borrow_and_update());
        let now = self.clock.now();
        let seed = random().map(u64::from_le_bytes).unwrap_or_default();
        let search = Search {
            inner: self.clone(),
            found: self.found(number, key, source.clone(), watched.label.clone()),
            schedule: Schedule::new(pace, !addresses.is_empty(), seed, now),
            number,
            topic: Topic::new(watched.keys.clone(), addresses),
            watched,
            service,
            service_stop,
            listening,
            settings,
            source,
            announced: None,
            running: None,
            flushed: false,
            stopping: false,
        };
        self.tasks.spawn(search.run());
    }

    fn found(
        self: &Arc<Self>,
        number: SearchNumber,
        key: SubjectKey,
        source: Arc<str>,
        subject: Arc<str>,
    ) -> Found {
        let inner = Arc::downgrade(self);
        Found::new(move |address| {
            let Some(inner) = inner.upgrade() else { return };
            let now = inner.clock.now();
            let noted = {
                let mut core = inner.core();
                let noted = core.book.handle_candidate(address, &source, key, now);
                core.searches.found(number, noted);
                noted
            };
            if let Noted::New | Noted::Further = noted {
                let (source, subject) = (source.clone(), subject.clone());
                inner.emit(Event::Found { source, subject, address });
            }
            inner.plans_changed.notify_one();
        })
    }
}

impl Search {
    async fn run(mut self) {
        let clock = self.inner.clock.clone();
        while self.act() {
            self.inner.core().searches.planned(self.number, self.schedule.plan());
            let due = self.schedule.poll_timeout().map(|due| clock.instant(due));
            match self.next_input(due).await {
                Input::Done(action, result) => self.done(action, result),
                Input::Time => self.schedule.handle_timeout(clock.now()),
                Input::Stop => {
                    self.stopping = true;
                    self.schedule.handle_stop(clock.now());
                }
                Input::Alone(alone) => self.schedule.handle_alone(alone, clock.now()),
                Input::Listening(addresses) => {
                    self.schedule.handle_listening(!addresses.is_empty(), clock.now());
                    self.topic = Topic::new(self.watched.keys.clone(), addresses);
                }
                Input::Settings => {
                    let pace = pace(&self.settings.borrow_and_update());
                    self.schedule.handle_pace(pace, clock.now());
                }
            }
        }
        self.inner.core().searches.end(self.number);
        if !self.flushed && *self.service_stop.borrow() {
            // Nobody need wait for a service that has gone.
            self.tell_flushed();
        }
    }

    async fn next_input(&mut self, due: Option<time::Instant>) -> Input {
        let Self { running, watched, stopping, service_stop, listening, settings, .. } = self;
        let Watched { stop, remotes, .. } = watched;
        tokio::select! {
            (action, result) = finished(running) => Input::Done(action, result),
            () = sleep_until(due) => Input::Time,
            _ = stop.wait_for(|stop| *stop), if !*stopping => Input::Stop,
            _ = service_stop.wait_for(|stop| *stop), if !*stopping => Input::Stop,
            Ok(()) = remotes.changed() => Input::Alone(*remotes.borrow_and_update() == 0),
            Ok(()) = listening.changed() => Input::Listening(listening.borrow_and_update().clone()),
            Ok(()) = settings.changed() => Input::Settings,
        }
    }

    /// Does what the schedule says. Whether there is anything left to wait for.
    fn act(&mut self) -> bool {
        while let Some(step) = self.schedule.poll_output() {
            match step {
                Step::Begin(action) => self.running = Some((action, self.begin(action))),
                Step::Cut(action) => {
                    self.running = None;
                    self.schedule.handle_done(action, false, self.inner.clock.now());
                }
            }
        }
        if !self.flushed && self.schedule.flushed() {
            self.tell_flushed();
        }
        !self.schedule.finished()
    }

    fn tell_flushed(&mut self) {
        self.flushed = true;
        self.watched.outstanding.send_modify(|left| *left = left.saturating_sub(1));
    }

    fn begin(&mut self, action: Action) -> Running {
        let (service, topic) = (self.service.clone(), self.topic.clone());
        let found = self.found.clone();
        let announced = self.announced.clone();
        let limit = self.inner.settings().timeouts.close;
        match action {
            Action::Announce => {
                self.announced = Some(topic.clone());
                Box::pin(async move { service.announce(&topic).await })
            }
            Action::LookUp => Box::pin(async move { service.look_up(&topic, &found).await }),
            Action::Withdraw => Box::pin(async move {
                let topic = announced.unwrap_or(topic);
                let _ = time::timeout(limit, service.withdraw(&topic)).await;
                Ok(())
            }),
        }
    }

    fn done(&mut self, action: Action, result: Result<(), Error>) {
        self.running = None;
        let now = self.inner.clock.now();
        self.schedule.handle_done(action, result.is_ok(), now);
        let error = result.as_ref().err().map(Error::to_string);
        self.inner.core().searches.done(self.number, action, Done { at: now, error });
        let (source, subject) = (self.source.clone(), self.watched.label.clone());
        match (action, result) {
            (Action::Announce, Ok(())) => self.inner.emit(Event::Announced { source, subject }),
            (_, Err(error)) => {
                self.inner.emit(Event::DiscoveryFailed { source, subject, error });
            }
            (_, Ok(())) => {}
        }
    }
}

fn pace(settings: &Settings) -> Pace {
    let discovery = &settings.discovery;
    let pair = |interval: &Interval| (interval.shortest, interval.longest);
    let alone = &discovery.lookup_interval_alone;
    Pace {
        announce: pair(&discovery.announce_interval),
        look_up: pair(&discovery.lookup_interval),
        alone: Backoff { first: alone.shortest, most: alone.longest },
    }
}

async fn finished(running: &mut Option<(Action, Running)>) -> (Action, Result<(), Error>) {
    match running {
        Some((action, future)) => (*action, future.await),
        None => pending().await,
    }
}
