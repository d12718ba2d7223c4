//! Answers questions about the node through a Unix socket: the setting `control`.
//!
//! A connection carries one request, a line of JSON, and one answer, a line of JSON; `docs/control.md`
//! has both. `request` knows what is asked and answered; `socket` makes the file and takes it away;
//! here the two meet, and nobody can hold up the node: at most 8 connections at once, and each has 5 s to
//! ask and 5 s to take its answer.

mod request;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
#[path = "nowhere.rs"]
mod socket;

use std::{io, sync::Arc, time::Duration};

use p2pchan_proto::error::{Error, ErrorKind};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::Semaphore,
    time::{sleep, timeout},
};

use self::request::Request;
pub(super) use self::socket::Socket;
use super::{inner::Inner, layers::Change};
use crate::event::Event;

/// Connections at once; others wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 8;
/// Bytes of a request with its newline.
const LONGEST_REQUEST: u64 = 64 * 1024;
/// What asking may take, and taking the answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long accepting rests when the operating system has no descriptors left.
const REST: Duration = Duration::from_millis(100);

impl Inner {
    /// The event that says that there is a socket.
    pub(super) fn control_opened(&self) -> Option<Event> {
        let path = self.settings().control.clone()?;
        Some(Event::Opened { source: "control".into(), socket: format!("unix://{path}") })
    }

    /// Answers until the node closes; then the socket is gone.
    pub(super) fn serve_control(self: &Arc<Self>, socket: Socket) {
        self.control_opened().into_iter().for_each(|event| self.emit(event));
        let inner = self.clone();
        self.spawn_until_closing(async move {
            let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
            while let Ok(place) = places.clone().acquire_owned().await {
                match socket.accept().await {
                    Ok(stream) => {
                        let asked = inner.clone();
                        inner.spawn_until_closing(async move {
                            asked.attend_to(stream).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(target: "p2pchan", %error, "accepting at control failed");
                        sleep(REST).await;
                    }
                }
            }
        });
    }

    /// One request and its answer.
    async fn attend_to(self: &Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut stream = BufReader::new(stream);
        let line = match timeout(DEADLINE, read_line(&mut stream)).await {
            Ok(Ok(line)) => line,
            // Whoever asked has gone, or only looked whether somebody is here.
            Ok(Err(_)) => return,
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                format!("no whole line of request came within {DEADLINE:?}; send it at once"),
            )),
        };
        let answer = match line.and_then(|line| Request::read(&line)) {
            Ok(request) => self.carry_out(request).await,
            Err(error) => Err(error),
        };
        let text = request::answer(answer);
        // Whoever is slow or has gone does not want it.
        let _ = timeout(DEADLINE, async {
            stream.write_all(&text).await?;
            stream.shutdown().await
        })
        .await;
    }

    async fn carry_out(self: &Arc<Self>, request: Request) -> Result<serde_json::Value, Error> {
        match request {
            Request::Status => request::document(&self.status()),
            Request::Explain { target } => request::document(&self.explain(&target.parse()?)),
            Request::Reload => self.update(Change::Reload).await.map(|()| serde_json::Value::Null),
        }
    }
}

/// The request without its newline; the inner error is the asker's to hear.
async fn read_line(
    stream: &mut (impl AsyncBufReadExt + Unpin),
) -> io::Result<Result<Vec<u8>, Error>> {
    let mut line = Vec::new();
    if stream.take(LONGEST_REQUEST).read_until(b'\n', &mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.pop_if(|last| *last == b'\n').is_none() && line.len() as u64 == LONGEST_REQUEST {
        let message = format!("a request has at most {LONGEST_REQUEST} bytes; send a shorter one");
        return Ok(Err(Error::new(ErrorKind::TooBig, message)));
    }
    Ok(Ok(line))
}
