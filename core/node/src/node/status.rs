//! Gathers the status: one pass over the node's tables, under its lock.

use std::collections::BTreeMap;

use p2pchan_proto::{
    address::{Address, TransportKind},
    book::{Known, State as AddressState},
    channel::{SessionStatus, Side},
    settings::Value,
    time::Time,
};

use super::{
    discovery::number,
    inner::{Core, Inner},
    ports::Purpose,
    subjects::NOBODY_SEARCHES,
};
use crate::{
    link::Link,
    remote::State,
    status::{
        AddressBookStatus, AddressStatus, FoundStatus, LimitsStatus, LinkStatus, NodeStatus,
        RemoteStatus, SocketStatus, Status, TransportStatus, UsageStatus,
    },
    transport::udp::Counters,
};

const PAUSED: &str =
    "the node is paused: nothing is open and nobody is dialled. Set paused to false";
/// Items of a list that are shown; `allow` may have tens of thousands.
const MOST_ITEMS: usize = 32;

impl Inner {
    /// See [`super::Node::status`].
    pub(super) fn status(&self) -> Status {
        let (now, closing) = (self.clock.now(), self.is_closing());
        let core = self.core();
        let traffic =
            core.gone + core.table.values().map(|link| link.lock().session.traffic()).sum();
        Status {
            node: NodeStatus {
                id: self.id.to_string(),
                version: env!("CARGO_PKG_VERSION").into(),
                uptime: now - Time::ZERO,
                paused: self.is_paused(),
                closing,
            },
            warnings: self.warnings(&core),
            settings: self.settings_status(),
            transport: TransportStatus { sockets: self.sockets(&core, closing) },
            limits: self.limits(&core),
            subjects: core.subjects.status(),
            discovery: core.searches.status(core.services.names(), now),
            address_book: address_book(&core, now),
            links: core.table.values().map(|link| link_status(link, now)).collect(),
            remotes: core.remotes.values().map(|remote| remote_status(remote, now)).collect(),
            totals: self.counters.totals(traffic),
        }
    }

    fn warnings(&self, core: &Core) -> Vec<String> {
        let searched = core.subjects.active();
        let warning = if self.is_paused() {
            PAUSED
        } else if core.services.is_empty() && !searched.is_empty() {
            NOBODY_SEARCHES
        } else {
            return Vec::new();
        };
        vec![warning.into()]
    }

    fn settings_status(&self) -> BTreeMap<String, serde_json::Value> {
        let differences = self.settings().differences();
        differences.into_iter().map(|(key, value)| (key, json(value))).collect()
    }

    /// What is bound; nothing once the node closes, as all of it is on its way out.
    fn sockets(&self, core: &Core, closing: bool) -> Vec<SocketStatus> {
        if closing {
            return Vec::new();
        }
        let listening = self.listening.borrow().clone();
        let tcp = listening.iter().filter(|address| address.transport == TransportKind::Tcp);
        let tcp = tcp.map(|address| socket(address.to_string(), "listen", None));
        let quic = self.ports.all().into_iter().map(|port| {
            let address = Address::quic(port.address).to_string();
            socket(address, purpose(port.purpose), Some(port.engine.port().counters()))
        });
        let services = core.services.open.iter().filter_map(|service| {
            Some(socket(format!("udp://{}", service.socket?), service.verbs.name(), None))
        });
        let control = self.settings().control.clone();
        let control = control.map(|path| socket(format!("unix://{path}"), "control", None));
        tcp.chain(quic).chain(services).chain(control).collect()
    }

    fn limits(&self, core: &Core) -> LimitsStatus {
        let settings = self.settings();
        let limits = &settings.limits;
        let usage = |used: usize, cap: usize| UsageStatus { used: used as u64, cap: cap as u64 };
        let waiting = core.incoming.as_ref().map_or(0, |it| it.max_capacity() - it.capacity());
        LimitsStatus {
            links: usage(core.links.open_count(), limits.remotes),
            unproven: usage(core.admission.count(), limits.unproven),
            dials: usage(core.book.dialling(), limits.dials),
            subjects: usage(core.subjects.active().len(), limits.subjects),
            waiting: usage(waiting, limits.waiting),
            reassembly: UsageStatus { used: self.budget.used(), cap: limits.reassembly as u64 },
        }
    }
}

fn json(value: Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(boolean) => boolean.into(),
        Value::Integer(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::List(items) => {
            let more = items.len().saturating_sub(MOST_ITEMS);
            let mut shown: Vec<_> = items.into_iter().take(MOST_ITEMS).map(json).collect();
            shown.extend((more > 0).then(|| format!("and {more} more").into()));
            shown.into()
        }
    }
}

fn socket(address: String, used_by: &str, counters: Option<Counters>) -> SocketStatus {
    let transport = address.split_once("://").map_or("", |(scheme, _)| scheme).into();
    let counters = counters.map(|Counters { quic, own, krpc, other, dropped, sent }| {
        let named = [
            ("received_quic", quic),
            ("received_own", own),
            ("received_krpc", krpc),
            ("received_other", other),
            ("dropped", dropped),
            ("sent", sent),
        ];
        named.map(|(name, count)| (name.into(), count)).into()
    });
    SocketStatus { address, transport, used_by: used_by.into(), counters }
}

const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Listening => "listen",
        Purpose::Dialling => "dial",
        Purpose::Draining => "drain",
    }
}

fn address_book(core: &Core, now: Time) -> AddressBookStatus {
    let mut book = AddressBookStatus::default();
    for known in core.book.attempts() {
        book.known += 1;
        *match known.state {
            AddressState::Waiting => &mut book.waiting,
            AddressState::BackingOff { .. } => &mut book.backing_off,
            AddressState::Dialling => &mut book.dialling,
            AddressState::Connected(_) => &mut book.connected,
            AddressState::Own => &mut book.own,
            AddressState::Idle => &mut book.idle,
        } += 1;
        book.entries.push(address_status(&known, now));
    }
    book
}

pub(super) fn address_status(known: &Known<'_>, now: Time) -> AddressStatus {
    let mut found = Vec::new();
    for (subject, sources) in &known.found {
        let by =
            |source: &&str| FoundStatus { source: (*source).into(), subject: number(*subject) };
        found.extend(sources.iter().map(by));
    }
    let next_try = match known.state {
        AddressState::BackingOff { until } => Some(until - now),
        _ => None,
    };
    AddressStatus {
        address: known.address.to_string(),
        state: state_name(known.state).into(),
        next_try,
        peer: known.peer.map(|peer| peer.to_string()),
        found,
        first_seen: now - known.first_seen,
        last_seen: now - known.seen,
        tries: known.tries,
        worked: known.worked,
        verdict: known.last().map(|attempt| attempt.outcome.to_string()),
    }
}

const fn state_name(state: AddressState) -> &'static str {
    match state {
        AddressState::Waiting => "waiting",
        AddressState::BackingOff { .. } => "backing_off",
        AddressState::Dialling => "dialling",
        AddressState::Connected(_) => "connected",
        AddressState::Own => "own",
        AddressState::Idle => "idle",
    }
}

pub(super) fn link_status(link: &Link, now: Time) -> LinkStatus {
    let (session, closed) = {
        let shared = link.lock();
        (shared.session.status(), shared.session.closed().is_some())
    };
    let SessionStatus { side, open, began, rtt, traffic, queued, window } = session;
    LinkStatus {
        link: link.id.0,
        peer: link.peer.to_string(),
        address: link.address.to_string(),
        transport: link.address.transport.to_string(),
        side: if side == Side::Dialler { "dialled" } else { "accepted" }.into(),
        state: if closed {
            "closing"
        } else if open {
            "open"
        } else {
            "proving"
        }
        .into(),
        age: now - began,
        rtt,
        messages_sent: traffic.messages_sent,
        messages_received: traffic.messages_received,
        bytes_sent: traffic.bytes_sent,
        bytes_received: traffic.bytes_received,
        queued: queued as u64,
        window,
    }
}

fn remote_status(remote: &State, now: Time) -> RemoteStatus {
    let link = &remote.link;
    let channel = link.lock().session.channel_status(remote.channel).unwrap_or_default();
    RemoteStatus {
        peer: link.peer.to_string(),
        subject: number(remote.key),
        address: link.address.to_string(),
        link: link.id.0,
        age: now - remote.began,
        messages_sent: channel.traffic.messages_sent,
        messages_received: channel.traffic.messages_received,
        bytes_sent: channel.traffic.bytes_sent,
        bytes_received: channel.traffic.bytes_received,
        queued: channel.queued as u64,
        unread: channel.unread,
        credit: channel.credit,
    }
}
