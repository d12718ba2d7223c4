//! From settings to a running node.

use std::{fmt, path::Path, sync::Arc};

use p2pchan_proto::{
    address::{Address, TransportKind},
    error::{Error, ErrorKind},
    id::PeerId,
    settings::{Bootstrap, Changes, HostPort, IdentitySource, Seed, Settings, Value},
};
use tokio::{
    net::TcpListener,
    runtime,
    sync::{Mutex, mpsc},
};

use super::{Handle, Node, inner::Inner};
use crate::{
    discovery::{BitTorrentDht, BitTorrentSettings, DiscoveryService, PUBLIC_BOOTSTRAP, Seeds},
    event::Event,
    identity::Identity,
    runtime::library_runtime,
    transport::{TlsConfigs, tcp},
};

/// Somebody who has proved a subject and would get a remote.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Newcomer {
    /// Who.
    pub peer: PeerId,
    /// For which subject.
    pub subject: Arc<str>,
    /// The address that was dialled, or the one that the peer dialled from.
    pub address: Address,
}

pub(super) type RefuseHook = Arc<dyn Fn(&Newcomer) -> bool + Send + Sync>;

/// Gathers what a node is started with. Nothing is opened before [`start`](Self::start).
#[derive(Default)]
pub struct Builder {
    changes: Changes,
    services: Vec<Arc<dyn DiscoveryService>>,
    refuse: Option<RefuseHook>,
}

impl Builder {
    /// Sets a key of the settings table (`docs/settings.md`), such as `listen`.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.changes.set(key, value);
        self
    }

    /// Sets many keys.
    #[must_use]
    pub fn settings(mut self, changes: Changes) -> Self {
        self.changes.extend(changes);
        self
    }

    /// Adds a discovery service of the program's own.
    #[must_use]
    pub fn discovery(mut self, service: impl DiscoveryService) -> Self {
        self.services.push(Arc::new(service));
        self
    }

    /// Asks this hook about everybody who would get a remote; `true` refuses. It is called on the
    /// node's runtime and must not block.
    #[must_use]
    pub fn refuse(mut self, hook: impl Fn(&Newcomer) -> bool + Send + Sync + 'static) -> Self {
        self.refuse = Some(Arc::new(hook));
        self
    }

    /// Checks all settings, then opens what they name, and nothing else. Inside a tokio runtime the
    /// node runs there, else on one that the library keeps (`runtime.threads`).
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] naming the key and the value,
    /// [`ErrorKind::Io`] if an address cannot be listened on or a file not be
    /// read. Then nothing is left open.
    pub async fn start(self) -> Result<Node, Error> {
        let settings = Settings::default().with(&self.changes)?;
        let runtime = match runtime::Handle::try_current() {
            Ok(runtime) => runtime,
            Err(_) => library_runtime(settings.runtime.threads)?,
        };
        let start = self.start_on(runtime.clone(), settings);
        // On a runtime of its own, so that sockets are registered there whoever polls this.
        match runtime.spawn(start).await {
            Ok(result) => result,
            Err(error) => {
                let message = format!("starting the node failed: {error}");
                Err(Error::new(ErrorKind::Internal, message))
            }
        }
    }

    async fn start_on(self, runtime: runtime::Handle, settings: Settings) -> Result<Node, Error> {
        let identity = identity(&settings.identity)?;
        let tls = TlsConfigs::new(&identity)?;
        let listeners = listeners(&settings)?;
        let mut listening = Vec::new();
        for listener in &listeners {
            let socket = listener
                .local_addr()
                .map_err(|error| Error::new(ErrorKind::Io, error.to_string()))?;
            listening.push(Address::tcp(socket));
        }
        let mut services = self.services;
        let mut opened: Vec<_> =
            listening.iter().map(|address| Event::Listening { address: *address }).collect();
        if !settings.discovery.seeds.is_empty() {
            services.push(Arc::new(Seeds::new(seeds(&settings.discovery.seeds))));
        }
        if let Some(bittorrent) = settings.discovery.bittorrent.settings() {
            let bootstrap = match bittorrent.bootstrap {
                Bootstrap::Public => {
                    PUBLIC_BOOTSTRAP.map(|(host, port)| (host.into(), port)).into()
                }
                Bootstrap::Hosts(list) => hosts(&list),
            };
            let (address, port) = (bittorrent.address, bittorrent.port);
            let settings = BitTorrentSettings { bootstrap, address, port };
            let service = BitTorrentDht::open(settings).await?;
            let socket = format!("udp://{}", service.local_address());
            opened.push(Event::Opened { source: service.name().into(), socket });
            services.push(Arc::new(service));
        }
        let (incoming, remotes) = mpsc::channel(settings.limits.waiting);
        let parts = super::inner::Parts {
            id: identity.id(),
            settings,
            tls,
            listening: listening.into(),
            services,
            refuse: self.refuse,
            incoming,
            runtime,
            opened,
        };
        let inner = Inner::new(parts)?;
        for listener in listeners {
            inner.accept(listener);
        }
        inner.drive_plans();
        Ok(Node { handle: Arc::new(Handle { inner, incoming: Mutex::new(remotes) }) })
    }
}

fn identity(source: &IdentitySource) -> Result<Identity, Error> {
    match source {
        IdentitySource::Fresh => Identity::fresh(),
        IdentitySource::Seed(seed) => Identity::from_seed(seed),
        IdentitySource::File(path) => Identity::from_file(Path::new(path)),
    }
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

fn listeners(settings: &Settings) -> Result<Vec<TcpListener>, Error> {
    if !settings.transports.tcp {
        let message = "setting transports = quic: this version dials by TCP only; add tcp";
        return Err(Error::new(ErrorKind::Settings, message));
    }
    if let Some(quic) = settings.listen.iter().find(|it| it.transport == TransportKind::Quic) {
        let message =
            format!("setting listen = {quic}: this version listens at TCP only; write tcp://");
        return Err(Error::new(ErrorKind::Settings, message));
    }
    settings.listen.iter().map(tcp::listen).collect()
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("changes", &self.changes).finish_non_exhaustive()
    }
}
