//! One connection to a sender: what it says, in turn.
//!
//! ```text
//! Offer ─► Take;  for each file: File, contents, End ─► Done;  at last the sender ends the channel
//! ```

use p2pchan::{Message, Remote, Sender};
use serde_json::json;

use super::{
    disk::unwritable,
    place::Held,
    receipt::{Decision, Receipt, Target},
    writer::Writer,
};
use crate::{
    status::Level,
    transfer::{Bar, Control, File, Hash, Received, receive, size},
};

/// The sender of a pipe hears of what is written each time that it is this much more: often enough
/// that it never waits with its 4 MiB.
const CONFIRMED: u64 = 256 * 1024;

/// How a connection ended.
pub(super) enum Outcome {
    /// Everything is here, and the sender knows.
    Complete,
    /// The sender has other files than those accepted.
    Aside,
    /// The connection is gone; the sender may come again.
    Lost(String),
    /// The sender has said that it ends.
    There(String),
    /// It has to be told that it ends.
    Here(String),
}

pub(super) struct Session<'a> {
    remote: Remote,
    sender: Sender,
    receipt: &'a mut Receipt,
    bar: Option<Bar>,
    /// The file whose turn it is, and the bytes of those before it.
    next: usize,
    before: u64,
    arriving: Option<Arriving>,
    confirmed: u64,
}

/// What is done with the file whose turn it is.
enum Arriving {
    /// All of it is here; only the hash is to come.
    Here(u64, Hash),
    /// Contents are written; so many bytes have come, with those from before.
    Written(Writer, u64),
}

impl<'a> Session<'a> {
    pub(super) fn new(remote: Remote, receipt: &'a mut Receipt) -> Self {
        let sender = remote.sender();
        Self {
            remote,
            sender,
            receipt,
            bar: None,
            next: 0,
            before: 0,
            arriving: None,
            confirmed: 0,
        }
    }

    pub(super) fn into_remote(self) -> Remote {
        self.remote
    }

    /// Takes what the sender offers, to the end of the connection.
    pub(super) async fn run(&mut self) -> Outcome {
        let outcome = match self.follow().await {
            Ok(()) => Outcome::Complete,
            Err(outcome) => outcome,
        };
        self.bar = None;
        match (outcome, self.keep().await) {
            (Outcome::Lost(_), Err(why)) => Outcome::Here(why),
            (outcome, _) => outcome,
        }
    }

    async fn follow(&mut self) -> Result<(), Outcome> {
        loop {
            let message = match self.hear().await? {
                Some(message) => message,
                None if self.receipt.is_complete() => return Ok(()),
                None => return Err(Outcome::Lost("it went away".into())),
            };
            match receive(message).map_err(|why| broken(&why))? {
                Received::Contents(contents) => self.write(contents).await?,
                Received::Control(Control::Offer { files }) => self.offer(files).await?,
                Received::Control(Control::File { file, from }) => self.begin(file, from)?,
                Received::Control(Control::End { file, bytes, hash }) => {
                    self.end(file, bytes, hash).await?;
                }
                Received::Control(Control::Fail { text }) => {
                    return Err(Outcome::There(format!("the sender says: {text}")));
                }
                Received::Control(_) => return Err(out_of_turn()),
            }
        }
    }

    /// The next message, and meanwhile tells the sender of a pipe what is written.
    async fn hear(&mut self) -> Result<Option<Message>, Outcome> {
        loop {
            let pipe = self.receipt.files.get(self.next).is_some_and(File::is_pipe);
            let written = match &mut self.arriving {
                Some(Arriving::Written(writer, _)) if pipe => tokio::select! {
                    message = self.remote.recv() => return message.map_err(lost),
                    written = writer.progress() => written,
                },
                _ => return self.remote.recv().await.map_err(lost),
            };
            if written - self.confirmed >= CONFIRMED {
                self.confirmed = written;
                self.say(&Control::Got { bytes: written }).await?;
            }
        }
    }

    async fn say(&self, control: &Control) -> Result<(), Outcome> {
        control.send(&self.sender).await.map_err(lost)
    }

    async fn offer(&mut self, files: Vec<File>) -> Result<(), Outcome> {
        self.keep().await.map_err(Outcome::Here)?;
        let peer = self.remote.peer().short();
        match self.receipt.consider(&peer, files).await.map_err(Outcome::Here)? {
            Decision::Aside => return Err(Outcome::Aside),
            Decision::Take => {}
        }
        (self.next, self.before) = (0, 0);
        self.bar = Some(self.receipt.bar());
        let files = self.receipt.targets.iter().map(Target::have).collect();
        self.say(&Control::Take { files }).await
    }

    /// The contents of a file follow.
    fn begin(&mut self, number: usize, from: u64) -> Result<(), Outcome> {
        let files = self.receipt.files.len();
        if self.bar.is_none() || number != self.next || number >= files || self.arriving.is_some() {
            return Err(out_of_turn());
        }
        let name = self.receipt.files[number].name.clone();
        let target = &mut self.receipt.targets[number];
        let (have, _) = target.state();
        if from != have {
            if from != 0 {
                return Err(broken(&format!("{name} goes on at {from} instead of {have}")));
            }
            begin_anew(target, &self.receipt.output.stream_name()).map_err(Outcome::Here)?;
        }
        self.tell_begin(number, from, have);
        self.arriving = Some(self.arriving(number));
        self.confirmed = from;
        if let Some(bar) = &self.bar {
            bar.name(&name);
            bar.jump(self.before.saturating_add(from));
        }
        Ok(())
    }

    fn arriving(&self, number: usize) -> Arriving {
        match &self.receipt.targets[number] {
            Target::Place(place) => match &place.held {
                Held::Whole { bytes, hash, .. } => Arriving::Here(*bytes, *hash),
                Held::Part(before) => {
                    let (from, place) = (before.bytes(), place.clone());
                    Arriving::Written(Writer::start(before.clone(), move || place.open(from)), from)
                }
            },
            Target::Stream(before) => {
                let (from, output) = (before.bytes(), self.receipt.output.clone());
                let open = move || output.open_stream();
                Arriving::Written(Writer::start(before.clone(), open), from)
            }
        }
    }

    async fn write(&mut self, contents: Message) -> Result<(), Outcome> {
        let Some(Arriving::Written(writer, arrived)) = &mut self.arriving else {
            return Err(out_of_turn());
        };
        let count = u64::try_from(contents.payload().len()).unwrap_or(u64::MAX);
        *arrived = arrived.saturating_add(count);
        match self.receipt.files[self.next].size {
            Some(size) if *arrived > size => {
                return Err(broken("more than the size of the file"));
            }
            None if *arrived > self.receipt.max_size => {
                let most = size(self.receipt.max_size);
                return Err(Outcome::Here(format!("the pipe gives more than --max-size {most}")));
            }
            _ => {}
        }
        if !writer.write(contents).await {
            return Err(self.keep().await.map_or_else(Outcome::Here, |()| out_of_turn()));
        }
        self.receipt.summary.moved(count);
        if let Some(bar) = &self.bar {
            bar.moved(count);
        }
        Ok(())
    }

    /// That was all of a file.
    async fn end(&mut self, number: usize, bytes: u64, hash: Hash) -> Result<(), Outcome> {
        if number != self.next || self.arriving.is_none() {
            return Err(out_of_turn());
        }
        let here = match self.arriving.take() {
            Some(Arriving::Here(bytes, hash)) => (bytes, hash),
            arriving => {
                self.arriving = arriving;
                self.keep().await.map_err(Outcome::Here)?;
                self.receipt.targets[number].state()
            }
        };
        let file = &self.receipt.files[number];
        if here != (bytes, hash) || file.size.is_some_and(|size| size != bytes) {
            let why = format!("{} did not arrive as it left; send it again", file.name);
            if let Target::Place(place) = &mut self.receipt.targets[number] {
                place.discard();
            }
            return Err(Outcome::Here(why));
        }
        self.finish(number, bytes, hash).await.map_err(Outcome::Here)?;
        self.say(&Control::Done { file: number }).await?;
        self.next += 1;
        self.before = self.before.saturating_add(bytes);
        if self.next == self.receipt.files.len() {
            self.bar = None;
            self.receipt.completed();
        }
        Ok(())
    }

    /// Gives a file that has just arrived its name.
    async fn finish(&mut self, number: usize, bytes: u64, hash: Hash) -> Result<(), String> {
        let Target::Place(place) = &self.receipt.targets[number] else { return Ok(()) };
        let (mut place, file) = (place.clone(), self.receipt.files[number].clone());
        if let Held::Whole { made, .. } = place.held {
            if !made {
                self.tell_received(&place.path().display().to_string(), bytes, "was here already");
            }
            return Ok(());
        }
        let finish = move || place.finish(&file, bytes, hash).map(|path| (place, path));
        let finished = tokio::task::spawn_blocking(finish).await;
        let (place, path) = finished.map_err(|error| error.to_string())??;
        self.tell_received(&path.display().to_string(), bytes, "is here");
        self.receipt.targets[number] = Target::Place(place);
        Ok(())
    }

    /// Waits until what has arrived is written, and remembers how far that is.
    ///
    /// # Errors
    /// Why it cannot be written.
    async fn keep(&mut self) -> Result<(), String> {
        let Some(Arriving::Written(writer, _)) = self.arriving.take() else { return Ok(()) };
        let written = writer.stop().await;
        match &mut self.receipt.targets[self.next] {
            Target::Place(place) => {
                let written = written.map_err(|error| unwritable(&place.part(), &error))?;
                place.held = Held::Part(written);
            }
            Target::Stream(before) => {
                let name = self.receipt.output.stream_name();
                *before = written.map_err(|error| unwritable(name.as_ref(), &error))?;
            }
        }
        Ok(())
    }

    fn tell_begin(&self, number: usize, from: u64, have: u64) {
        let name = &self.receipt.files[number].name;
        let to = match &self.receipt.targets[number] {
            Target::Place(place) => place.path().display().to_string(),
            Target::Stream(_) => self.receipt.output.stream_name(),
        };
        if from < have {
            let why = "what is here is not its beginning";
            let text = format!("{name} begins anew, as {to}: {why}");
            let fields = json!({ "file": name, "message": why });
            self.receipt.status.tell(Level::Usual, "anew", fields, &text);
        }
        let goes_on = from > 0 && Some(from) != self.receipt.files[number].size;
        let (level, text) = if goes_on {
            (Level::Usual, format!("{name} goes on in {to} behind {}", size(from)))
        } else {
            (Level::Everything, format!("{name} comes to {to}"))
        };
        let fields = json!({ "file": name, "from": from, "to": to });
        self.receipt.status.tell(level, "receiving", fields, &text);
    }

    fn tell_received(&self, path: &str, bytes: u64, how: &str) {
        let text = format!("{path} ({}) {how}", size(bytes));
        let fields = json!({ "path": path, "bytes": bytes });
        self.receipt.status.tell(Level::Usual, "received", fields, &text);
    }
}

/// What is here of a file is not its beginning.
fn begin_anew(target: &mut Target, stream: &str) -> Result<(), String> {
    match target {
        Target::Place(place) => place.begin_anew(),
        Target::Stream(_) => Err(format!(
            "what the sender has now is not what {stream} has the beginning of, and that cannot be \
             taken back; start both sides again"
        )),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn lost(error: p2pchan::Error) -> Outcome {
    Outcome::Lost(error.to_string())
}

/// The sender does not keep to the protocol.
fn broken(why: &str) -> Outcome {
    Outcome::Here(format!("the sender broke the protocol of docs/send.md: {why}"))
}

fn out_of_turn() -> Outcome {
    broken("a message out of turn")
}
