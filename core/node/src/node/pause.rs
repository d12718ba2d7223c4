//! What the setting `paused` ends and begins.
//!
//! Pausing is said first, and every task that would open something looks there, or is told. Then what is
//! open is closed, in an order in which nothing can come back: listeners, announcements, connections,
//! the ports under them. Subjects stay, and so does what the address book has learned.

use std::{sync::Arc, time::Duration};

use p2pchan_proto::{book::Outcome, channel::CloseCode};
use tokio::{sync::watch, time::timeout};

use super::{inner::Inner, listeners::Listener, node_paused, services::Named};
use crate::event::Event;

/// Why connections end; peers get it too.
pub(super) const PAUSED: &str = "the node was paused";
/// What the goodbyes of connections may take.
const GOODBYES: Duration = Duration::from_secs(5);

impl Inner {
    /// Ends all network activity. Takes at most `timeouts.close` and some seconds.
    pub(super) async fn pause(self: &Arc<Self>, listeners: &mut Vec<Listener>) {
        self.paused.send_replace(true);
        self.cancel_connecting();
        for listener in listeners.drain(..) {
            listener.stop().await;
        }
        tokio::join!(self.rest_services(), self.flush_links());
        self.publish_listening(listeners);
        self.end_links().await;
        self.close_ports().await;
        self.emit(Event::Paused);
    }

    /// Lets everything begin again; what the settings name is open already.
    pub(super) fn resume(self: &Arc<Self>) {
        let mut core = self.core();
        self.paused.send_replace(false);
        for service in &mut core.services.open {
            service.stop = watch::channel(false).0;
        }
        core.book.handle_resumed(self.clock.now());
        self.emit(Event::Resumed);
    }

    /// Those who wait for `connect`, also behind other dials.
    fn cancel_connecting(&self) {
        let mut core = self.core();
        let now = self.clock.now();
        for (dial, waiting) in std::mem::take(&mut core.connecting) {
            core.book.handle_dial_ended(dial, Outcome::Cancelled, now);
            // Whoever waited may have gone.
            let _ = waiting.send(Err(node_paused()));
        }
    }

    /// Takes all announcements back, and closes what the settings have opened.
    async fn rest_services(&self) {
        let nothing: &[Named] = &[];
        let (closed, stay): (Vec<_>, Vec<_>) = {
            let mut core = self.core();
            let closed = core.services.take_unless(nothing);
            let stay = core.services.open.iter();
            let stay = stay.map(|service| (service.verbs.clone(), service.stop.clone())).collect();
            core.subjects.dismiss_all();
            (closed, stay)
        };
        // They take their time side by side.
        let stops = closed.iter().map(|it| &it.stop).chain(stay.iter().map(|(_, stop)| stop));
        for stop in stops {
            stop.send_replace(true);
        }
        for service in &closed {
            self.close_service(service).await;
        }
        for (verbs, stop) in &stay {
            self.stop_searches(stop).await;
            let _ = timeout(GOODBYES, verbs.pause()).await;
        }
    }

    /// Gives what was sent some time to go out.
    async fn flush_links(&self) {
        let remotes: Vec<_> = self.core().remotes.values().cloned().collect();
        let flushed = async {
            for remote in remotes {
                remote.flushed().await;
            }
        };
        let _ = timeout(self.settings().timeouts.close, flushed).await;
    }

    /// Ends all connections, those that are half-way too. Ready when their tasks are gone.
    async fn end_links(&self) {
        {
            let mut core = self.core();
            let links: Vec<_> = core.table.values().cloned().collect();
            links.iter().for_each(|it| self.close_link(&mut core, it, CloseCode::Normal, PAUSED));
        }
        if timeout(GOODBYES, self.connections.closed()).await.is_err() {
            let message = "pausing: some connections have not ended yet; is the program's hook, or \
                           the whole program, standing still?";
            self.emit(Event::Warning { message: message.into() });
        }
    }
}
