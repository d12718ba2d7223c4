//! Asking the program about newcomers.
//!
//! A hook that answers at once is asked where the question arises. One that takes its time is asked in a
//! task of its own, while the connection waits; so whatever comes of the answer looks first whether the
//! connection still is.

use std::{collections::BTreeSet, sync::Arc};

use p2pchan_proto::subject::SubjectKey;
use tokio::time::{Instant, timeout_at};

use super::{builder::Newcomer, inner::Inner};
use crate::{discovery::BoxFuture, event::Event, link::Link};

/// What says whether a newcomer is refused.
pub(super) enum RefuseHook {
    Now(Box<dyn Fn(&Newcomer) -> bool + Send + Sync>),
    Later(Arc<LaterHook>),
}

type LaterHook = dyn Fn(Newcomer) -> BoxFuture<'static, bool> + Send + Sync;

impl Inner {
    /// Asks about the peer of a connection, and goes on with those of the subjects for which it is
    /// welcome: before this returns, unless the hook takes its time. Never called with a lock.
    pub(super) fn ask(
        self: &Arc<Self>,
        link: &Arc<Link>,
        subjects: Vec<SubjectKey>,
        then: impl FnOnce(&Arc<Self>, &Arc<Link>, &BTreeSet<SubjectKey>) + Send + 'static,
    ) {
        match &self.refuse {
            None => then(self, link, &subjects.into_iter().collect()),
            Some(RefuseHook::Now(hook)) => {
                let welcome = |key: &SubjectKey| {
                    let Some(newcomer) = self.newcomer(link, *key) else { return false };
                    let refused = hook(&newcomer);
                    if refused {
                        self.tell_refused(newcomer, "the program's hook refused it");
                    }
                    !refused
                };
                then(self, link, &subjects.into_iter().filter(welcome).collect());
            }
            Some(RefuseHook::Later(hook)) => {
                let (inner, link, hook) = (self.clone(), link.clone(), hook.clone());
                self.spawn_until_closing(async move {
                    let welcome = inner.ask_each(&*hook, &link, subjects).await;
                    then(&inner, &link, &welcome);
                });
            }
        }
    }

    /// Asks about one subject after the other, for as long as a handshake may take in all.
    async fn ask_each(
        &self,
        hook: &LaterHook,
        link: &Link,
        subjects: Vec<SubjectKey>,
    ) -> BTreeSet<SubjectKey> {
        let mut welcome = BTreeSet::new();
        let limit = Instant::now() + self.settings().timeouts.handshake;
        for key in subjects {
            let Some(newcomer) = self.newcomer(link, key) else { continue };
            match timeout_at(limit, hook(newcomer.clone())).await {
                Ok(false) => drop(welcome.insert(key)),
                Ok(true) => self.tell_refused(newcomer, "the program's hook refused it"),
                Err(_) => self.tell_refused(
                    newcomer,
                    "the program's hook did not answer within timeouts.handshake",
                ),
            }
        }
        welcome
    }

    fn newcomer(&self, link: &Link, key: SubjectKey) -> Option<Newcomer> {
        let subject = self.core().subjects.label(key)?;
        Some(Newcomer { peer: link.peer, subject, address: link.address })
    }

    fn tell_refused(&self, Newcomer { peer, address, .. }: Newcomer, reason: &str) {
        self.emit(Event::Refused { peer, address, reason: reason.into() });
    }
}
