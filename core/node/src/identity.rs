//! The node's Ed25519 key: fresh, given, or kept in a file.

use std::{
    fmt, fs,
    io::{self, Write},
    path::Path,
};

use p2pchan_proto::{
    error::{Error, ErrorKind},
    id::{PeerId, from_hex, to_hex},
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

/// An Ed25519 private key (RFC 8032) and the [`PeerId`] that others know it by.
#[derive(Clone)]
pub struct Identity {
    seed: Zeroizing<[u8; 32]>,
    id: PeerId,
}

impl Identity {
    /// A key that nobody has had before.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system has no randomness.
    pub fn fresh() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|error| {
            Error::new(ErrorKind::Io, format!("no randomness for a new identity: {error}"))
        })?;
        Self::from_seed(&seed)
    }

    /// The key with this 32-byte seed.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the library refuses it, which it does for no seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, Error> {
        let internal = || Error::new(ErrorKind::Internal, "an Ed25519 seed was refused");
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| internal())?;
        let id = pair.public_key().as_ref().try_into().map_err(|_| internal())?;
        Ok(Self { seed: Zeroizing::new(*seed), id: PeerId::from_bytes(id) })
    }

    /// The key kept in a file as 64 hexadecimal digits. A file that does not exist is made, for its
    /// owner alone (mode 0600).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be read or made, [`ErrorKind::Settings`] if others can read it
    /// or it holds something else.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        // Looked at before it is opened: opening a pipe would wait for somebody to write.
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                let path = path.display();
                let message = format!("identity file {path} is not a file; name another path");
                Err(Error::new(ErrorKind::Settings, message))
            }
            Ok(_) => {
                let file = fs::File::open(path);
                Self::read(path, &file.map_err(|error| file_error(path, "cannot be read", &error))?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(file_error(path, "cannot be read", &error)),
        }
    }

    /// The public half.
    pub const fn id(&self) -> PeerId {
        self.id
    }

    /// The private half.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    fn read(path: &Path, file: &fs::File) -> Result<Self, Error> {
        refuse_if_others_can_read(path, file)?;
        // 65 bytes are a key and a newline; anything longer is something else.
        let mut text = Zeroizing::new(String::new());
        io::Read::read_to_string(&mut io::Read::take(file, 67), &mut text)
            .map_err(|error| file_error(path, "cannot be read", &error))?;
        let seed = from_hex::<32>(text.trim_end()).ok_or_else(|| {
            let message = format!(
                "identity file {} must hold 64 lower-case hexadecimal digits; name another file, \
                 or remove it to have a new one made",
                path.display()
            );
            Error::new(ErrorKind::Settings, message)
        })?;
        Self::from_seed(&seed)
    }

    fn create(path: &Path) -> Result<Self, Error> {
        let identity = Self::fresh()?;
        let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(to_hex(identity.seed()))));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| file_error(path, "cannot be made", &error))?;
        Ok(identity)
    }
}

#[cfg(unix)]
fn refuse_if_others_can_read(path: &Path, file: &fs::File) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata().map_err(|error| file_error(path, "cannot be read", &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    let message =
        format!("identity file {path} can be read by others (mode {mode:o}); run chmod 600 {path}");
    Err(Error::new(ErrorKind::Settings, message))
}

#[cfg(not(unix))]
fn refuse_if_others_can_read(_: &Path, _: &fs::File) -> Result<(), Error> {
    Ok(())
}

fn file_error(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("identity file {} {what}: {error}", path.display()))
}

impl fmt::Debug for Identity {
    /// The public half only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.id).finish()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_identity_file_is_made_for_its_owner_alone_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let made = Identity::from_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Identity::from_file(&path).unwrap().id(), made.id());
    }

    #[test]
    fn an_identity_file_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        Identity::from_file(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Identity::from_file(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Settings);
        assert!(error.message().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_file_with_something_else_is_refused_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        fs::write(&path, "ssh-ed25519 AAAA").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Identity::from_file(&path).unwrap_err().kind(), ErrorKind::Settings);
        assert_eq!(fs::read_to_string(&path).unwrap(), "ssh-ed25519 AAAA");
    }

    #[test]
    fn the_public_key_of_rfc_8032_belongs_to_its_seed() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let id = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let identity = Identity::from_seed(&from_hex(seed).unwrap()).unwrap();
        assert_eq!(identity.id().to_string(), id);
    }

    #[test]
    fn debug_output_never_shows_the_seed() {
        let identity = Identity::from_seed(&[0xab; 32]).unwrap();
        assert!(!format!("{identity:?}").contains("abab"));
    }
}
