//! What has happened since the node began: every event counts.

use std::sync::atomic::{AtomicU64, Ordering};

use p2pchan_proto::channel::Traffic;

use crate::{event::Event, status::Totals};

/// How often each kind of event happened.
#[derive(Default)]
pub(super) struct Counters {
    announced: AtomicU64,
    found: AtomicU64,
    discovery_failed: AtomicU64,
    dials: AtomicU64,
    dials_failed: AtomicU64,
    unreachable: AtomicU64,
    remotes_opened: AtomicU64,
    remotes_ended: AtomicU64,
    refused: AtomicU64,
    warnings: AtomicU64,
}

impl Counters {
    pub(super) fn note(&self, event: &Event) {
        let counter = match event {
            Event::Announced { .. } => &self.announced,
            Event::Found { .. } => &self.found,
            Event::DiscoveryFailed { .. } => &self.discovery_failed,
            Event::Dialling { .. } => &self.dials,
            Event::DialFailed { .. } => &self.dials_failed,
            Event::Unreachable { .. } => &self.unreachable,
            Event::RemoteOpened { .. } => &self.remotes_opened,
            Event::RemoteEnded { .. } => &self.remotes_ended,
            Event::Refused { .. } => &self.refused,
            Event::Warning { .. } => &self.warnings,
            // Such as what opened: it shows in the status itself.
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The totals with what went over all connections.
    pub(super) fn totals(&self, traffic: Traffic) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Traffic { messages_sent, messages_received, bytes_sent, bytes_received } = traffic;
        Totals {
            announced: read(&self.announced),
            found: read(&self.found),
            discovery_failed: read(&self.discovery_failed),
            dials: read(&self.dials),
            dials_failed: read(&self.dials_failed),
            unreachable: read(&self.unreachable),
            remotes_opened: read(&self.remotes_opened),
            remotes_ended: read(&self.remotes_ended),
            refused: read(&self.refused),
            warnings: read(&self.warnings),
            messages_sent,
            messages_received,
            bytes_sent,
            bytes_received,
        }
    }
}
