//! One file on its way to its name: `NAME.part` until it is whole, then `NAME`, or `NAME (1)`.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind},
    path::PathBuf,
};

use super::disk::{exists, hash, rename, seal, seems_same, sync_folder, unwritable};
use crate::transfer::{File, Hash, Hashing, numbered, part_name};

/// Other names that are tried when a file exists, before this gives up.
const NAMES: u16 = 1000;

/// What is here of a file already.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// A beginning of it, in the file's part.
    Part(Hashing),
    /// All of it, under its name. It was made by this process, or was found.
    Whole { bytes: u64, hash: Hash, made: bool },
}

impl Held {
    /// How many bytes, and their hash.
    pub(super) fn state(&self) -> (u64, Hash) {
        match self {
            Self::Part(hashing) => (hashing.bytes(), hashing.hash()),
            Self::Whole { bytes, hash, .. } => (*bytes, *hash),
        }
    }
}

/// One file on its way to its name.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The name that was wanted.
    wanted: PathBuf,
    overwrite: bool,
    /// Which of the names it gets: 0 is the one wanted.
    number: u16,
    pub(super) held: Held,
}

impl Place {
    /// Finds a name for a file, and what is here of it.
    ///
    /// # Errors
    /// What stands in the way, with its path.
    pub(super) fn find(wanted: PathBuf, file: &File, overwrite: bool) -> Result<Self, String> {
        let held = Held::Part(Hashing::default());
        let mut place = Self { wanted, overwrite, number: 0, held };
        place.look(file)?;
        Ok(place)
    }

    /// The name that it gets.
    pub(super) fn path(&self) -> PathBuf {
        self.wanted.with_file_name(numbered(&self.wanted, self.number))
    }

    /// The name until then.
    pub(super) fn part(&self) -> PathBuf {
        PathBuf::from(part_name(&self.path()))
    }

    /// Takes the next name that is free, or has a file that seems to be the same, and looks what is
    /// there.
    fn look(&mut self, file: &File) -> Result<(), String> {
        while let Some(metadata) = exists(&self.path())? {
            if metadata.is_file() && seems_same(&metadata, file) {
                let hashing = hash(&self.path())?;
                let (bytes, hash) = (hashing.bytes(), hashing.hash());
                self.held = Held::Whole { bytes, hash, made: false };
                return Ok(());
            }
            if self.overwrite && metadata.is_file() {
                break;
            }
            self.next_name()?;
        }
        self.held = Held::Part(match exists(&self.part())? {
            None => Hashing::default(),
            Some(metadata) if metadata.is_file() => hash(&self.part())?,
            // When it is opened, it is refused.
            Some(_) => Hashing::default(),
        });
        Ok(())
    }

    fn next_name(&mut self) -> Result<(), String> {
        self.number += 1;
        if self.number > NAMES {
            return Err(format!(
                "{} and {NAMES} other names for it exist; use --overwrite or -o",
                self.wanted.display()
            ));
        }
        Ok(())
    }

    /// The sender's file is another one than what is here.
    ///
    /// # Errors
    /// There is no name left for it.
    pub(super) fn begin_anew(&mut self) -> Result<(), String> {
        if let Held::Whole { made: false, .. } = self.held
            && !self.overwrite
        {
            while exists(&self.path())?.is_some() {
                self.next_name()?;
            }
        }
        self.held = Held::Part(Hashing::default());
        Ok(())
    }

    /// Opens the part behind what is here of it. Nobody else may write it meanwhile.
    ///
    /// # Errors
    /// Why that cannot be.
    pub(super) fn open(&self, from: u64) -> io::Result<fs::File> {
        match exists(&self.part()).map_err(io::Error::other)? {
            Some(metadata) if !metadata.is_file() => {
                return Err(io::Error::other("it exists and is no regular file; remove it"));
            }
            _ => {}
        }
        let file =
            OpenOptions::new().create(true).append(true).truncate(false).open(self.part())?;
        file.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::new(
                ErrorKind::WouldBlock,
                "another program writes it; receive into another folder",
            ),
            fs::TryLockError::Error(error) => error,
        })?;
        if from == 0 {
            file.set_len(0)?;
        } else if file.metadata()?.len() != from {
            return Err(io::Error::other("it has changed; start again"));
        }
        Ok(file)
    }

    /// Gives the whole file its name, once it is safe on the disk. Tells the name.
    ///
    /// # Errors
    /// Why that cannot be.
    pub(super) fn finish(
        &mut self,
        file: &File,
        bytes: u64,
        hash: Hash,
    ) -> Result<PathBuf, String> {
        let part = self.part();
        let failed = |error: io::Error| unwritable(&part, &error);
        seal(&part, file).map_err(failed)?;
        let replaces = self.overwrite || matches!(self.held, Held::Whole { made: true, .. });
        while !rename(&part, &self.path(), replaces).map_err(failed)? {
            self.next_name()?;
        }
        self.held = Held::Whole { bytes, hash, made: true };
        sync_folder(&self.path()).map_err(failed)?;
        Ok(self.path())
    }

    /// Forgets a part that did not arrive as it left.
    pub(super) fn discard(&mut self) {
        // If it stays, the sender finds out that it is not the beginning of its file.
        let _ = fs::remove_file(self.part());
        self.held = Held::Part(Hashing::default());
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, path::Path};

    use super::*;

    fn offered(contents: &[u8]) -> File {
        let size = u64::try_from(contents.len()).unwrap();
        File { name: "a.txt".into(), size: Some(size), modified: Some(1000), ..File::default() }
    }

    fn find(folder: &Path, contents: &[u8], overwrite: bool) -> Place {
        Place::find(folder.join("a.txt"), &offered(contents), overwrite).unwrap()
    }

    /// Writes the rest behind what is there, and gives it its name.
    fn complete(mut place: Place, contents: &[u8]) -> PathBuf {
        let (from, _) = place.held.state();
        let rest = &contents[usize::try_from(from).unwrap()..];
        place.open(from).unwrap().write_all(rest).unwrap();
        let mut hashing = Hashing::default();
        hashing.update(contents);
        place.finish(&offered(contents), hashing.bytes(), hashing.hash()).unwrap()
    }

    #[test]
    fn a_file_gets_its_name_at_the_end_and_is_found_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let place = find(folder.path(), b"contents", false);
        assert_eq!(place.part(), folder.path().join("a.txt.part"));
        assert_eq!(complete(place, b"contents"), folder.path().join("a.txt"));
        assert!(!folder.path().join("a.txt.part").exists());
        let found = find(folder.path(), b"contents", false);
        assert!(matches!(found.held, Held::Whole { bytes: 8, made: false, .. }));
    }

    #[test]
    fn what_is_there_of_it_is_hashed_and_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt.part"), "cont").unwrap();
        let place = find(folder.path(), b"contents", false);
        assert_eq!(place.held.state().0, 4);
        let path = complete(place, b"contents");
        assert_eq!(fs::read(path).unwrap(), b"contents");
    }

    #[test]
    fn a_name_that_is_taken_while_the_file_arrives_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = find(folder.path(), b"contents", false);
        for taken in ["a.txt", "a (1).txt"] {
            fs::write(folder.path().join(taken), "mine").unwrap();
        }
        assert_eq!(complete(place, b"contents"), folder.path().join("a (2).txt"));
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"mine");
        let replacing = find(folder.path(), b"contents", true);
        assert_eq!(complete(replacing, b"contents"), folder.path().join("a.txt"));
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"contents");
    }

    #[test]
    fn what_is_whole_here_but_another_file_there_begins_anew_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        complete(find(folder.path(), b"contents", false), b"contents");
        let mut place = find(folder.path(), b"CONTENTS", false);
        assert!(matches!(place.held, Held::Whole { .. }), "of the same size and time");
        place.begin_anew().unwrap();
        assert_eq!(complete(place, b"CONTENTS"), folder.path().join("a (1).txt"));
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"contents");
    }

    #[test]
    fn a_part_has_one_writer_and_is_what_it_was_when_it_was_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let place = find(folder.path(), b"contents", false);
        let mut first = place.open(0).unwrap();
        assert_eq!(place.open(0).unwrap_err().kind(), ErrorKind::WouldBlock);
        first.write_all(b"more").unwrap();
        drop(first);
        assert!(place.open(3).is_err());
        assert!(place.open(4).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_a_part_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        fs::write(&precious, "keep").unwrap();
        std::os::unix::fs::symlink(&precious, folder.path().join("a.txt.part")).unwrap();
        assert!(find(folder.path(), b"contents", false).open(0).is_err());
        std::os::unix::fs::symlink(&precious, folder.path().join("a.txt")).unwrap();
        for overwrite in [false, true] {
            let place = find(folder.path(), b"contents", overwrite);
            assert_eq!(complete(place, b"contents"), folder.path().join("a (1).txt"));
            fs::remove_file(folder.path().join("a (1).txt")).unwrap();
        }
        assert_eq!(fs::read(precious).unwrap(), b"keep");
    }
}
