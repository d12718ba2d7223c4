//! What was accepted, and what is here of it. It outlives broken connections, and decides what the
//! next offer means.

use std::io::{self, IsTerminal};

use serde_json::json;

use super::{
    ask::ask,
    output::Output,
    place::{Held, Place},
};
use crate::{
    status::{Level, Status},
    transfer::{Bar, File, Hash, Hashing, Have, Summary, describe, size, total},
};

/// What this command takes, from its first offer on.
pub(super) struct Receipt {
    pub(super) output: Output,
    asks: bool,
    overwrite: bool,
    pub(super) max_size: u64,
    pub(super) status: Status,
    /// As offered last; empty until something was accepted.
    pub(super) files: Vec<File>,
    /// Where each goes and what is here of it.
    pub(super) targets: Vec<Target>,
    /// What a person has agreed to, in bytes.
    agreed: Option<u64>,
    pub(super) summary: Summary,
    complete: bool,
}

/// Where a file goes.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Place(Place),
    /// What has been written to the stream.
    Stream(Hashing),
}

impl Target {
    /// How many bytes are here, and their hash.
    pub(super) fn state(&self) -> (u64, Hash) {
        match self {
            Self::Place(place) => place.held.state(),
            Self::Stream(written) => (written.bytes(), written.hash()),
        }
    }

    /// As the sender is told.
    pub(super) fn have(&self) -> Have {
        let (bytes, hash) = self.state();
        Have { bytes, hash: (bytes > 0).then_some(hash) }
    }
}

/// What to do with an offer.
pub(super) enum Decision {
    Take,
    /// It is another one than the one accepted.
    Aside,
}

impl Receipt {
    pub(super) fn new(
        output: Output,
        asks: bool,
        overwrite: bool,
        max_size: u64,
        status: Status,
    ) -> Self {
        let (files, targets) = (Vec::new(), Vec::new());
        let (agreed, summary, complete) = (None, Summary::begin(), false);
        Self {
            output,
            asks,
            overwrite,
            max_size,
            status,
            files,
            targets,
            agreed,
            summary,
            complete,
        }
    }

    /// Whether everything is here.
    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Decides about an offer, and prepares to take it.
    ///
    /// # Errors
    /// Why it cannot be taken; the sender is told.
    pub(super) async fn consider(
        &mut self,
        peer: &str,
        files: Vec<File>,
    ) -> Result<Decision, String> {
        let names = |files: &[File]| files.iter().map(|file| file.name.clone()).collect::<Vec<_>>();
        let first = self.files.is_empty();
        if !first && names(&files) != names(&self.files) {
            return Ok(Decision::Aside);
        }
        self.tell_offer(peer, &files);
        self.check(&files)?;
        if self.must_ask(&files) && !ask(peer, &files, &self.status).await {
            return Err("it was not wanted".into());
        }
        self.agreed = self.agreed.max(total(&files));
        if first {
            self.targets = self.find(&files).await?;
            self.summary = Summary::begin();
        } else {
            self.refresh(&files)?;
        }
        self.files = files;
        Ok(Decision::Take)
    }

    /// Whether it fits to what this command was told.
    fn check(&self, files: &[File]) -> Result<(), String> {
        let pipe = files.iter().any(File::is_pipe);
        let remedy = match &self.output {
            Output::Folder(_) if pipe => "a pipe has no name; say -o FILE or -o -",
            Output::Anywhere if pipe && io::stdout().is_terminal() => {
                "a pipe goes to standard output, which is a terminal here; say -o FILE, or -o - if \
                 it may"
            }
            Output::File(_) | Output::Stream(_) if files.len() > 1 => {
                "-o has room for one of several files; name a folder that exists"
            }
            _ => "",
        };
        if !remedy.is_empty() {
            return Err(format!("cannot take {}: {remedy}", describe(files)));
        }
        match total(files) {
            Some(total) if total > self.max_size => {
                Err(format!("{} offered, and --max-size is {}", size(total), size(self.max_size)))
            }
            _ => Ok(()),
        }
    }

    /// A stream is filled without asking, and what was agreed to may shrink.
    fn must_ask(&self, files: &[File]) -> bool {
        let known = !self.files.is_empty() && total(files) <= self.agreed;
        let to_file = files.iter().any(|file| self.output.path(file).is_some());
        self.asks && to_file && !known
    }

    /// Looks for places, and what is here already: reads whole files, so not on this thread.
    async fn find(&self, files: &[File]) -> Result<Vec<Target>, String> {
        let (files, output, overwrite) = (files.to_vec(), self.output.clone(), self.overwrite);
        let find = move || {
            let target = |file| match output.path(file) {
                Some(path) => Place::find(path, file, overwrite).map(Target::Place),
                None => Ok(Target::Stream(Hashing::default())),
            };
            files.iter().map(target).collect()
        };
        let found = tokio::task::spawn_blocking(find).await;
        found.unwrap_or_else(|error| Err(format!("cannot look for what is here: {error}")))
    }

    /// A file that is whole here, and has another size there by now, begins anew.
    fn refresh(&mut self, files: &[File]) -> Result<(), String> {
        for (target, file) in self.targets.iter_mut().zip(files) {
            if let Target::Place(place) = target
                && let Held::Whole { bytes, .. } = place.held
                && Some(bytes) != file.size
            {
                place.begin_anew()?;
            }
        }
        Ok(())
    }

    /// The bar for all that was accepted.
    pub(super) fn bar(&self) -> Bar {
        Bar::new(total(&self.files), &self.status)
    }

    /// Everything is here.
    pub(super) fn completed(&mut self) {
        if self.complete {
            return;
        }
        self.complete = true;
        let fields = json!({
            "bytes": self.summary.bytes(),
            "seconds_taken": self.summary.seconds(),
        });
        let text = format!("everything is here: {}", self.summary.text());
        self.status.tell(Level::Usual, "complete", fields, &text);
    }

    fn tell_offer(&self, peer: &str, files: &[File]) {
        let text = format!("{peer} offers {}", describe(files));
        // Who is asked reads it there.
        let level = if self.must_ask(files) { Level::Everything } else { Level::Usual };
        self.status.tell(level, "offer", json!({ "peer": peer, "files": files }), &text);
    }
}
