//! Probes: small packets that ask whether a member of a subject is at an address.
//!
//! They go before QUIC, whose first packets are twenty times as long, so that an address that somebody
//! merely claims costs its owner little. Only who knows the subject answers, and only to who knows it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use p2pchan_proto::{
    datagram::probe::{self, Nonce, ProbeRequest},
    subject::{Subject, SubjectKey},
    time::Time,
};
use tokio::sync::mpsc;

use super::inner::{Inner, random};
use crate::transport::udp::{Packet, Port, Queue};

/// Probes that are looked at in a second: each costs a hash for each subject, some 60 µs in all with
/// 64 of them. Whoever is not answered asks again.
const PER_SECOND: u32 = 1000;
/// Answers that wait for the dial that asked: one is enough, and a dial sends six probes at most.
const ANSWERS: usize = 6;

/// The probes that wait for an answer; as many as there are dials.
#[derive(Default)]
pub(super) struct Probes(Mutex<BTreeMap<Nonce, mpsc::Sender<Packet>>>);

/// The probes of one dial: all carry the same nonce, which is forgotten with this.
pub(super) struct Probing {
    inner: Arc<Inner>,
    nonce: Nonce,
    subjects: Vec<Arc<Subject>>,
    port: Arc<Port>,
    to: SocketAddr,
    answers: mpsc::Receiver<Packet>,
}

impl Probes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Nonce, mpsc::Sender<Packet>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.inner.probes.lock().remove(&self.nonce);
    }
}

impl Probing {
    /// Sends one more probe. That it may be lost is why there are several.
    pub(super) fn send(&self) {
        let Ok(padding) = random() else { return };
        let subjects = self.subjects.iter().map(|subject| &**subject);
        let probe = probe::probe(subjects, &self.nonce, padding);
        if let Err(error) = self.port.send(&probe, self.to) {
            tracing::debug!(target: "p2pchan", to = %self.to, %error, "a probe was not sent");
        }
    }

    /// Waits for a member's answer, from wherever it comes; returns this node's address as the member
    /// sees it. Answers that prove nothing are passed over.
    pub(super) async fn answered(&mut self) -> SocketAddr {
        while let Some(packet) = self.answers.recv().await {
            let subjects = self.subjects.iter().map(|subject| &**subject);
            let observed = probe::verify_answer(&packet.bytes, &self.nonce, subjects);
            if let Some(observed) = observed.filter(|_| packet.from == self.to) {
                return observed;
            }
        }
        std::future::pending().await
    }
}

impl Inner {
    /// Prepares to ask whether a member of one of the subjects is at an address.
    pub(super) fn probing(
        self: &Arc<Self>,
        subjects: &[SubjectKey],
        port: Arc<Port>,
        to: SocketAddr,
    ) -> Result<Probing, p2pchan_proto::error::Error> {
        let nonce = random()?;
        let core = self.core();
        let subjects =
            subjects.iter().filter_map(|key| core.subjects.keys(*key).cloned()).collect();
        drop(core);
        let (sender, answers) = mpsc::channel(ANSWERS);
        self.probes.lock().insert(nonce, sender);
        Ok(Probing { inner: self.clone(), nonce, subjects, port, to, answers })
    }

    /// Handles packets of our own until the port closes.
    pub(super) fn answer_probes(self: &Arc<Self>, port: &Arc<Port>, mut queue: Queue) {
        // The port holds the other end of the queue: this must not keep it alive.
        let (inner, port) = (self.clone(), Arc::downgrade(port));
        self.spawn_until_closing(async move {
            let mut quota = Quota { since: inner.clock.now(), left: PER_SECOND };
            while let Some(packet) = queue.recv().await {
                if let Some(nonce) = probe::answer_nonce(&packet.bytes) {
                    inner.handle_answer(&nonce, packet);
                } else if quota.allows(inner.clock.now()) {
                    inner.handle_probe(&packet, &port);
                }
            }
        });
    }

    fn handle_answer(&self, nonce: &Nonce, packet: Packet) {
        if let Some(waiting) = self.probes.lock().get(nonce) {
            // A dial that has enough of them needs no more.
            let _ = waiting.try_send(packet);
        }
    }

    fn handle_probe(&self, packet: &Packet, port: &Weak<Port>) {
        let (Some(asked), Some(port)) = (ProbeRequest::parse(&packet.bytes), port.upgrade()) else {
            return;
        };
        let subjects = self.core().subjects.all();
        let subjects = subjects.iter().map(|(_, subject)| &**subject);
        if let Some(answer) = asked.answer(subjects, packet.from) {
            let _ = port.send(&answer, packet.from);
        }
    }
}

/// How many probes are still looked at in this second.
struct Quota {
    since: Time,
    left: u32,
}

impl Quota {
    fn allows(&mut self, now: Time) -> bool {
        if now - self.since >= Duration::from_secs(1) {
            *self = Self { since: now, left: PER_SECOND };
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}
