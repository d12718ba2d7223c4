//! The discovery services of a node: a table of what is open, by what it was made from.
//!
//! Each subject is looked for with each service of the table; a service that comes later joins in, and
//! one that goes takes its announcements back first.

use std::{mem, net::SocketAddr, sync::Arc, time::Duration};

use p2pchan_proto::{
    address::TransportKind,
    error::Error,
    settings::{BitTorrentSettings as BitTorrent, Bootstrap, HostPort, Seed, Settings},
};
use tokio::{sync::watch, time::timeout};

use super::inner::{Core, Inner};
use crate::{
    discovery::{BitTorrentDht, BitTorrentSettings, DiscoveryService, PUBLIC_BOOTSTRAP, Seeds},
    event::Event,
};

/// What closing all services together may take.
pub(super) const CLOSING: Duration = Duration::from_secs(3);

/// A node's own number for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServiceId(u32);

/// What the settings name; two that are equal are the same service.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Named {
    Seeds(Vec<Seed>),
    BitTorrent(BitTorrent),
}

impl Named {
    /// All that the settings name.
    pub(super) fn wanted(settings: &Settings) -> Vec<Self> {
        if settings.paused {
            return Vec::new();
        }
        let discovery = &settings.discovery;
        let seeds = Some(discovery.seeds.clone()).filter(|seeds| !seeds.is_empty());
        let bittorrent = discovery.bittorrent.settings();
        seeds.map(Self::Seeds).into_iter().chain(bittorrent.map(Self::BitTorrent)).collect()
    }
}

/// A service that is open and that no subject knows yet.
pub(super) struct Opened {
    /// What it was made from; nothing if the program brought it, and then it stays with the node.
    pub(super) named: Option<Named>,
    pub(super) verbs: Arc<dyn DiscoveryService>,
    /// A UDP socket of its own.
    pub(super) socket: Option<SocketAddr>,
}

impl Opened {
    pub(super) fn of_program(verbs: Arc<dyn DiscoveryService>) -> Self {
        Self { named: None, verbs, socket: None }
    }

    /// Opens what the settings name.
    pub(super) async fn open(named: Named) -> Result<Self, Error> {
        let (verbs, socket): (Arc<dyn DiscoveryService>, _) = match &named {
            Named::Seeds(list) => (Arc::new(Seeds::new(seeds(list))), None),
            Named::BitTorrent(settings) => {
                let service = BitTorrentDht::open(bittorrent(settings)).await.map_err(|error| {
                    let message = format!("setting discovery.bittorrent.port: {}", error.message());
                    Error::new(error.kind(), message)
                })?;
                let socket = service.local_address();
                (Arc::new(service), Some(socket))
            }
        };
        Ok(Self { named: Some(named), verbs, socket })
    }

    /// Opens again what was closed: at the same port, or, if somebody else has that by now, at
    /// another one that the settings allow.
    pub(super) async fn open_again(
        named: Named,
        socket: Option<SocketAddr>,
    ) -> Result<Self, Error> {
        let same = match (&named, socket) {
            (Named::BitTorrent(settings), Some(socket)) => {
                Named::BitTorrent(BitTorrent { port: socket.port(), ..settings.clone() })
            }
            _ => named.clone(),
        };
        let opened = match Self::open(same).await {
            Ok(opened) => opened,
            Err(_) => Self::open(named.clone()).await?,
        };
        Ok(Self { named: Some(named), ..opened })
    }
}

/// A service in use.
pub(super) struct Service {
    pub(super) id: ServiceId,
    pub(super) named: Option<Named>,
    pub(super) verbs: Arc<dyn DiscoveryService>,
    pub(super) socket: Option<SocketAddr>,
    /// Whether its searches are to end. They hold the receivers.
    pub(super) stop: watch::Sender<bool>,
}

impl Service {
    /// The event that says that it has a socket of its own.
    pub(super) fn opened(&self) -> Option<Event> {
        let source = self.verbs.name().into();
        self.socket.map(|socket| Event::Opened { source, socket: format!("udp://{socket}") })
    }

    fn closed(&self) -> Option<Event> {
        let source = self.verbs.name().into();
        self.socket.map(|socket| Event::Closed { source, socket: format!("udp://{socket}") })
    }
}

/// All services: those of the program, and at most one of each kind that the settings name.
#[derive(Default)]
pub(super) struct Services {
    pub(super) open: Vec<Service>,
    next: u32,
    /// The program was told that there is none.
    missed: bool,
}

impl Services {
    pub(super) const fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether there is none, and the program was not told so yet; now it is.
    pub(super) fn missed_first(&mut self) -> bool {
        self.is_empty() && !mem::replace(&mut self.missed, true)
    }

    /// Takes those out of the table that the settings name no more.
    pub(super) fn take_unless(&mut self, wanted: &[Named]) -> Vec<Service> {
        let goes = |service: &mut Service| {
            service.named.as_ref().is_some_and(|named| !wanted.contains(named))
        };
        self.open.extract_if(.., goes).collect()
    }

    /// Whether the table has what the settings name.
    pub(super) fn has(&self, named: &Named) -> bool {
        self.open.iter().any(|service| service.named.as_ref() == Some(named))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.open.iter().map(|service| service.verbs.name())
    }

    fn add(&mut self, opened: Opened) -> &Service {
        let Opened { named, verbs, socket } = opened;
        self.next += 1;
        self.missed = false;
        let (id, stop) = (ServiceId(self.next), watch::channel(false).0);
        self.open.push_mut(Service { id, named, verbs, socket, stop })
    }
}

impl Inner {
    /// Takes services into use: every subject is looked for with them from now on.
    pub(super) fn add_services(self: &Arc<Self>, opened: Vec<Opened>) {
        let mut core = self.core();
        for opened in opened {
            let service = core.services.add(opened);
            service.opened().into_iter().for_each(|event| self.emit(event));
        }
        self.begin_searches(&mut core);
    }

    /// Begins the searches that are missing: of each subject whose keys are known, with each service.
    pub(super) fn begin_searches(self: &Arc<Self>, core: &mut Core) {
        if self.is_paused() {
            return;
        }
        let Core { services, subjects, searches, .. } = core;
        for service in &services.open {
            for (key, watched) in subjects.enlist(service.id) {
                let number = searches.begin(key, service.verbs.name().into());
                let (verbs, stop) = (service.verbs.clone(), service.stop.subscribe());
                self.search(key, watched, verbs, stop, number);
            }
        }
    }

    /// Takes a service out of use: what was announced with it is taken back, then it is closed. Ready
    /// after `timeouts.close` and 6 s at most.
    pub(super) async fn close_service(&self, service: &Service) {
        self.stop_searches(&service.stop).await;
        let _ = timeout(CLOSING, service.verbs.close()).await;
        service.closed().into_iter().for_each(|event| self.emit(event));
        let mut core = self.core();
        let name = service.verbs.name();
        if !core.services.open.iter().any(|other| other.verbs.name() == name) {
            core.book.handle_source_stopped(name);
        }
    }

    /// Stops the searches of a service. Ready when their announcements are taken back, as far as that
    /// is possible within `timeouts.close`.
    pub(super) async fn stop_searches(&self, stop: &watch::Sender<bool>) {
        stop.send_replace(true);
        let limit = self.settings().timeouts.close + CLOSING;
        let _ = timeout(limit, stop.closed()).await;
    }

    /// Closes all services; nothing asks them any more.
    pub(super) async fn close_services(&self) {
        let services: Vec<_> =
            self.core().services.open.iter().map(|service| service.verbs.clone()).collect();
        let closing = async {
            for service in &services {
                service.close().await;
            }
        };
        let _ = timeout(CLOSING, closing).await;
    }
}

fn bittorrent(settings: &BitTorrent) -> BitTorrentSettings {
    let BitTorrent { bootstrap, port, address } = settings;
    let bootstrap = match bootstrap {
        Bootstrap::Public => PUBLIC_BOOTSTRAP.map(|(host, port)| (host.into(), port)).into(),
        Bootstrap::Hosts(list) => hosts(list),
    };
    BitTorrentSettings { bootstrap, address: *address, port: *port }
}

fn hosts(list: &[HostPort]) -> Vec<(String, u16)> {
    list.iter().map(|HostPort { host, port }| (host.clone(), *port)).collect()
}

fn seeds(list: &[Seed]) -> Vec<(TransportKind, String, u16)> {
    let parts = |Seed { transport, host: HostPort { host, port } }: &Seed| {
        (*transport, host.clone(), *port)
    };
    list.iter().map(parts).collect()
}
