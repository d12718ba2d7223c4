//! From settings to a running node.

use std::{
    fmt, mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use p2pchan_proto::{
    address::Address,
    error::{Error, ErrorKind},
    id::PeerId,
    settings::{Changes, IdentitySource, Settings, Value},
};
use tokio::{
    runtime,
    sync::{Mutex, mpsc},
};

use super::{
    Handle, Node,
    control::Socket,
    inner::{Inner, Parts},
    layers::Layers,
    welcome::RefuseHook,
};
use crate::{
    discovery::{BoxFuture, DiscoveryService},
    identity::Identity,
    runtime::library_runtime,
    transport::TlsConfigs,
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

/// Remotes that may wait for the program: the largest `limits.waiting`, as that may change.
const MAX_WAITING: usize = 4096;

/// Gathers what a node is started with. Nothing is opened before [`start`](Self::start).
#[derive(Default)]
pub struct Builder {
    changes: Changes,
    file: Option<PathBuf>,
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

    /// Reads settings from a TOML file as well, for which see [`settings_from_toml`](crate::settings_from_toml); those that
    /// [`set`](Self::set) gives stand above it. [`Node::reload`] reads it again.
    #[must_use]
    pub fn settings_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
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
        self.refuse = Some(RefuseHook::Now(Box::new(hook)));
        self
    }

    /// As [`refuse`](Self::refuse), which it replaces, for a hook that takes its time: the newcomer
    /// waits for the answer. Who gets none within `timeouts.handshake` is refused. The future is polled
    /// on the node's runtime, and dropped when its answer does not matter any more.
    #[must_use]
    pub fn refuse_later(
        mut self,
        hook: impl Fn(Newcomer) -> BoxFuture<'static, bool> + Send + Sync + 'static,
    ) -> Self {
        self.refuse = Some(RefuseHook::Later(Arc::new(hook)));
        self
    }

    /// Checks all settings, those of the file included, and says how many threads a runtime for the
    /// node is to have (`runtime.threads`): for programs that make one. Nothing is opened.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] and [`ErrorKind::Io`] as [`start`](Self::start).
    pub fn runtime_threads(&self) -> Result<usize, Error> {
        let layers = Layers::new(self.file.clone(), self.changes.clone())?;
        let settings = layers.settings().map_err(|error| layers.blame_file(error))?;
        Ok(settings.runtime.threads)
    }

    /// Checks all settings, then opens what they name, and nothing else. Inside a tokio runtime the
    /// node runs there, else on one that the library keeps (`runtime.threads`).
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] naming the key and the value, and for a settings file its name and the
    /// line; [`ErrorKind::Io`] if something cannot be opened or a file not be read. Then nothing is
    /// left open.
    pub async fn start(mut self) -> Result<Node, Error> {
        let layers = Layers::new(self.file.take(), mem::take(&mut self.changes))?;
        let settings = layers.settings().map_err(|error| layers.blame_file(error))?;
        let runtime = match runtime::Handle::try_current() {
            Ok(runtime) => runtime,
            Err(_) => library_runtime(settings.runtime.threads)?,
        };
        let start = self.start_on(runtime.clone(), layers, settings);
        // On a runtime of its own, so that sockets are registered there whoever polls this.
        match runtime.spawn(start).await {
            Ok(result) => result,
            Err(error) => {
                let message = format!("starting the node failed: {error}");
                Err(Error::new(ErrorKind::Internal, message))
            }
        }
    }

    async fn start_on(
        self,
        runtime: runtime::Handle,
        layers: Layers,
        settings: Settings,
    ) -> Result<Node, Error> {
        let identity = identity(&settings.identity)?;
        let tls = TlsConfigs::new(&identity)?;
        let (incoming, remotes) = mpsc::channel(MAX_WAITING);
        let id = identity.id();
        // It lets nobody in before the node is open, and is gone if it cannot be.
        let control = settings.control.as_deref().map(Socket::open).transpose()?;
        let parts = Parts { id, settings, tls, refuse: self.refuse, incoming, runtime };
        let inner = Inner::new(parts)?;
        inner.open(layers, self.services).await?;
        inner.drive_plans();
        inner.watch_for_sleep();
        control.into_iter().for_each(|socket| inner.serve_control(socket));
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

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("changes", &self.changes).finish_non_exhaustive()
    }
}
