//! What happens on connections that have a session.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use p2pchan_proto::{
    book::{DialId, Outcome},
    channel::{CloseCode, Event, Opened, Reason, common},
    subject::SubjectKey,
    wire::{Hello, Subjects},
};

use super::{builder::Newcomer, inner::Inner};
use crate::{
    event,
    link::{Driver, Link},
};

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
            Event::Subjects(subjects) => self.handle_subjects(link, &subjects),
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

    fn handle_subjects(&self, link: &Arc<Link>, subjects: &Subjects) {
        let inner = &self.inner;
        let binding = link.lock().session.peer_binding(subjects.number);
        let own = inner.core().subjects.all();
        let keyed = own.iter().map(|(key, subject)| (*key, &**subject));
        let mut common = common(&subjects.tags, keyed, &binding);
        common.retain(|common| inner.is_welcome(link, common.subject));
        let mut core = inner.core();
        let opened = link.command(|shared| {
            common.retain(|common| shared.session.has_room_for(common.subject));
            shared.session.acknowledge(subjects, &common)
        });
        inner.open_remotes(&mut core, link, &opened, None);
    }

    fn handle_opened(&self, link: &Arc<Link>, mut opened: Vec<Opened>) {
        let inner = &self.inner;
        opened.retain(|opened| inner.keep_opened(link, opened));
        let mut core = inner.core();
        let mut connecting = None;
        if !self.opened.load(Ordering::Relaxed) {
            core.links.handle_welcomed(link.id);
            inner.apply(&mut core);
            if core.links.open_link(&link.peer) != Some(link.id) {
                // Another connection won while WELCOME was on its way; this one is being closed.
                return;
            }
            self.opened.store(true, Ordering::Relaxed);
            if let Some(dial) = self.dial {
                let outcome = Outcome::Opened(link.peer);
                core.book.handle_dial_ended(dial, outcome, inner.clock.now());
                connecting = core.connecting.remove(&dial);
                inner.plans_changed.notify_one();
            }
        }
        inner.open_remotes(&mut core, link, &opened, connecting);
    }
}

impl Inner {
    /// Somebody asks to be let in.
    pub(super) fn handle_hello(&self, link: &Arc<Link>, hello: Hello) {
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
        let any = !common.is_empty();
        common.retain(|common| self.is_welcome(link, common.subject));
        if common.is_empty() {
            let code = if any { CloseCode::Refused } else { CloseCode::NoSubject };
            return link.command(|shared| shared.session.close(code, ""));
        }
        let mut core = self.core();
        link.lock().held = Some((common, hello.tags.len()));
        core.links.handle_hello(link.id, self.clock.now());
        self.apply(&mut core);
        self.plans_changed.notify_one();
    }

    /// Decides on those who came while their subject was still being derived.
    pub(super) fn decide_undecided(&self) {
        let undecided = std::mem::take(&mut self.core().undecided);
        for (link, hello) in undecided {
            let link = self.core().table.get(&link).cloned();
            if let Some(link) = link {
                self.handle_hello(&link, hello);
            }
        }
    }

    /// Asks the program's hook about a common subject.
    fn is_welcome(&self, link: &Link, subject: SubjectKey) -> bool {
        let Some(refuse) = &self.refuse else { return true };
        let Some(subject) = self.core().subjects.label(subject) else { return false };
        let newcomer = Newcomer { peer: link.peer, subject, address: link.address };
        let refused = refuse(&newcomer);
        if refused {
            let Newcomer { peer, address, .. } = newcomer;
            let reason = "the program's hook refused it".into();
            self.emit(event::Event::Refused { peer, address, reason });
        }
        !refused
    }

    /// Asks the hook about a channel that the peer has opened already, and resets it if refused.
    fn keep_opened(&self, link: &Link, opened: &Opened) -> bool {
        let welcome = self.is_welcome(link, opened.subject);
        if !welcome {
            link.command(|shared| shared.session.reset(opened.channel, CloseCode::Refused));
        }
        welcome
    }
}
