//! Waking the event loop from any thread: by a byte in a socket that it reads.
//!
//! A threadsafe function of Node-API would do as well, but it wakes the event loop while it holds a lock that the
//! event loop then wants: on one core that costs two switches of threads each time.

use std::{
    io::{self, Write},
    os::{
        fd::{IntoRawFd, RawFd},
        unix::net::UnixStream,
    },
    sync::Arc,
    task::Wake,
};

/// Makes the descriptor of an event loop readable, which learns of the end when this is dropped.
pub(crate) struct EventLoop(UnixStream);

impl EventLoop {
    /// The descriptor is for whoever reads it, and closes it.
    pub(crate) fn new() -> io::Result<(Self, RawFd)> {
        let (writer, reader) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        Ok((Self(writer), reader.into_raw_fd()))
    }
}

impl Wake for EventLoop {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A pump wakes once until it is turned, so there is room. Once the environment is gone nobody reads it.
        let _ = (&self.0).write(&[1]);
    }
}
