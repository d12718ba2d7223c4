//! The messages of `docs/send.md`: JSON for control, bytes for the contents of files.

use p2pchan::{Kind, Message, Sender};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{hash::Hash, name::check_names, progress::size};

/// The version that is spoken here; there is no other yet.
pub(super) const VERSION: u32 = 1;
/// Bytes of a file in one message: one frame of the protocol below, so nothing is put together.
pub(crate) const CHUNK: usize = 64 * 1024;
/// Files of one offer; more are better sent as an archive.
pub(super) const MAX_FILES: usize = 1000;
/// Bytes of one message of control: the offer of that many files with the longest names fits.
const MAX_CONTROL: usize = 1 << 20;
/// Characters of the other side's reason that are shown.
const MAX_REASON: usize = 300;

/// Which half of a transfer a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Offers files.
    Send,
    /// Takes files.
    Recv,
}

impl Role {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Send => Self::Recv,
            Self::Recv => Self::Send,
        }
    }

    /// The command that does it.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::Send => "p2pchan send",
            Self::Recv => "p2pchan recv",
        }
    }
}

/// The first message of each side.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Greeting {
    pub(super) p2pchan: Role,
    pub(super) version: u32,
    /// For a person who reads this in `p2pchan join`.
    #[serde(default)]
    text: String,
}

impl Greeting {
    pub(super) fn new(role: Role) -> Self {
        let (own, other) = (role.command(), role.other().command());
        let text = format!("This is `{own}`, and understands nothing but `{other}`.");
        Self { p2pchan: role, version: VERSION, text }
    }

    /// As a message.
    pub(super) fn to_value(&self) -> Value {
        json!(self)
    }

    /// `None` if it is something else.
    pub(super) fn parse(message: &Message) -> Option<Self> {
        let small = message.payload().len() <= MAX_CONTROL;
        if small { message.json().ok() } else { None }
    }
}

/// A file that is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    /// Without a folder.
    pub(crate) name: String,
    /// In bytes. Without it, this is a pipe, which has an end but no size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// When it was changed last, in seconds since the beginning of 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) modified: Option<u64>,
    /// Whether it is a program.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) executable: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "this is how serde calls it")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl File {
    /// What the pipe of a sender looks like.
    pub(crate) fn pipe() -> Self {
        Self { name: "-".into(), ..Self::default() }
    }

    /// Whether its size shows only at its end.
    pub(crate) const fn is_pipe(&self) -> bool {
        self.size.is_none()
    }
}

/// What a receiver has of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Have {
    /// So many bytes of its beginning.
    pub(crate) bytes: u64,
    /// Their hash; not needed for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<Hash>,
}

/// All messages but greetings and contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Control {
    /// From the sender: what there is.
    Offer { files: Vec<File> },
    /// From the receiver: begin. What it has of each file, in the order of the offer.
    Take { files: Vec<Have> },
    /// From the sender: the contents of this file follow, beginning with the byte `from`.
    File { file: usize, from: u64 },
    /// From the sender: that was all of it, from its beginning `bytes` with this hash.
    End { file: usize, bytes: u64, hash: Hash },
    /// From the receiver: it is whole, and safe.
    Done { file: usize },
    /// From the receiver of a pipe: so many bytes need not be kept any more.
    Got { bytes: u64 },
    /// From either: this transfer ends here, and why.
    Fail { text: String },
}

impl Control {
    /// Sends it when there is room.
    pub(crate) async fn send(&self, to: &Sender) -> Result<(), p2pchan::Error> {
        to.send(json!(self)).await
    }
}

/// A message after the greeting.
#[derive(Debug)]
pub(crate) enum Received {
    /// Contents of a file, 1 to [`CHUNK`] bytes.
    Contents(Message),
    Control(Control),
}

/// Reads a message.
///
/// # Errors
/// In which way it breaks the protocol.
pub(crate) fn receive(message: Message) -> Result<Received, String> {
    let length = message.payload().len();
    match message.kind() {
        Kind::Bytes if (1..=CHUNK).contains(&length) => Ok(Received::Contents(message)),
        Kind::Bytes => Err(format!("{length} bytes of contents at once; 1 to {CHUNK} are allowed")),
        Kind::Json if length <= MAX_CONTROL => {
            let control = message.json().map_err(|error| error.message().to_owned())?;
            check(&control)?;
            Ok(Received::Control(shortened(control)))
        }
        Kind::Json => Err(format!("{length} bytes of control; {MAX_CONTROL} are the most")),
        kind => Err(format!("a message of the kind {kind:?}")),
    }
}

/// A reason is for people, and not a book.
fn shortened(control: Control) -> Control {
    match control {
        Control::Fail { text } => Control::Fail { text: text.chars().take(MAX_REASON).collect() },
        control => control,
    }
}

/// What can be checked of a message by itself.
fn check(control: &Control) -> Result<(), String> {
    match control {
        Control::Offer { files } => check_offer(files),
        Control::Take { files } if files.len() > MAX_FILES => Err(too_many(files.len())),
        _ => Ok(()),
    }
}

/// Whether these files may be offered together. A receiver does not rely on the sender's having
/// looked.
pub(crate) fn check_offer(files: &[File]) -> Result<(), String> {
    if files.is_empty() {
        return Err("an offer of no files".into());
    }
    if files.len() > MAX_FILES {
        return Err(too_many(files.len()));
    }
    if files.iter().any(|file| file.is_pipe() != (file.name == "-")) {
        return Err("what has the name \"-\" is a pipe, and only a pipe has no size".into());
    }
    if files.len() > 1 && files.iter().any(File::is_pipe) {
        return Err("a pipe travels alone".into());
    }
    if total(files).is_none() && !files[0].is_pipe() {
        return Err("sizes that are more than can be counted".into());
    }
    check_names(files)
}

/// For people: `2 files (1.20 GiB)`, or the name of the only one.
pub(crate) fn describe(files: &[File]) -> String {
    match (files, total(files)) {
        ([file], Some(total)) => format!("{} ({})", file.name, size(total)),
        (files, Some(total)) => format!("{} files ({})", files.len(), size(total)),
        (_, None) => "a pipe".into(),
    }
}

/// The sizes of all together; `None` for a pipe.
pub(crate) fn total(files: &[File]) -> Option<u64> {
    files.iter().try_fold(0, |sum: u64, file| sum.checked_add(file.size?))
}

fn too_many(count: usize) -> String {
    format!("{count} files; {MAX_FILES} are the most at once, more are better sent as an archive")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Message {
        // Only nodes make messages of JSON, so this goes through the same reading by hand.
        Message::text(json)
    }

    fn read(json: &str) -> Result<Control, String> {
        let control = serde_json::from_str(json).map_err(|error| error.to_string())?;
        check(&control).map(|()| control)
    }

    fn file(name: &str, size: u64) -> File {
        File { name: name.into(), size: Some(size), ..File::default() }
    }

    #[test]
    fn the_examples_of_the_documentation_are_messages() {
        let page = include_str!("../../../docs/send.md");
        let examples: Vec<_> = page.lines().filter(|line| line.starts_with("{\"")).collect();
        let (greetings, controls): (Vec<&str>, Vec<&str>) =
            examples.iter().copied().partition(|line| line.starts_with("{\"p2pchan\""));
        for line in &greetings {
            serde_json::from_str::<Greeting>(line).unwrap();
        }
        for line in &controls {
            let control = read(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            // Every member of it means something.
            assert_eq!(json!(control), serde_json::from_str::<Value>(line).unwrap());
        }
        assert!(greetings.len() >= 2 && controls.len() >= 7, "{examples:#?}");
    }

    #[test]
    fn members_of_later_versions_are_skipped() {
        let have = Have { bytes: 7, hash: None };
        assert_eq!(
            read(r#"{"type":"take","files":[{"bytes":7,"colour":"blue"}],"mood":1}"#),
            Ok(Control::Take { files: vec![have] })
        );
    }

    #[test]
    fn a_reason_is_cut_to_what_a_person_reads() {
        let text = "☃".repeat(1000);
        match shortened(Control::Fail { text }) {
            Control::Fail { text } => assert_eq!(text.chars().count(), MAX_REASON),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_of_the_protocol_is_told_and_not_taken() {
        assert!(receive(message("hello")).unwrap_err().contains("Text"));
        assert!(receive(Message::bytes(vec![0; CHUNK])).is_ok());
        for length in [0, CHUNK + 1] {
            assert!(receive(Message::bytes(vec![0; length])).is_err());
        }
        for wrong in ["{}", r#"{"type":"steal"}"#, r#"{"type":"got","bytes":-1}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_offer_is_bounded_and_makes_sense() {
        let many: Vec<_> = (0..=MAX_FILES).map(|number| file(&number.to_string(), 0)).collect();
        check_offer(&many[1..]).unwrap();
        check_offer(&[File::pipe()]).unwrap();
        for wrong in [
            &[][..],
            &many,
            &[file("a", u64::MAX), file("b", 1)],
            &[File::pipe(), file("a", 1)],
            &[File { name: "a".into(), ..File::pipe() }],
            &[file("-", 1)],
            &[file("../a", 1)],
        ] {
            assert!(check_offer(wrong).is_err(), "{} files", wrong.len());
        }
        let take = Control::Take { files: vec![Have::default(); MAX_FILES + 1] };
        assert!(check(&take).is_err());
    }

    #[test]
    fn the_largest_offer_fits_into_a_message() {
        let name = |number| format!("{number:04}{}", "\"".repeat(239));
        let files = (0..MAX_FILES).map(|number| File {
            name: name(number),
            size: Some(u64::MAX / 1000),
            modified: Some(u64::MAX),
            executable: true,
        });
        let offer = Control::Offer { files: files.collect() };
        check(&offer).unwrap();
        assert!(json!(offer).to_string().len() <= MAX_CONTROL);
    }
}
