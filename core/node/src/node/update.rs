//! Other settings for a node that runs.
//!
//! ```text
//! changes ─► all settings, checked ─► what goes is closed ─► what is new is opened ─► they count
//!                   │ wrong                                        │ fails
//!                   ▼                                              ▼
//!             nothing happened                     closed again; what went is opened again
//! ```
//!
//! What is to be open follows from the settings alone, and what goes and comes from comparing that with
//! the tables of `listeners` and `services`. So starting a node is the same as the first change, and
//! a part that could not be opened again is tried again by the next one.

use std::sync::Arc;

use p2pchan_proto::{
    error::{Error, ErrorKind},
    settings::{ListenAddress, Settings},
};
use tokio::sync::oneshot;

use super::{
    inner::Inner,
    layers::{Change, Layers},
    listeners::{Bound, Listener},
    node_closed, refused,
    services::{Named, Opened, Service},
    subjects::Holder,
};
use crate::{discovery::DiscoveryService, event::Event};

/// Changes that wait for their turn, or are being made.
pub(super) const MAX_UPDATES: usize = 64;

/// What the settings have opened beside the services, and what they are made of.
#[derive(Default)]
pub(super) struct Open {
    listeners: Vec<Listener>,
    layers: Layers,
}

/// What was closed for a change.
struct Gone {
    listeners: Vec<Listener>,
    services: Vec<Service>,
}

/// What was opened for a change and is not used yet.
#[derive(Default)]
struct New {
    listeners: Vec<Bound>,
    services: Vec<Opened>,
}

impl Inner {
    /// See [`super::Node::update`] and [`super::Node::reload`].
    pub(super) async fn update(self: &Arc<Self>, change: Change) -> Result<(), Error> {
        let Ok(turn) = self.updates.clone().try_acquire_owned() else {
            return Err(refused(format!("{MAX_UPDATES} updates wait already; await them first")));
        };
        let (sender, receiver) = oneshot::channel();
        let inner = self.clone();
        self.tasks.spawn(async move {
            let _turn = turn;
            // Whoever asked may have gone.
            let _ = sender.send(inner.change(change).await);
        });
        receiver.await.unwrap_or_else(|_| Err(node_closed()))
    }

    /// Opens what the settings name and takes the program's services into use. If something cannot be
    /// opened, nothing is left open.
    pub(super) async fn open(
        self: &Arc<Self>,
        layers: Layers,
        services: Vec<Arc<dyn DiscoveryService>>,
    ) -> Result<(), Error> {
        let mut open = self.open.lock().await;
        let new = self.open_missing(&open, &self.settings()).await?;
        open.layers = layers;
        self.add_services(services.into_iter().map(Opened::of_program).collect());
        self.add(&mut open, new);
        self.take_over_subjects(&Settings::default());
        Ok(())
    }

    async fn change(self: &Arc<Self>, change: Change) -> Result<(), Error> {
        let mut open = self.open.lock().await;
        if self.is_closing() {
            return Err(node_closed());
        }
        let reads_file = matches!(change, Change::Reload);
        let layers = open.layers.after(change).await?;
        let moved = match self.check(&layers) {
            Ok(after) => self.move_to(&mut open, after).await,
            Err(error) => Err(error),
        };
        match moved {
            Ok(()) => open.layers = layers,
            Err(error) if reads_file => return Err(layers.blame_file(error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The next settings, if this node can take them over.
    fn check(&self, layers: &Layers) -> Result<Settings, Error> {
        let after = layers.settings()?;
        self.settings().check_hot(&after)?;
        self.check_subjects(&after)?;
        Ok(after)
    }

    async fn move_to(self: &Arc<Self>, open: &mut Open, after: Settings) -> Result<(), Error> {
        let before = self.settings();
        if after.paused && !before.paused {
            self.pause(&mut open.listeners).await;
        }
        let gone = self.take_what_goes(open, &after);
        self.close_gone(&gone).await;
        match self.open_missing(open, &after).await {
            Ok(new) => {
                let resumes = before.paused && !after.paused;
                self.set_settings(after);
                if resumes {
                    self.resume();
                }
                self.add(open, new);
                self.take_over_subjects(&before);
                Ok(())
            }
            Err(error) => Err(self.put_back(open, &gone, error).await),
        }
    }

    fn take_what_goes(&self, open: &mut Open, after: &Settings) -> Gone {
        let wanted = wanted_addresses(after);
        let goes = |listener: &mut Listener| !wanted.contains(&listener.wanted);
        let listeners = open.listeners.extract_if(.., goes).collect();
        let mut core = self.core();
        let services = core.services.take_unless(&Named::wanted(after));
        services.iter().for_each(|service| core.subjects.dismiss(service.id));
        Gone { listeners, services }
    }

    async fn close_gone(&self, gone: &Gone) {
        for service in &gone.services {
            // They take their time side by side.
            service.stop.send_replace(true);
        }
        for listener in &gone.listeners {
            listener.stop().await;
        }
        for service in &gone.services {
            self.close_service(service).await;
        }
    }

    async fn open_missing(&self, open: &Open, settings: &Settings) -> Result<New, Error> {
        let mut new = New::default();
        match self.open_into(&mut new, open, settings).await {
            Ok(()) => Ok(new),
            Err(error) => {
                new.close().await;
                Err(error)
            }
        }
    }

    async fn open_into(
        &self,
        new: &mut New,
        open: &Open,
        settings: &Settings,
    ) -> Result<(), Error> {
        let is_open = |wanted: &ListenAddress| open.listeners.iter().any(|it| it.wanted == *wanted);
        for wanted in wanted_addresses(settings).iter().filter(|wanted| !is_open(wanted)) {
            new.listeners.push(self.bind(wanted)?);
        }
        let mut named = Named::wanted(settings);
        named.retain(|named| !self.core().services.has(named));
        for named in named {
            new.services.push(Opened::open(named).await?);
        }
        Ok(())
    }

    /// Opens again what was closed for a change that failed. The error that tells of both.
    async fn put_back(self: &Arc<Self>, open: &mut Open, gone: &Gone, error: Error) -> Error {
        let (mut new, mut failed) = (New::default(), Vec::new());
        for listener in &gone.listeners {
            match self.bind_closed(listener) {
                Ok(bound) => new.listeners.push(bound),
                Err(error) => failed.push(error.message().to_owned()),
            }
        }
        for service in &gone.services {
            let Some(named) = service.named.clone() else { continue };
            match Opened::open_again(named, service.socket).await {
                Ok(opened) => new.services.push(opened),
                Err(error) => failed.push(error.message().to_owned()),
            }
        }
        self.add(open, new);
        if failed.is_empty() {
            return error;
        }
        let message = format!(
            "{}; what had been closed for it could not all be opened again ({}), update once more \
             to try",
            error.message(),
            failed.join("; ")
        );
        Error::new(error.kind(), message)
    }

    /// Checks what only a running node can know of the subjects of its next settings.
    fn check_subjects(&self, after: &Settings) -> Result<(), Error> {
        let (before, core) = (self.settings(), self.core());
        let wrong =
            |why: String| Err(Error::new(ErrorKind::Settings, format!("setting subjects: {why}")));
        if after.subjects.is_subset(&before.subjects) {
            return Ok(());
        }
        if after.subjects.iter().any(|name| core.subjects.has_secret(name)) {
            let why = "the program discovers one of them with a secret; leave that one out";
            return wrong(why.into());
        }
        let (own, limit) =
            (core.subjects.of_program_beside(&after.subjects), after.limits.subjects);
        if own + after.subjects.len() > limit {
            return wrong(format!(
                "{} phrases, and the program discovers {own} others; that is more than \
                 limits.subjects = {limit}; name fewer, or raise that",
                after.subjects.len()
            ));
        }
        Ok(())
    }

    /// Discovers what the settings name, and lets go of what they named before and do no more.
    fn take_over_subjects(self: &Arc<Self>, before: &Settings) {
        let now = self.settings();
        for name in before.subjects.difference(&now.subjects) {
            self.stop_discover(name, Holder::Settings);
        }
        for name in now.subjects.difference(&before.subjects) {
            if let Err(error) = self.discover(name.clone(), None, Holder::Settings) {
                // The program took the place after it had been checked.
                let message = format!("setting subjects: {}", error.message());
                self.emit(Event::Warning { message });
            }
        }
    }

    /// Takes into use what was opened.
    fn add(self: &Arc<Self>, open: &mut Open, new: New) {
        let New { listeners, services } = new;
        open.listeners.extend(listeners.into_iter().map(|bound| self.begin_to_listen(bound)));
        let order = &self.settings().listen;
        open.listeners.sort_by_key(|it| order.iter().position(|wanted| *wanted == it.wanted));
        self.publish_listening(&open.listeners);
        self.add_services(services);
        self.plans_changed.notify_one();
    }
}

/// Where to listen.
fn wanted_addresses(settings: &Settings) -> &[ListenAddress] {
    if settings.paused { &[] } else { &settings.listen }
}

impl New {
    async fn close(self) {
        for bound in self.listeners {
            bound.close().await;
        }
        for opened in &self.services {
            opened.verbs.close().await;
        }
    }
}
