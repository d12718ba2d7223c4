//! One receiver: offers, sends what it lacks, and waits until it confirms that it has everything.
//!
//! Two things go on at once. `listen` hears what the receiver says; `offer` sends. They share how far
//! the sending has come, so that nothing counts as confirmed before it was sent.

use std::{
    future::pending,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use p2pchan::{ErrorKind, Remote, Sender};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    pipe::{Next, Pipe},
    sources::{self, Piece, Source},
};
use crate::{
    status::{Level, Status},
    transfer::{self, Bar, Control, File, Have, Received, Summary, receive},
};

/// How often files may change while they are offered and sent, before this gives up.
const CHANGES: usize = 5;

/// What is sent.
#[derive(Clone, Debug)]
pub(super) enum Goods {
    Files(Arc<[PathBuf]>),
    Pipe(Arc<Pipe>),
}

/// How the service of one receiver ends without success.
#[derive(Debug)]
pub(super) enum End {
    /// The connection is gone; the receiver may come again.
    Lost(String),
    /// One side cannot go on.
    Failed(String),
}

/// Serves a receiver to the end.
pub(super) async fn serve(mut remote: Remote, goods: &Goods, status: &Status) -> Result<(), End> {
    let (takes, taken) = mpsc::channel(1);
    let service = Service {
        peer: remote.peer().short(),
        sender: remote.sender(),
        goods,
        status,
        ended: AtomicUsize::new(0),
    };
    let offering = service.offer(taken);
    let served = tokio::try_join!(offering, service.listen(&mut remote, takes));
    match served {
        Ok((summary, ())) => {
            service.tell_sent(&summary);
            // The receiver goes when it sees the end. It has everything, so an error changes nothing.
            let _ = remote.end().await;
            Ok(())
        }
        Err(Stop::Lost(why)) => Err(End::Lost(why)),
        Err(Stop::There(why)) => Err(End::Failed(why)),
        Err(Stop::Here(why)) => {
            transfer::fail(remote, &why).await;
            Err(End::Failed(why))
        }
    }
}

enum Stop {
    Lost(String),
    /// The receiver has said so.
    There(String),
    /// The receiver has to be told.
    Here(String),
}

struct Service<'a> {
    peer: String,
    sender: Sender,
    goods: &'a Goods,
    status: &'a Status,
    /// Files of the last offer that were sent to the end.
    ended: AtomicUsize,
}

impl Service<'_> {
    /// Hears what the receiver says, until it has confirmed all files.
    async fn listen(
        &self,
        remote: &mut Remote,
        takes: mpsc::Sender<Vec<Have>>,
    ) -> Result<(), Stop> {
        let mut done = Vec::new();
        loop {
            let message = match remote.recv().await {
                Ok(Some(message)) => message,
                Ok(None) => return Err(Stop::Lost("it went away".into())),
                Err(error) => return Err(Stop::Lost(error.to_string())),
            };
            match receive(message).map_err(|why| broken(&why))? {
                Received::Control(Control::Take { files }) => {
                    // What was confirmed of an earlier offer has come before this.
                    done = vec![false; files.len()];
                    self.ended.store(0, Ordering::Relaxed);
                    takes.try_send(files).map_err(|_| broken("it took twice"))?;
                }
                Received::Control(Control::Done { file })
                    if file < self.ended.load(Ordering::Relaxed) && file < done.len() =>
                {
                    done[file] = true;
                    if done.iter().all(|done| *done) {
                        return Ok(());
                    }
                }
                Received::Control(Control::Got { bytes }) if let Goods::Pipe(pipe) = self.goods => {
                    pipe.confirm(bytes).map_err(|why| broken(&why))?;
                }
                Received::Control(Control::Fail { text }) => {
                    return Err(Stop::There(format!("the receiver says: {text}")));
                }
                Received::Control(_) | Received::Contents(_) => {
                    return Err(broken("a message out of turn"));
                }
            }
        }
    }

    /// Offers and sends, anew when a file has changed meanwhile.
    async fn offer(&self, mut taken: mpsc::Receiver<Vec<Have>>) -> Result<Summary, Stop> {
        let mut summary = Summary::begin();
        for _ in 0..=CHANGES {
            let sources = self.look()?;
            let files = self.files(&sources);
            let bar = Bar::new(transfer::total(&files), self.status);
            self.tell_offer(&files);
            self.send(&Control::Offer { files: files.clone() }).await?;
            let Some(haves) = taken.recv().await else { return pending().await };
            if summary.bytes() == 0 {
                // The time that a person took to say yes does not count.
                summary = Summary::begin();
            }
            if haves.len() != files.len() {
                return Err(broken(&format!("it takes {} of {} files", haves.len(), files.len())));
            }
            if self.send_all(&sources, &haves, &bar, &mut summary).await? {
                return Ok(summary);
            }
        }
        Err(Stop::Here("the files change again and again; send a copy of them".into()))
    }

    fn look(&self) -> Result<Vec<Source>, Stop> {
        match self.goods {
            Goods::Files(paths) => sources::look(paths).map_err(Stop::Here),
            Goods::Pipe(_) => Ok(Vec::new()),
        }
    }

    fn files(&self, sources: &[Source]) -> Vec<File> {
        match self.goods {
            Goods::Files(_) => sources.iter().map(|source| source.file.clone()).collect(),
            Goods::Pipe(_) => vec![File::pipe()],
        }
    }

    /// False if a file has changed meanwhile.
    async fn send_all(
        &self,
        sources: &[Source],
        haves: &[Have],
        bar: &Bar,
        summary: &mut Summary,
    ) -> Result<bool, Stop> {
        if let (Goods::Pipe(pipe), [have]) = (self.goods, haves) {
            self.send_pipe(pipe, *have, bar, summary).await?;
            return Ok(true);
        }
        let mut before = 0;
        for (number, (source, have)) in sources.iter().zip(haves).enumerate() {
            bar.name(&source.file.name);
            bar.jump(before);
            if !self.send_file(number, source, *have, (bar, before), summary).await? {
                self.tell_anew(&source.file.name, "has changed while it was sent");
                return Ok(false);
            }
            before += source.file.size.unwrap_or(0);
            self.ended.store(number + 1, Ordering::Relaxed);
        }
        Ok(true)
    }

    async fn send_file(
        &self,
        number: usize,
        source: &Source,
        have: Have,
        (bar, before): (&Bar, u64),
        summary: &mut Summary,
    ) -> Result<bool, Stop> {
        let mut pieces = source.read(have);
        let mut bytes = 0;
        while let Some(piece) = pieces.recv().await {
            match piece.map_err(Stop::Here)? {
                Piece::From(from) => {
                    self.send(&Control::File { file: number, from }).await?;
                    self.tell_sending(&source.file, from, have);
                    bar.jump(before.saturating_add(from));
                    bytes = from;
                }
                Piece::Contents(contents) => {
                    let count = length(&contents);
                    self.send_contents(contents).await?;
                    bar.moved(count);
                    summary.moved(count);
                    bytes += count;
                }
                Piece::End(hash) => {
                    self.send(&Control::End { file: number, bytes, hash }).await?;
                    return Ok(true);
                }
                Piece::Changed => return Ok(false),
            }
        }
        Err(Stop::Here(format!("{:?} was not read to its end", source.file.name)))
    }

    async fn send_pipe(
        &self,
        pipe: &Pipe,
        have: Have,
        bar: &Bar,
        summary: &mut Summary,
    ) -> Result<(), Stop> {
        // What was read from a pipe is gone, save the last few megabytes.
        let mut from = match (pipe.goes_on(have), pipe.goes_on(Have::default())) {
            (true, _) => have.bytes,
            (false, true) => 0,
            (false, false) => {
                return Err(Stop::Here(
                    "standard input cannot be read again from where the receiver has stopped; \
                     start both sides again"
                        .into(),
                ));
            }
        };
        self.send(&Control::File { file: 0, from }).await?;
        self.tell_sending(&File::pipe(), from, have);
        bar.name("standard input");
        bar.jump(from);
        loop {
            match pipe.next(from).await.map_err(Stop::Here)? {
                Next::Contents(contents) => {
                    let count = length(&contents);
                    self.send_contents(contents).await?;
                    bar.moved(count);
                    summary.moved(count);
                    from += count;
                }
                Next::End(bytes, hash) => {
                    self.ended.store(1, Ordering::Relaxed);
                    return self.send(&Control::End { file: 0, bytes, hash }).await;
                }
            }
        }
    }

    async fn send(&self, control: &Control) -> Result<(), Stop> {
        self.sent(control.send(&self.sender).await).await
    }

    async fn send_contents(&self, contents: Vec<u8>) -> Result<(), Stop> {
        self.sent(self.sender.send(contents).await).await
    }

    /// When the remote has ended, who listens knows more: the receiver may have said why.
    async fn sent(&self, sent: Result<(), p2pchan::Error>) -> Result<(), Stop> {
        match sent {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::TooBig => Err(Stop::Here(error.to_string())),
            Err(_) => pending().await,
        }
    }

    fn tell_offer(&self, files: &[File]) {
        let fields = json!({ "peer": self.sender.peer().to_string(), "files": files });
        let text = format!("offering {} to {}", transfer::describe(files), self.peer);
        self.status.tell(Level::Usual, "offer", fields, &text);
    }

    fn tell_sending(&self, file: &File, from: u64, have: Have) {
        let (name, peer) = (&file.name, &self.peer);
        if from < have.bytes {
            self.tell_anew(name, "is not what the receiver has the beginning of");
        }
        let (level, text) = if from > 0 && Some(from) != file.size {
            let size = transfer::size(from);
            (Level::Usual, format!("sending {name} to {peer} behind the {size} that are there"))
        } else {
            (Level::Everything, format!("sending {name} to {peer}"))
        };
        self.status.tell(level, "sending", json!({ "file": name, "from": from }), &text);
    }

    fn tell_anew(&self, name: &str, why: &str) {
        let text = format!("{name} {why}; sending it from the beginning");
        self.status.tell(Level::Usual, "anew", json!({ "file": name, "message": why }), &text);
    }

    fn tell_sent(&self, summary: &Summary) {
        let fields = json!({
            "peer": self.sender.peer().to_string(),
            "bytes": summary.bytes(),
            "seconds_taken": summary.seconds(),
        });
        let text = format!("{} has everything: {}", self.peer, summary.text());
        self.status.tell(Level::Usual, "sent", fields, &text);
    }
}

/// The receiver does not keep to the protocol.
fn broken(why: &str) -> Stop {
    Stop::Here(format!("the receiver broke the protocol of docs/send.md: {why}"))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
