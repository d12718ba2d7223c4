//! Files as the disk has them.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Read},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::transfer::{File, Hashing};

/// Bytes read at once.
const BLOCK: usize = 64 * 1024;

/// An error of writing, with the path.
pub(super) fn unwritable(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "; make room and start again, then it goes on from here"
        }
        _ => "",
    };
    format!("cannot write {}: {error}{remedy}", path.display())
}

/// What is under a name, if anything.
pub(super) fn exists(path: &Path) -> Result<Option<fs::Metadata>, String> {
    // Not through links: where they lead is not ours.
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot look at {}: {error}", path.display())),
    }
}

/// Whether it is worth comparing hashes.
pub(super) fn seems_same(metadata: &fs::Metadata, file: &File) -> bool {
    Some(metadata.len()) == file.size && metadata.modified().ok() == modified(file)
}

fn modified(file: &File) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(file.modified?))
}

/// Reads a whole file.
pub(super) fn hash(path: &Path) -> Result<Hashing, String> {
    let read = || {
        let mut file = fs::File::open(path)?;
        let mut hashing = Hashing::default();
        let mut block = vec![0; BLOCK];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(hashing),
                count => hashing.update(&block[..count]),
            }
        }
    };
    read().map_err(|error: io::Error| format!("cannot read {}: {error}", path.display()))
}

/// What a file is beside its contents; then everything goes to the disk.
pub(super) fn seal(part: &Path, file: &File) -> io::Result<()> {
    let part = OpenOptions::new().write(true).open(part)?;
    if file.executable {
        make_executable(&part)?;
    }
    if let Some(modified) = modified(file) {
        // Some file systems do not know such times; the file is the same.
        let _ = part.set_modified(modified);
    }
    part.sync_all()
}

/// For those who may read it.
#[cfg(unix)]
fn make_executable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = file.metadata()?.permissions();
    let mode = permissions.mode();
    permissions.set_mode(mode | ((mode & 0o444) >> 2));
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
fn make_executable(_: &fs::File) -> io::Result<()> {
    Ok(())
}

/// False if the name is taken and must not be replaced.
pub(super) fn rename(part: &Path, path: &Path, replaces: bool) -> io::Result<bool> {
    if replaces {
        return fs::rename(part, path).map(|()| true);
    }
    // A link fails where something exists; a rename would replace it.
    match fs::hard_link(part, path) {
        Ok(()) => fs::remove_file(part).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        // Some file systems have no links.
        Err(_) if path.try_exists()? => Ok(false),
        Err(_) => fs::rename(part, path).map(|()| true),
    }
}

/// A new name is on the disk when its folder is.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
