//! Discovery services that are written in Python, and what they and the hook for newcomers are asked.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use p2pchan::Newcomer;
use p2pchan_pump::{Answer, Asked, Verb, generation};
use pyo3::{prelude::*, types::PyBytes};

/// The verbs and their names in Python.
const VERBS: [(Verb, &str); 3] =
    [(Verb::Announce, "announce"), (Verb::LookUp, "look_up"), (Verb::Withdraw, "withdraw")];

pub(crate) fn verb(name: &str) -> Option<Verb> {
    VERBS.into_iter().find(|(_, own)| *own == name).map(|(verb, _)| verb)
}

/// The place of the service, the verb, the phrase (None for a raw topic), the key and the addresses.
pub(crate) fn particulars<'py>(py: Python<'py>, asked: &Asked) -> PyResult<Bound<'py, PyAny>> {
    let verb = VERBS.iter().find(|(verb, _)| *verb == asked.verb).map_or("", |(_, name)| name);
    let addresses: Vec<_> = asked.topic.listening().iter().map(ToString::to_string).collect();
    let key = PyBytes::new(py, &asked.find_key);
    let particulars = (asked.place, verb, asked.topic.subject(), key, addresses);
    Ok(particulars.into_pyobject(py)?.into_any())
}

/// Somebody who would get a remote and waits for the answer. One that is forgotten is refused.
#[pyclass(frozen, name = "NativeNewcomer", module = "p2pchan._native")]
pub(crate) struct NativeNewcomer {
    /// Of the process that it came to.
    generation: u64,
    newcomer: Newcomer,
    answer: Mutex<Option<Answer>>,
}

impl NativeNewcomer {
    fn take(&self) -> Option<Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn new(newcomer: Newcomer, answer: Answer) -> Self {
        Self { generation: generation(), newcomer, answer: Mutex::new(Some(answer)) }
    }
}

#[pymethods]
impl NativeNewcomer {
    #[getter]
    fn peer(&self) -> String {
        self.newcomer.peer.to_string()
    }

    #[getter]
    fn address(&self) -> String {
        self.newcomer.address.to_string()
    }

    #[getter]
    fn subject(&self) -> &str {
        &self.newcomer.subject
    }

    /// Lets it in, or refuses it.
    fn answer(&self, refused: bool) {
        if self.generation == generation() {
            self.take().into_iter().for_each(|answer| answer.give(refused));
        }
    }
}

impl Drop for NativeNewcomer {
    /// In a child of a fork nobody is answered, not even by dropping.
    fn drop(&mut self) {
        if self.generation != generation() {
            mem::forget(self.take());
        }
    }
}
