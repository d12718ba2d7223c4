//! The two ends of a transfer as real processes that know only the phrase and where one of them is.

use std::{
    fs,
    io::Read,
    net::{Shutdown, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{DEADLINE, Process, p2pchan};

pub(crate) const PHRASE: &str = "outpost-hatchback-relish-unpaved-carded-agile";
/// On loopback, by TCP, and told as JSON lines.
const OPTIONS: [&str; 4] = ["--listen", "tcp://127.0.0.1:0", "--json", "--verbose"];

/// A folder for each end.
pub(crate) struct Folders {
    pub(crate) here: TempDir,
    pub(crate) there: TempDir,
}

impl Folders {
    pub(crate) fn new() -> Self {
        Self { here: tempfile::tempdir().unwrap(), there: tempfile::tempdir().unwrap() }
    }

    /// A file to be sent.
    pub(crate) fn write(&self, name: &str, contents: &[u8]) {
        fs::write(self.here.path().join(name), contents).unwrap();
    }

    /// A file that has arrived.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.there.path().join(name)).unwrap()
    }

    /// The names of all that is in the folder of the receiver.
    pub(crate) fn arrived(&self) -> Vec<String> {
        let entries = fs::read_dir(self.there.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `send FILE... PHRASE`.
    pub(crate) fn send(&self, files: &[&str], more: &[&str]) -> Process {
        let command = [&["send"], files, &[PHRASE], &OPTIONS, more].concat();
        Process::spawn(p2pchan(&command).current_dir(self.here.path()))
    }

    /// `recv PHRASE`.
    pub(crate) fn recv(&self, more: &[&str]) -> Process {
        Process::spawn(self.recv_command(&mut p2pchan(&["recv", PHRASE]), more))
    }

    pub(crate) fn recv_command<'a>(
        &self,
        command: &'a mut Command,
        more: &[&str],
    ) -> &'a mut Command {
        command.args(OPTIONS).args(more).current_dir(self.there.path())
    }

    /// The size of a file in the folder of the receiver, once it is at least `least`.
    pub(crate) fn grown(&self, name: &str, least: u64) -> u64 {
        let end = Instant::now() + DEADLINE;
        loop {
            let size = fs::metadata(self.there.path().join(name)).map_or(0, |it| it.len());
            if size >= least {
                return size;
            }
            assert!(Instant::now() < end, "{name} has {size} bytes");
            // Nothing tells of a file that grows, so this asks again.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Where a process listens, of those that were told `OPTIONS`.
pub(crate) fn address(process: &Process) -> String {
    process.event("listening")["address"].as_str().unwrap().to_owned()
}

/// Binary contents, the same for the same length.
pub(crate) fn contents(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// All that a process still writes to standard output.
pub(crate) fn rest(process: &mut Process) -> Vec<u8> {
    let mut bytes = Vec::new();
    process.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Both ends succeed.
pub(crate) fn both_succeed(sender: &mut Process, receiver: &mut Process) {
    assert_eq!(receiver.wait().code(), Some(0), "{:#?}", receiver.told_so_far());
    assert_eq!(sender.wait().code(), Some(0), "{:#?}", sender.told_so_far());
}

/// Passes TCP connections on until it is told to break them.
pub(crate) struct Wire {
    pub(crate) address: String,
    passing: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// To an address such as `tcp://127.0.0.1:4000`.
    pub(crate) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let target = target.trim_start_matches("tcp://").to_owned();
        let passing = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&passing);
        // Ends with the process of the tests.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let ends = (stream.unwrap(), TcpStream::connect(&target).unwrap());
                for (from, to) in [(&ends.0, &ends.1), (&ends.1, &ends.0)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    kept.lock().unwrap().push(from.try_clone().unwrap());
                    thread::spawn(move || {
                        // An error is the break that was asked for.
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        Self { address, passing }
    }

    /// Ends all connections that pass now, in the middle of whatever they carry.
    pub(crate) fn cut(&self) {
        for stream in self.passing.lock().unwrap().drain(..) {
            // It may be gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
