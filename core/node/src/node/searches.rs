//! What the searches of discovery services are doing, for the status.

use std::{collections::BTreeMap, sync::Arc};

use p2pchan_proto::{
    book::{Action, Noted, Plan},
    subject::SubjectKey,
    time::Time,
};

use super::discovery::number;
use crate::status::{DoneStatus, SearchStatus, ServiceStatus};

/// Bytes of an error that are kept: it comes from a service, maybe one of the program's own.
const MOST_OF_ERROR: usize = 256;

/// The number of a search. Never used twice by a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SearchNumber(u64);

/// All searches that run: one for each subject and service.
#[derive(Default)]
pub(super) struct Searches {
    running: BTreeMap<SearchNumber, Progress>,
    next: u64,
}

struct Progress {
    subject: SubjectKey,
    source: Arc<str>,
    plan: Option<Plan>,
    announced: Option<Done>,
    looked_up: Option<Done>,
    found: u64,
}

/// When an action ended, and why it failed, if it did.
pub(super) struct Done {
    pub(super) at: Time,
    pub(super) error: Option<String>,
}

impl Searches {
    pub(super) fn begin(&mut self, subject: SubjectKey, source: Arc<str>) -> SearchNumber {
        let number = SearchNumber(self.next);
        self.next += 1;
        let (plan, announced, looked_up, found) = (None, None, None, 0);
        let progress = Progress { subject, source, plan, announced, looked_up, found };
        self.running.insert(number, progress);
        number
    }

    pub(super) fn end(&mut self, search: SearchNumber) {
        self.running.remove(&search);
    }

    pub(super) fn planned(&mut self, search: SearchNumber, plan: Plan) {
        if let Some(progress) = self.running.get_mut(&search) {
            progress.plan = Some(plan);
        }
    }

    pub(super) fn found(&mut self, search: SearchNumber, noted: Noted) {
        if let (Noted::New | Noted::Further, Some(progress)) =
            (noted, self.running.get_mut(&search))
        {
            progress.found += 1;
        }
    }

    pub(super) fn done(&mut self, search: SearchNumber, action: Action, mut done: Done) {
        let Some(progress) = self.running.get_mut(&search) else { return };
        if let Some(error) = &mut done.error {
            error.truncate(error.floor_char_boundary(MOST_OF_ERROR));
        }
        match action {
            Action::Announce => progress.announced = Some(done),
            Action::LookUp => progress.looked_up = Some(done),
            Action::Withdraw => {}
        }
    }

    /// What each service does; those of `names` are there also if they do nothing.
    pub(super) fn status<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        now: Time,
    ) -> Vec<ServiceStatus> {
        let mut services: Vec<_> =
            names.map(|name| ServiceStatus { source: name.into(), ..Default::default() }).collect();
        for progress in self.running.values() {
            let position = services.iter().position(|service| *service.source == *progress.source);
            let position = position.unwrap_or_else(|| {
                let source = progress.source.as_ref().into();
                services.push(ServiceStatus { source, ..Default::default() });
                services.len() - 1
            });
            services[position].searches.push(progress.status(now));
        }
        services
    }
}

impl Progress {
    fn status(&self, now: Time) -> SearchStatus {
        let plan = self.plan.as_ref();
        let until = |time: Option<Time>| time.map(|time| time - now);
        let done = |done: &Option<Done>| {
            done.as_ref()
                .map(|Done { at, error }| DoneStatus { ago: now - *at, error: error.clone() })
        };
        SearchStatus {
            subject: number(self.subject),
            running: plan.and_then(|plan| plan.running).map(|action| name(action).into()),
            announced: done(&self.announced),
            looked_up: done(&self.looked_up),
            next_announce: until(plan.and_then(|plan| plan.announce_at)),
            next_look_up: until(plan.and_then(|plan| plan.look_up_at)),
            found: self.found,
        }
    }
}

const fn name(action: Action) -> &'static str {
    match action {
        Action::Announce => "announce",
        Action::LookUp => "look_up",
        Action::Withdraw => "withdraw",
    }
}
