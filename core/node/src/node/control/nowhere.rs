//! Where there are no Unix sockets.

use std::{convert::Infallible, io};

use p2pchan_proto::error::{Error, ErrorKind};
use tokio::io::DuplexStream;

/// There is none.
pub(in crate::node) struct Socket(Infallible);

impl Socket {
    /// # Errors
    /// [`ErrorKind::Settings`], always.
    pub(in crate::node) fn open(path: &str) -> Result<Self, Error> {
        let message = format!(
            "setting control = {path:?}: this system has no Unix sockets; leave the setting out"
        );
        Err(Error::new(ErrorKind::Settings, message))
    }

    pub(super) async fn accept(&self) -> io::Result<DuplexStream> {
        match self.0 {}
    }
}
