//! The files that are sent: what is offered of them, and a thread that reads one.

use std::{
    fs::{self, Metadata},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;

use crate::transfer::{CHUNK, File, Hash, Hashing, Have, check_offer};

/// Pieces that wait for the network: enough to read on while one is sent, 512 KiB.
const AHEAD: usize = 8;

/// A file, and how it was when it was offered.
#[derive(Clone, Debug)]
pub(super) struct Source {
    path: PathBuf,
    pub(super) file: File,
    stamp: Stamp,
}

/// What changes when a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// Looks at the files as they are now.
///
/// # Errors
/// What cannot be sent, and why.
pub(super) fn look(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    let sources: Vec<_> = paths.iter().map(|path| source(path)).collect::<Result<_, _>>()?;
    let files: Vec<_> = sources.iter().map(|source| source.file.clone()).collect();
    check_offer(&files).map_err(|why| format!("cannot send: {why}"))?;
    Ok(sources)
}

fn source(path: &Path) -> Result<Source, String> {
    // Opened only to see early that it can be. Not what may be a pipe: that would wait for its writer.
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let shown = path.display();
    if metadata.is_dir() {
        return Err(format!(
            "{shown} is a folder; send an archive of it: tar c {shown} | p2pchan send - PHRASE"
        ));
    }
    if !metadata.is_file() {
        return Err(format!(
            "{shown} is not a regular file; send what it holds: p2pchan send - PHRASE < {shown}"
        ));
    }
    fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        format!("{shown} has no name that is UTF-8; give it another, or use `-` and a redirection")
    })?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let file = File {
        name: name.to_owned(),
        size: Some(metadata.len()),
        modified: modified.map(|since| since.as_secs()),
        executable: is_executable(&metadata),
    };
    Ok(Source { path: path.to_owned(), file, stamp: Stamp::of(&metadata) })
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

/// What is read of a file, in this order: `From` once, `Contents` as often as it takes, `End`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The first byte that follows: where the receiver stopped, or 0 if it has something else.
    From(u64),
    Contents(Vec<u8>),
    End(Hash),
    /// It is not the file that was offered any more. Nothing follows.
    Changed,
}

impl Source {
    /// Reads it on a thread, from where the receiver stopped. An error is the last piece.
    pub(super) fn read(&self, have: Have) -> mpsc::Receiver<Result<Piece, String>> {
        let (pieces, read) = mpsc::channel(AHEAD);
        let source = self.clone();
        thread::spawn(move || {
            let hand_over = |piece| pieces.blocking_send(Ok(piece)).is_ok();
            let wanted = || !pieces.is_closed();
            if let Err(error) = source.read_all(have, wanted, hand_over) {
                // Fails only when nobody waits for it any more.
                let _ = pieces.blocking_send(Err(unreadable(&source.path, &error)));
            }
        });
        read
    }

    /// Until nothing more is `wanted`, or `hand_over` says so.
    fn read_all(
        &self,
        have: Have,
        wanted: impl Fn() -> bool,
        mut hand_over: impl FnMut(Piece) -> bool,
    ) -> io::Result<()> {
        let mut file = fs::File::open(&self.path)?;
        if Stamp::of(&file.metadata()?) != self.stamp {
            hand_over(Piece::Changed);
            return Ok(());
        }
        let mut hashing = Hashing::default();
        if !self.goes_on(&mut file, have, &mut hashing, wanted)? {
            file.seek(SeekFrom::Start(0))?;
            hashing = Hashing::default();
        }
        if !hand_over(Piece::From(hashing.bytes())) {
            return Ok(());
        }
        while hashing.bytes() < self.stamp.size {
            let contents = read_block(&mut file, self.stamp.size - hashing.bytes())?;
            if contents.is_empty() {
                break;
            }
            hashing.update(&contents);
            if !hand_over(Piece::Contents(contents)) {
                return Ok(());
            }
        }
        let same = Stamp::of(&file.metadata()?) == self.stamp;
        let whole = same && hashing.bytes() == self.stamp.size;
        hand_over(if whole { Piece::End(hashing.hash()) } else { Piece::Changed });
        Ok(())
    }

    /// Whether the file begins with what the receiver has. Then that has been read and hashed.
    fn goes_on(
        &self,
        file: &mut fs::File,
        have: Have,
        hashing: &mut Hashing,
        wanted: impl Fn() -> bool,
    ) -> io::Result<bool> {
        if have.bytes > self.stamp.size {
            return Ok(false);
        }
        while hashing.bytes() < have.bytes {
            let block = read_block(file, have.bytes - hashing.bytes())?;
            if block.is_empty() || !wanted() {
                return Ok(false);
            }
            hashing.update(&block);
        }
        Ok(have.bytes == 0 || have.hash == Some(hashing.hash()))
    }
}

/// As many bytes as a message takes, or as there are before the end or `most`.
fn read_block(file: &mut fs::File, most: u64) -> io::Result<Vec<u8>> {
    let chunk = u64::try_from(CHUNK).unwrap_or(u64::MAX);
    let mut block = Vec::with_capacity(CHUNK);
    file.take(most.min(chunk)).read_to_end(&mut block)?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn hash(bytes: &[u8]) -> Hash {
        let mut hashing = Hashing::default();
        hashing.update(bytes);
        hashing.hash()
    }

    fn have(bytes: &[u8]) -> Have {
        Have { bytes: bytes.len() as u64, hash: Some(hash(bytes)) }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..=250).cycle().step_by(7).take(count).collect()
    }

    fn file(contents: &[u8]) -> (tempfile::NamedTempFile, Source) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(contents).unwrap();
        let source = look(&[file.path().to_owned()]).unwrap().remove(0);
        (file, source)
    }

    /// Where it begins, what is read, and the end.
    fn read(source: &Source, have: Have) -> (u64, Vec<u8>, Piece) {
        let (mut from, mut contents, mut end) = (0, Vec::new(), None);
        source
            .read_all(
                have,
                || true,
                |piece| {
                    match piece {
                        Piece::From(first) => from = first,
                        Piece::Contents(more) => contents.extend(more),
                        piece => end = Some(piece),
                    }
                    true
                },
            )
            .unwrap();
        (from, contents, end.unwrap())
    }

    #[test]
    fn reading_goes_on_behind_what_the_receiver_has() {
        let all = bytes(3 * CHUNK + 5);
        let (_kept, source) = file(&all);
        for had in [0, 1, CHUNK, 2 * CHUNK + 1, all.len()] {
            let (from, contents, end) = read(&source, have(&all[..had]));
            assert_eq!((from, contents), (had as u64, all[had..].to_vec()));
            assert_eq!(end, Piece::End(hash(&all)));
        }
    }

    #[test]
    fn a_receiver_that_has_something_else_or_more_gets_it_from_the_beginning() {
        let all = bytes(CHUNK + 5);
        let (_kept, source) = file(&all);
        let longer = bytes(CHUNK + 6);
        let liar = Have { bytes: 5, hash: None };
        for had in [have(b"other"), have(&longer), liar] {
            assert_eq!(read(&source, had), (0, all.clone(), Piece::End(hash(&all))));
        }
    }

    #[test]
    fn an_empty_file_has_an_end_and_nothing_else() {
        let (_kept, source) = file(b"");
        assert_eq!(read(&source, Have::default()), (0, vec![], Piece::End(hash(b""))));
    }

    #[test]
    fn a_file_that_changes_before_or_while_it_is_read_is_not_ended() {
        let (mut kept, source) = file(&bytes(CHUNK));
        kept.write_all(b"more").unwrap();
        assert_eq!(read(&source, Have::default()), (0, vec![], Piece::Changed));

        let (kept, source) = file(&bytes(2 * CHUNK));
        let mut last = None;
        let change = |piece| {
            if piece == Piece::From(0) {
                kept.as_file().set_len(5).unwrap();
            }
            last = Some(piece);
            true
        };
        source.read_all(Have::default(), || true, change).unwrap();
        assert_eq!(last, Some(Piece::Changed));
    }

    #[test]
    fn what_cannot_be_sent_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let refused = |paths: &[PathBuf]| look(paths).unwrap_err();
        assert!(refused(&[folder.path().to_owned()]).contains("tar c"));
        assert!(refused(&[path("missing")]).contains("missing"));
        assert!(refused(&["/dev/null".into()]).contains("regular"));
        fs::write(path("a\nb"), "").unwrap();
        assert!(refused(&[path("a\nb")]).contains("control characters"));
        fs::create_dir(path("x")).unwrap();
        for twice in [path("same"), path("x/same")] {
            fs::write(twice, "").unwrap();
        }
        assert!(refused(&[path("same"), path("x/same")]).contains("two files"));
    }
}
