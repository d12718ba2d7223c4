//! A node: from its settings to its end.

use std::{mem, os::fd::AsRawFd, sync::Arc};

use p2pchan::{Address, Error, ErrorKind, Node, Remote, Target, settings_from_json};
use p2pchan_pump::{Items, PolledNode, Told, Turn};
use pyo3::{
    intern,
    prelude::*,
    types::{PyDict, PyList},
};

use crate::{
    error::{object, raise},
    log::pending,
    remote::NativeRemote,
    service::{NativeNewcomer, particulars, verb},
    stream::NativeStream,
    value::{as_dict, to_json},
};

/// Called in every child of a fork.
#[pyfunction]
pub(crate) fn forked() {
    p2pchan_pump::forked();
}

/// What a node and its remotes share.
pub(crate) type Shared = PolledNode<()>;

/// A node without an event loop; `p2pchan.Node` is made of it.
#[pyclass(frozen, name = "NativeNode", module = "p2pchan._native")]
pub(crate) struct NativeNode(Arc<Shared>);

fn changes(settings: &Bound<'_, PyDict>) -> PyResult<p2pchan::Changes> {
    let json = to_json(settings.as_any(), "settings")?;
    let parsed = serde_json::from_slice(&json)
        .map_err(|error| Error::new(ErrorKind::Settings, format!("settings: {error}")));
    let changes = parsed.and_then(|json: serde_json::Value| settings_from_json(&json));
    changes.map_err(|error| raise(settings.py(), &error))
}

impl NativeNode {
    fn request(
        &self,
        answer: impl Future<Output = Result<Option<Remote>, Error>> + Send + 'static,
    ) -> Result<u64, Error> {
        self.0.request(answer).map(|(number, _)| number)
    }

    fn told<'py>(&self, py: Python<'py>, told: Told<()>) -> PyResult<Bound<'py, PyAny>> {
        let nothing = py.None();
        let event = match told {
            Told::Remote(channel) => (
                REMOTE,
                Py::new(py, NativeRemote::new(channel, self.0.clone()))?.into_any(),
                nothing,
            ),
            Told::Readable(channel) => (READABLE, number(py, channel.id.0)?, nothing),
            Told::Writable(channel) => (WRITABLE, number(py, channel.id.0)?, nothing),
            Told::Ended(channel) => (ENDED, number(py, channel.id.0)?, nothing),
            Told::Result(request, Ok(remote)) => {
                let remote = remote.map(|id| number(py, id.0)).transpose()?;
                (RESULT, number(py, request)?, remote.unwrap_or(nothing))
            }
            Told::Newcomer(newcomer, answer) => {
                let newcomer = Py::new(py, NativeNewcomer::new(newcomer, answer))?;
                (NEWCOMER, newcomer.into_any(), nothing)
            }
            Told::Asked(asked) => {
                (ASKED, number(py, asked.request)?, particulars(py, &asked)?.unbind())
            }
            Told::Cancelled(request) => (CANCELLED, number(py, request)?, nothing),
            Told::Result(request, Err(error)) => {
                (FAILED, number(py, request)?, object(py, &error)?.unbind())
            }
        };
        Ok(event.into_pyobject(py)?.into_any())
    }
}

fn number(py: Python<'_>, number: u64) -> PyResult<Py<PyAny>> {
    Ok(number.into_pyobject(py)?.into_any().unbind())
}

// What the first member of an event says, and what the others are.
/// A remote has opened: the remote.
const REMOTE: u8 = 0;
/// Messages are here: the number of the remote.
const READABLE: u8 = 1;
/// There is room again: the number of the remote.
const WRITABLE: u8 = 2;
/// A remote has ended: its number.
const ENDED: u8 = 3;
/// A request was answered: its number, and the number of the remote that was asked for.
const RESULT: u8 = 4;
/// A request failed: its number and an exception.
const FAILED: u8 = 5;
/// Somebody would get a remote: the newcomer.
const NEWCOMER: u8 = 6;
/// A discovery service is asked: the number of the request, and its particulars.
const ASKED: u8 = 7;
/// Nobody waits for the answer of a discovery service any more: the number of the request.
const CANCELLED: u8 = 8;
/// There are lines of the log.
const LOGGED: u8 = 9;

#[pymethods]
impl NativeNode {
    /// Checks the settings; opens nothing. Of newcomers it is told if that is asked for.
    #[new]
    fn new(
        settings: &Bound<'_, PyDict>,
        settings_file: Option<std::path::PathBuf>,
        newcomers: bool,
    ) -> PyResult<Self> {
        let py = settings.py();
        let node = PolledNode::new(changes(settings)?, settings_file, newcomers);
        node.map(|node| Self(Arc::new(node))).map_err(|error| raise(py, &error))
    }

    /// A descriptor that is readable while `dispatch` would find something to do.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        let bell = self.0.live().and_then(|shared| {
            shared.hub().pump().bell(AsRawFd::as_raw_fd).map_err(|error| {
                Error::new(ErrorKind::Io, format!("no descriptor for events: {error}"))
            })
        });
        bell.map_err(|error| raise(py, &error))
    }

    /// Does what there is to do at this moment, and adds what has happened to a deque: whether the node
    /// goes on.
    fn dispatch(&self, py: Python<'_>, happened: &Bound<'_, PyAny>) -> PyResult<bool> {
        let shared = self.0.live().map_err(|error| raise(py, &error))?;
        let (turn, happening) = shared.turn();
        let told = PyList::empty(py);
        for event in happening {
            told.append(self.told(py, event)?)?;
        }
        if pending() {
            told.append((LOGGED, 0, py.None()))?;
        }
        happened.call_method1(intern!(py, "extend"), (told,))?;
        Ok(turn != Turn::Ended)
    }

    /// Makes the descriptor readable once.
    fn wake(&self, py: Python<'_>) -> PyResult<()> {
        let shared = self.0.live().map_err(|error| raise(py, &error))?;
        shared.hub().pump().wake();
        Ok(())
    }

    /// Begins to open what the settings name; a request.
    fn start(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.start().map_err(|error| raise(py, &error))
    }

    /// Begins to end the node; `dispatch` says when it has.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.0.stop().map_err(|error| raise(py, &error))
    }

    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<String> {
        self.0.running().map(|node| node.id().to_string()).map_err(|error| raise(py, &error))
    }

    #[getter]
    fn addresses(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let addresses = self.0.running().map(Node::addresses).map_err(|error| raise(py, &error))?;
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    /// The setting `limits.waiting`.
    fn most_waiting(&self, py: Python<'_>) -> PyResult<u32> {
        self.0.most_waiting().map_err(|error| raise(py, &error))
    }

    /// Discovers a subject; a request that ends when the announcement stands.
    fn discover(&self, py: Python<'_>, subject: &str, secret: Option<&str>) -> PyResult<u64> {
        let discovery = self.0.running().and_then(|node| match secret {
            None => node.discover(subject),
            Some(secret) => node.discover_with_secret(subject, secret),
        });
        discovery.and_then(|it| self.0.flushed(it)).map_err(|error| raise(py, &error))
    }

    fn discover_topic(&self, py: Python<'_>, topic: [u8; 32]) -> PyResult<u64> {
        let discovery = self.0.running().and_then(|node| node.discover_topic(topic));
        discovery.and_then(|it| self.0.flushed(it)).map_err(|error| raise(py, &error))
    }

    fn stop_discover(&self, py: Python<'_>, subject: &str) -> PyResult<()> {
        let stopped = self.0.running().and_then(|node| node.stop_discover(subject));
        stopped.map_err(|error| raise(py, &error))
    }

    fn stop_discover_topic(&self, py: Python<'_>, topic: [u8; 32]) -> PyResult<()> {
        let node = self.0.running().map_err(|error| raise(py, &error))?;
        node.stop_discover_topic(topic);
        Ok(())
    }

    /// Dials an address; a request.
    fn connect(&self, py: Python<'_>, address: &str) -> PyResult<u64> {
        let node = self.0.running().cloned();
        let request = node.and_then(|node| {
            let address: Address = address.parse()?;
            self.request(async move { node.connect(address).await.map(Some) })
        });
        request.map_err(|error| raise(py, &error))
    }

    /// Changes settings; a request.
    fn update(&self, py: Python<'_>, settings: &Bound<'_, PyDict>) -> PyResult<u64> {
        let changes = changes(settings)?;
        let node = self.0.running().cloned();
        let request = node.and_then(|node| {
            self.request(async move { node.update(changes).await.map(|()| None) })
        });
        request.map_err(|error| raise(py, &error))
    }

    /// Reads the settings file again; a request.
    fn reload(&self, py: Python<'_>) -> PyResult<u64> {
        let node = self.0.running().cloned();
        let request =
            node.and_then(|node| self.request(async move { node.reload().await.map(|()| None) }));
        request.map_err(|error| raise(py, &error))
    }

    /// Adds a discovery service with these verbs; its place among them.
    fn add_discovery_service(
        &self,
        py: Python<'_>,
        name: String,
        verbs: Vec<String>,
    ) -> PyResult<usize> {
        let verbs = verbs.into_iter().filter_map(|name| verb(&name)).collect();
        self.0.add_service(name, verbs).map_err(|error| raise(py, &error))
    }

    /// A discovery service has found an address.
    fn discovery_found(&self, py: Python<'_>, request: u64, address: &str) -> PyResult<()> {
        let found = address
            .parse()
            .and_then(|address| self.0.live()?.hub().discovery_found(request, address));
        found.map_err(|error| raise(py, &error))
    }

    /// A discovery service answers a request: with the code and the message of an error, or none.
    fn discovery_done(
        &self,
        py: Python<'_>,
        request: u64,
        error: Option<(String, String)>,
    ) -> PyResult<()> {
        self.0.discovery_done(request, error).map_err(|error| raise(py, &error))
    }

    /// What is open, and then what happens.
    fn events(&self, py: Python<'_>) -> PyResult<NativeStream> {
        let node = self.0.running().map_err(|error| raise(py, &error))?;
        Ok(NativeStream::new(self.0.clone(), Items::events(node.events())))
    }

    /// The counters that change.
    fn stats(&self, py: Python<'_>) -> PyResult<NativeStream> {
        let node = self.0.running().map_err(|error| raise(py, &error))?;
        Ok(NativeStream::new(self.0.clone(), Items::stats(node.stats())))
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let node = self.0.running().map_err(|error| raise(py, &error))?;
        let status = py.detach(|| serde_json::json!(node.status()));
        as_dict(py, &status)
    }

    fn explain<'py>(&self, py: Python<'py>, target: &str) -> PyResult<Bound<'py, PyAny>> {
        let node = self.0.running().map_err(|error| raise(py, &error))?;
        let target: Target = target.parse().map_err(|error| raise(py, &error))?;
        let explanation = py.detach(|| serde_json::json!(node.explain(target)));
        as_dict(py, &explanation)
    }
}

impl Drop for NativeNode {
    /// Ends it without waiting. In a child of a fork nothing is touched, not even by dropping.
    fn drop(&mut self) {
        if self.0.is_own() {
            self.0.abandon();
        } else {
            mem::forget(self.0.clone());
        }
    }
}
