//! The socket in the file system: made for its owner alone, and gone with the node.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use p2pchan_proto::error::{Error, ErrorKind};
use socket2::{Domain, SockAddr, Type};
use tokio::net::{UnixListener, UnixStream};

/// Connections that the kernel holds for us between two rounds of accepting.
const BACKLOG: i32 = 16;

/// The socket. Dropping it closes it and takes its file away.
pub(in crate::node) struct Socket {
    listener: UnixListener,
    _file: File,
}

/// What was made in the file system: where, and which file that was.
struct File {
    path: PathBuf,
    made: (u64, u64),
}

impl Drop for File {
    fn drop(&mut self) {
        // Another file may be there by now, of somebody who took this one for left behind.
        if fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.made) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl Socket {
    /// Makes the socket, in a runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if it cannot be there, [`ErrorKind::Io`] if the system does not want it;
    /// both name the path and what to do.
    pub(in crate::node) fn open(path: &str) -> Result<Self, Error> {
        let failed =
            |error: io::Error| wrong(ErrorKind::Io, path, &format!("{error}; name another path"));
        // As the program may change its folder before it closes.
        let path_now = std::path::absolute(path).map_err(failed)?;
        check_folder(path, &path_now)?;
        remove_stale(path, &path_now)?;
        let address = SockAddr::unix(&path_now).map_err(failed)?;
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
        socket.bind(&address).map_err(failed)?;
        let made = identity(&fs::symlink_metadata(&path_now).map_err(failed)?);
        let file = File { path: path_now, made };
        // Nobody can connect before it listens, so there is no moment at which others could.
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        socket.listen(BACKLOG).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let listener = UnixListener::from_std(socket.into()).map_err(failed)?;
        Ok(Self { listener, _file: file })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

fn wrong(kind: ErrorKind, path: &str, why: &str) -> Error {
    Error::new(kind, format!("setting control = {path:?}: {why}"))
}

/// In a folder where others may rename and remove, they could put a socket of theirs in its place.
fn check_folder(path: &str, path_now: &Path) -> Result<(), Error> {
    let Some(folder) = path_now.parent() else {
        return Err(wrong(ErrorKind::Settings, path, "is no name of a file; name one"));
    };
    let shown = folder.display();
    let mode = fs::metadata(folder).map(|folder| folder.mode()).map_err(|error| {
        wrong(
            ErrorKind::Io,
            path,
            &format!("the folder {shown}: {error}; make it, or name another"),
        )
    })?;
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        let why = format!(
            "others can write to the folder {shown} (mode {:o}); run chmod o-w {shown}, or name \
             another",
            mode & 0o7777
        );
        return Err(wrong(ErrorKind::Settings, path, &why));
    }
    Ok(())
}

/// Removes the socket of a node that was killed.
fn remove_stale(path: &str, path_now: &Path) -> Result<(), Error> {
    let failed = |error: io::Error| {
        wrong(ErrorKind::Io, path, &format!("is there and cannot be used: {error}; remove it"))
    };
    match fs::symlink_metadata(path_now) {
        Ok(file) if file.file_type().is_socket() => {}
        Ok(_) => {
            let why = "is there and is not a socket; name another path, or remove it";
            return Err(wrong(ErrorKind::Settings, path, why));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    if is_answered(path_now).map_err(failed)? {
        let why = "another node answers there; name another path, or stop that node";
        return Err(wrong(ErrorKind::Io, path, why));
    }
    fs::remove_file(path_now).map_err(failed)
}

fn is_answered(path: &Path) -> io::Result<bool> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Somebody who is there and too busy would hold us up.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}
