//! A remote: sending and taking messages, never waiting.

use std::{mem, sync::Arc};

use p2pchan::{Batch, ErrorKind};
use p2pchan_pump::{Channel, Taken, forked_error};
use pyo3::{
    prelude::*,
    types::{PyList, PySequence},
};

use crate::{
    error::{object, raise},
    node::Shared,
    value::{Outgoing, from_message},
};

/// Messages from this length on are sent with the GIL released: copying one takes longer than that.
const LONG: usize = 64 * 1024;

/// A remote without an event loop; `p2pchan.Remote` is made of it.
#[pyclass(frozen, name = "NativeRemote", module = "p2pchan._native")]
pub(crate) struct NativeRemote {
    channel: Arc<Channel<()>>,
    node: Arc<Shared>,
}

impl NativeRemote {
    pub(crate) const fn new(channel: Arc<Channel<()>>, node: Arc<Shared>) -> Self {
        Self { channel, node }
    }

    fn live(&self, py: Python<'_>) -> PyResult<&Channel<()>> {
        if self.node.is_own() { Ok(&self.channel) } else { Err(raise(py, &forked_error())) }
    }

    fn send(&self, py: Python<'_>, message: &Outgoing<'_>) -> PyResult<bool> {
        let sender = &self.channel.entry.sender;
        let sent = if message.len() < LONG {
            sender.try_send(message)
        } else {
            py.detach(|| sender.try_send(message))
        };
        match sent {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(raise(py, &error)),
        }
    }

    /// Messages as Python has them. One that is none comes after those before it, alone, as an error.
    fn convert<'py>(&self, py: Python<'py>, mut messages: Batch) -> PyResult<Bound<'py, PyList>> {
        let values = PyList::empty(py);
        let Err(error) = append(py, &values, &messages) else { return Ok(values) };
        let good = values.len();
        messages.advance(good.max(1));
        self.channel.put_back(messages);
        if good == 0 { Err(error) } else { Ok(values) }
    }
}

/// Appends them to the list, until one is none.
fn append(py: Python<'_>, values: &Bound<'_, PyList>, messages: &Batch) -> PyResult<()> {
    messages.lent().try_for_each(|(kind, payload)| values.append(from_message(py, kind, payload)?))
}

#[pymethods]
impl NativeRemote {
    /// Its number, which no other remote of the process ever has.
    #[getter]
    fn id(&self) -> u64 {
        self.channel.id.0
    }

    #[getter]
    fn peer(&self) -> String {
        self.channel.entry.sender.peer().to_string()
    }

    #[getter]
    fn subject(&self) -> &str {
        self.channel.entry.sender.subject()
    }

    #[getter]
    fn address(&self) -> String {
        self.channel.entry.sender.address().to_string()
    }

    #[getter]
    fn transport(&self) -> String {
        self.channel.entry.sender.address().transport.to_string()
    }

    #[getter]
    fn relayed(&self) -> bool {
        self.channel.entry.sender.relayed()
    }

    /// In seconds.
    #[getter]
    fn rtt(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        Ok(self.live(py)?.entry.sender.rtt().map(|rtt| rtt.as_secs_f64()))
    }

    /// Whether its end has been told.
    #[getter]
    fn ended(&self) -> bool {
        self.channel.ended().is_some()
    }

    /// Why it ended, as an exception; None while it is open, and after a clean end.
    #[getter]
    fn reason<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let error = self.live(py)?.ended().and_then(Result::err);
        error.map(|error| object(py, &error)).transpose()
    }

    /// Lets one batch come, or the end, though nobody takes messages now.
    fn watch(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py)?.watch();
        Ok(())
    }

    /// Sends a message; false if there is no room.
    fn try_send(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.live(py)?;
        self.send(py, &Outgoing::new(message)?)
    }

    /// Sends messages from this place of a sequence on, while there is room; the place of the first
    /// that was not sent.
    fn try_send_many(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PySequence>,
        from_: usize,
    ) -> PyResult<usize> {
        self.live(py)?;
        let count = messages.len()?;
        for place in from_..count {
            if !self.send(py, &Outgoing::new(&messages.get_item(place)?)?)? {
                return Ok(place);
            }
        }
        Ok(count)
    }

    /// Messages that are here, so many at most; an empty list after the end, None if there are none
    /// yet: then an event says when.
    fn recv_many<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Option<Bound<'py, PyList>>> {
        let mut messages = Batch::default();
        // Objects are made when the lock is free: making one may run any code of the program.
        let taken = self.live(py)?.take(|here| {
            messages = here.split(most);
            false
        });
        match taken {
            Taken::Messages => self.convert(py, messages).map(Some),
            Taken::Nothing => Ok(None),
            Taken::Ended(Ok(())) => Ok(Some(PyList::empty(py))),
            Taken::Ended(Err(error)) => Err(raise(py, &error)),
        }
    }

    /// Asks for an event once there is room.
    fn await_room(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py)?;
        self.node.hub().await_room(self.channel.id, self.channel.entry.clone());
        Ok(())
    }

    /// Says that no more messages follow.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py)?.entry.sender.finish();
        Ok(())
    }

    /// Ends it, and tells the peer that not everything was read.
    fn leave_unread(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py)?.entry.sender.leave_unread();
        Ok(())
    }

    /// As `finish`; what the peer still sends is thrown away.
    fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py)?.abandon();
        Ok(())
    }

    /// Ends it at once, and tells the peer that it is not wanted.
    fn refuse(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py)?.entry.sender.refuse();
        self.channel.abandon();
        Ok(())
    }

    /// Raises why it ended if that was not a clean end.
    fn check_end(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py)?;
        let reason = self.channel.entry.sender.reason();
        match reason.and_then(p2pchan::Reason::to_error) {
            Some(error) => Err(raise(py, &error)),
            None => Ok(()),
        }
    }
}

impl Drop for NativeRemote {
    /// Nobody can read it any more. In a child of a fork nothing is touched, not even by dropping.
    fn drop(&mut self) {
        if self.node.is_own() {
            self.channel.abandon();
        } else {
            mem::forget((self.channel.clone(), self.node.clone()));
        }
    }
}
