//! What happens on connections that have a session.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use p2pchan_proto::{
    book::{DialId, Outcome},
    channel::{CloseCode, Event, Opened, Reason, common},
    error::Error,
    wire::{Hello, Subjects},
};
use tokio::sync::oneshot;

use super::inner::Inner;
use crate::{
    link::{Driver, Link},
    remote::Remote,
};

/// Who waits for the first remote of a dial.
type Connecting = oneshot::Sender<Result<Remote, Error>>;

/// The node's side of one connection's task.
pub(super) struct LinkDriver {
    pub(super) inner: Arc<Inner>,
    /// The dial that this connection came from.
    pub(super) dial: Option<DialId>,
    /// Whether the connection was ever open.
    pub(super) opened: Arc<AtomicBool>,
}

impl Driver for LinkDriver {
    fn handle_event(&mut self, link: &Arc<Link>, event: Event) {
        self.note_welcome(link);
        match event {
            Event::Hello(hello) => self.inner.handle_hello(link, hello),
            Event::Subjects(subjects) => self.handle_subjects(link, subjects),
            Event::Opened(opened) => self.handle_opened(link, opened),
            Event::Declined(subjects) => {
                let book = &mut self.inner.core().book;
                subjects.iter().for_each(|subject| book.handle_declined(link.peer, *subject));
            }
            Event::Pong => {
                let mut core = self.inner.core();
                core.links.handle_pong(link.id);
                self.inner.apply(&mut core);
            }
            Event::Ended(channel, reason) => self.inner.remote_ended(link, channel.0, reason),
            Event::Closed(reason) => self.handle_closed(link, &reason),
            Event::Readable(_) | Event::Writable(_) => {}
        }
    }
}

impl LinkDriver {
    /// An accepted connection may have been opened by the end of another one.
    fn note_welcome(&self, link: &Link) {
        let accepted = self.dial.is_none() && !self.opened.load(Ordering::Relaxed);
        if accepted && self.inner.core().links.open_link(&link.peer) == Some(link.id) {
            self.opened.store(true, Ordering::Relaxed);
        }
    }

    /// The connection has ended; others of the same peer need not wait until the goodbyes are said.
    fn handle_closed(&self, link: &Link, reason: &Reason) {
        let mut core = self.inner.core();
        if self.opened.load(Ordering::Relaxed) {
            let clean = reason.code() == Some(CloseCode::Normal);
            core.book.handle_link_closed(link.peer, clean, self.inner.clock.now());
        }
        core.links.handle_closed(link.id);
        self.inner.apply(&mut core);
        self.inner.plans_changed.notify_one();
    }

    fn handle_subjects(&self, link: &Arc<Link>, subjects: Subjects) {
        let inner = &self.inner;
        let binding = link.lock().session.peer_binding(subjects.number);
        let own = inner.core().subjects.all();
        let keyed = own.iter().map(|(key, subject)| (*key, &**subject));
        let mut common = common(&subjects.tags, keyed, &binding);
        let keys = common.iter().map(|common| common.subject).collect();
        inner.ask(link, keys, move |inner, link, welcome| {
            let mut core = inner.core();
            let opened = link.command(|shared| {
                common.retain(|common| {
                    welcome.contains(&common.subject) && shared.session.has_room_for(common.subject)
                });
                shared.session.acknowledge(&subjects, &common)
            });
            inner.open_remotes(&mut core, link, &opened, None);
        });
    }

    /// Channels that the peer has opened already.
    fn handle_opened(&self, link: &Arc<Link>, opened: Vec<Opened>) {
        let Some(connecting) = self.note_opened(link) else { return };
        let subjects = opened.iter().map(|opened| opened.subject).collect();
        let asked = opened.iter().map(|opened| (link.id, opened.channel.0));
        self.inner.core().asked.extend(asked);
        self.inner.ask(link, subjects, move |inner, link, welcome| {
            let mut core = inner.core();
            // What ended while the hook was asked is told to nobody.
            let opened =
                opened.into_iter().filter(|it| core.asked.remove(&(link.id, it.channel.0)));
            let (kept, refused): (Vec<_>, Vec<_>) =
                opened.partition(|opened| welcome.contains(&opened.subject));
            for Opened { channel, .. } in refused {
                link.command(|shared| shared.session.reset(channel, CloseCode::Refused));
            }
            inner.open_remotes(&mut core, link, &kept, connecting);
        });
    }

    /// The connection is open, perhaps from now on, and then with whoever waits for its first remote.
    /// Nothing if another one has won.
    fn note_opened(&self, link: &Link) -> Option<Option<Connecting>> {
        if self.opened.load(Ordering::Relaxed) {
            return Some(None);
        }
        let inner = &self.inner;
        let mut core = inner.core();
        core.links.handle_welcomed(link.id);
        inner.apply(&mut core);
        if core.links.open_link(&link.peer) != Some(link.id) {
            // Another connection won while WELCOME was on its way; this one is being closed.
            return None;
        }
        self.opened.store(true, Ordering::Relaxed);
        let Some(dial) = self.dial else { return Some(None) };
        core.book.handle_dial_ended(dial, Outcome::Opened(link.peer), inner.clock.now());
        inner.plans_changed.notify_one();
        Some(core.connecting.remove(&dial))
    }
}

impl Inner {
    /// Somebody asks to be let in.
    pub(super) fn handle_hello(self: &Arc<Self>, link: &Arc<Link>, hello: Hello) {
        let binding = link.lock().session.peer_binding(0);
        let mut core = self.core();
        let own = core.subjects.all();
        let keyed = own.iter().map(|(key, subject)| (*key, &**subject));
        let mut common = common(&hello.tags, keyed, &binding);
        // Else a subject whose keys are a moment late would have to be found anew.
        if core.subjects.is_deriving() {
            return core.undecided.push((link.id, hello));
        }
        drop(core);
        let keys: Vec<_> = common.iter().map(|common| common.subject).collect();
        let (offered, any) = (hello.tags.len(), !keys.is_empty());
        self.ask(link, keys, move |inner, link, welcome| {
            common.retain(|common| welcome.contains(&common.subject));
            if common.is_empty() {
                let code = if any { CloseCode::Refused } else { CloseCode::NoSubject };
                return link.command(|shared| shared.session.close(code, ""));
            }
            let mut core = inner.core();
            {
                let mut shared = link.lock();
                if shared.session.closed().is_some() {
                    // It ended while the hook was asked.
                    return;
                }
                shared.held = Some((common, offered));
            }
            core.links.handle_hello(link.id, inner.clock.now());
            inner.apply(&mut core);
            inner.plans_changed.notify_one();
        });
    }

    /// Decides on those who came while their subject was still being derived.
    pub(super) fn decide_undecided(self: &Arc<Self>) {
        let undecided = std::mem::take(&mut self.core().undecided);
        for (link, hello) in undecided {
            let link = self.core().table.get(&link).cloned();
            if let Some(link) = link {
                self.handle_hello(&link, hello);
            }
        }
    }
}
