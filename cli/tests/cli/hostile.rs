//! `send` and `recv` against programs that speak the protocol of `docs/send.md` as they like.

use std::{
    fs,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake},
    thread::{self, Thread},
    time::Instant,
};

use p2pchan::{Kind, Message, Node, Remote};
use serde_json::{Value, json};

use crate::{
    ends::{Folders, PHRASE, Wire, address, both_succeed, contents},
    support::{DEADLINE, Process},
};

const MIB: usize = 1 << 20;

/// The thread that waits for a future.
struct Waiting(Thread);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread. The node runs on the library's own runtime, so that a test may also wait for
/// processes.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let end = Instant::now() + DEADLINE;
    let waker = Arc::new(Waiting(thread::current())).into();
    loop {
        assert!(Instant::now() < end, "nothing happens");
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(DEADLINE),
        }
    }
}

/// A program of the tests, where real ones find it.
struct Stranger {
    node: Node,
    seed: String,
}

impl Stranger {
    fn new() -> Self {
        let node = wait(Node::builder().set("listen", "tcp://127.0.0.1:0").start()).unwrap();
        node.discover(PHRASE).unwrap();
        let seed = node.addresses()[0].to_string();
        Self { node, seed }
    }

    /// The next one who connects.
    fn meet(&self) -> Peer {
        Peer(wait(self.node.next_remote()).unwrap())
    }

    /// The next one who connects, greeted as `role`.
    fn greet(&self, role: &str) -> Peer {
        let mut peer = self.meet();
        peer.say(json!({ "p2pchan": role, "version": 1 }));
        let greeting = peer.hear();
        assert_eq!(greeting["version"], 1);
        peer
    }

    /// A receiver, and this as its sender.
    fn receiver(&self, folders: &Folders, more: &[&str]) -> (Process, Peer) {
        let receiver = folders.recv(&[&["--yes", "--seed", &self.seed], more].concat());
        (receiver, self.greet("send"))
    }

    /// A sender, and this as its receiver.
    fn sender(&self, folders: &Folders, files: &[&str]) -> (Process, Peer) {
        let sender = folders.send(files, &["--seed", &self.seed]);
        (sender, self.greet("recv"))
    }
}

struct Peer(Remote);

impl Peer {
    fn say(&self, message: Value) {
        wait(self.0.send(message)).unwrap();
    }

    fn say_bytes(&self, bytes: &[u8]) {
        for chunk in bytes.chunks(65_536) {
            wait(self.0.send(chunk)).unwrap();
        }
    }

    fn offer(&self, name: &str, size: usize) {
        self.say(json!({ "type": "offer", "files": [{ "name": name, "size": size }] }));
    }

    fn message(&mut self) -> Message {
        wait(self.0.recv()).unwrap().expect("the channel is open")
    }

    fn hear(&mut self) -> Value {
        self.message().json().unwrap()
    }

    /// It fails, after whatever else it says, for this reason.
    fn hears_failure(&mut self, why: &str) {
        let message = loop {
            match self.message().json::<Value>() {
                Ok(message) if message["type"] == "fail" => break message,
                _ => {}
            }
        };
        assert!(message["text"].as_str().unwrap().contains(why), "{message}");
    }
}

/// SHA-256 of nothing.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The process fails, and says why.
fn fails(process: &mut Process, why: &str) {
    let error = process.event("error");
    assert!(error["message"].as_str().unwrap().contains(why), "{error}");
    assert_eq!(process.wait().code(), Some(1));
}

#[test]
fn names_that_lead_elsewhere_are_refused_and_nothing_is_written() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    let absolute = folders.here.path().join("evil");
    let absolute = absolute.to_str().unwrap();
    for name in ["../evil", absolute, "..", "", "a/b", "a\\b", "\u{1b}[2Jevil", "x\u{202e}y"] {
        let (mut receiver, mut peer) = stranger.receiver(&folders, &[]);
        peer.offer(name, 3);
        peer.hears_failure("cannot be the name of a file here");
        fails(&mut receiver, "cannot be the name of a file here");
        assert_eq!(folders.arrived(), [""; 0]);
    }
    assert!(!fs::exists(absolute).unwrap());
    assert!(!fs::exists(folders.there.path().join("../evil")).unwrap());
}

#[test]
fn a_hidden_name_becomes_a_visible_one() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    let (mut receiver, mut peer) = stranger.receiver(&folders, &[]);
    peer.offer(".bashrc", 0);
    assert_eq!(peer.hear(), json!({ "type": "take", "files": [{ "bytes": 0 }] }));
    peer.say(json!({ "type": "file", "file": 0, "from": 0 }));
    peer.say(json!({ "type": "end", "file": 0, "bytes": 0, "hash": NOTHING }));
    assert_eq!(peer.hear(), json!({ "type": "done", "file": 0 }));
    wait(peer.0.end()).unwrap();
    assert_eq!(receiver.wait().code(), Some(0));
    assert_eq!(folders.arrived(), ["_.bashrc"]);
}

#[test]
fn a_file_has_its_name_only_when_all_of_it_is_there_and_right() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    let (mut receiver, mut peer) = stranger.receiver(&folders, &[]);
    peer.offer("a", 2 * MIB);
    peer.hear();
    peer.say(json!({ "type": "file", "file": 0, "from": 0 }));
    peer.say_bytes(&contents(2 * MIB));
    folders.grown("a.part", 2 << 20);
    assert_eq!(folders.arrived(), ["a.part"]);
    // All bytes, but not those that its hash stands for.
    peer.say(json!({ "type": "end", "file": 0, "bytes": 2 * MIB, "hash": NOTHING }));
    peer.hears_failure("did not arrive as it left");
    fails(&mut receiver, "did not arrive as it left");
    assert_eq!(folders.arrived(), [""; 0]);
}

#[test]
fn a_receiver_that_was_killed_tells_the_next_sender_what_it_has() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    let all = contents(3 * MIB);
    folders.write("a", &all);
    let (receiver, mut peer) = stranger.receiver(&folders, &[]);
    peer.offer("a", all.len());
    peer.hear();
    peer.say(json!({ "type": "file", "file": 0, "from": 0 }));
    peer.say_bytes(&all[..MIB]);
    folders.grown("a.part", 1 << 20);
    // Killed with SIGKILL.
    drop(receiver);
    drop(stranger);
    let mut sender = folders.send(&["a"], &[]);
    let mut receiver = folders.recv(&["--yes", "--seed", &address(&sender)]);
    assert_eq!(receiver.event("receiving")["from"], MIB);
    both_succeed(&mut sender, &mut receiver);
    assert!(folders.read("a") == all);
}

#[test]
fn what_breaks_the_protocol_ends_a_receiver_with_a_clear_word() {
    let stranger = Stranger::new();
    let take = |peer: &mut Peer| {
        peer.offer("a", 3);
        assert_eq!(peer.hear()["type"], "take");
    };
    let begin = |peer: &mut Peer| {
        take(peer);
        peer.say(json!({ "type": "file", "file": 0, "from": 0 }));
    };
    type Breach<'a> = &'a dyn Fn(&mut Peer);
    let breaches: [(&str, Breach<'_>); 9] = [
        ("Text", &|peer| wait(peer.0.send("hello")).unwrap()),
        ("unknown variant", &|peer| peer.say(json!({ "type": "steal" }))),
        ("out of turn", &|peer| peer.say(json!({ "type": "done", "file": 0 }))),
        ("out of turn", &|peer| peer.say_bytes(b"before any offer")),
        ("no files", &|peer| peer.say(json!({ "type": "offer", "files": [] }))),
        ("out of turn", &|peer| {
            take(peer);
            peer.say(json!({ "type": "file", "file": 1, "from": 0 }));
        }),
        ("goes on at 2 instead of 0", &|peer| {
            take(peer);
            peer.say(json!({ "type": "file", "file": 0, "from": 2 }));
        }),
        ("more than the size", &|peer| {
            begin(peer);
            peer.say_bytes(b"four");
        }),
        ("out of turn", &|peer| {
            begin(peer);
            peer.say(json!({ "type": "file", "file": 0, "from": 0 }));
        }),
    ];
    for (why, breach) in breaches {
        let folders = Folders::new();
        let (mut receiver, mut peer) = stranger.receiver(&folders, &[]);
        breach(&mut peer);
        peer.hears_failure(why);
        fails(&mut receiver, why);
        assert!(!folders.arrived().contains(&"a".to_owned()));
    }
}

#[test]
fn what_breaks_the_protocol_ends_a_sender_with_a_clear_word() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    folders.write("a", b"contents");
    let take = json!({ "type": "take", "files": [{ "bytes": 0 }] });
    let cases = [
        ("out of turn", vec![json!({ "type": "done", "file": 0 })]),
        ("out of turn", vec![json!({ "type": "got", "bytes": 1 })]),
        (
            "takes 2 of 1 files",
            vec![json!({ "type": "take", "files": [{ "bytes": 0 }, { "bytes": 0 }] })],
        ),
        ("out of turn", vec![take, json!({ "type": "done", "file": 1 })]),
    ];
    for (why, breaches) in cases {
        let (mut sender, mut peer) = stranger.sender(&folders, &["a"]);
        assert_eq!(peer.hear()["type"], "offer");
        breaches.into_iter().for_each(|breach| peer.say(breach));
        peer.hears_failure(why);
        fails(&mut sender, why);
    }
}

#[test]
fn a_sender_succeeds_only_when_the_receiver_has_confirmed() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    folders.write("a", b"contents");
    let (mut sender, mut peer) = stranger.sender(&folders, &["a"]);
    let seed = address(&sender);
    peer.hear();
    peer.say(json!({ "type": "take", "files": [{ "bytes": 0 }] }));
    assert_eq!(peer.hear(), json!({ "type": "file", "file": 0, "from": 0 }));
    assert_eq!(&peer.message().payload()[..], b"contents");
    assert_eq!(peer.hear()["type"], "end");
    // It has everything, and goes without a word.
    drop(peer);
    sender.event("lost");
    // So it waits for one that confirms.
    let mut receiver = folders.recv(&["--yes", "--seed", &seed]);
    both_succeed(&mut sender, &mut receiver);
}

#[test]
fn a_receiver_whose_last_word_was_lost_comes_again_to_say_it() {
    let mut stranger = Stranger::new();
    let wire = Wire::to(&stranger.seed);
    stranger.seed.clone_from(&wire.address);
    let folders = Folders::new();
    let (mut receiver, mut peer) = stranger.receiver(&folders, &[]);
    peer.offer("a", 1);
    peer.hear();
    let hash = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    let end = json!({ "type": "end", "file": 0, "bytes": 1, "hash": hash });
    peer.say(json!({ "type": "file", "file": 0, "from": 0 }));
    peer.say_bytes(b"a");
    peer.say(end.clone());
    receiver.event("complete");
    wire.cut();
    receiver.event("lost");
    let mut peer = stranger.greet("send");
    peer.offer("a", 1);
    let whole = json!({ "type": "take", "files": [{ "bytes": 1, "hash": hash }] });
    assert_eq!(peer.hear(), whole);
    peer.say(json!({ "type": "file", "file": 0, "from": 1 }));
    peer.say(end);
    assert_eq!(peer.hear(), json!({ "type": "done", "file": 0 }));
    wait(peer.0.end()).unwrap();
    assert_eq!(receiver.wait().code(), Some(0));
}

#[test]
fn an_older_or_newer_program_is_told_of_and_the_transfer_waits() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    let receiver = folders.recv(&["--yes", "--seed", &stranger.seed]);
    let peer = stranger.meet();
    peer.say(json!({ "p2pchan": "send", "version": 7 }));
    let told = receiver.event("of_no_use");
    assert!(told["message"].as_str().unwrap().contains("version 7"), "{told}");
}

#[test]
fn what_a_peer_says_of_its_failure_cannot_command_the_terminal() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    let options = ["recv", PHRASE, "--yes", "--listen", "127.0.0.1:0", "--seed", &stranger.seed];
    let mut receiver =
        Process::spawn(crate::support::p2pchan(&options).current_dir(folders.there.path()));
    let peer = stranger.greet("send");
    peer.say(json!({ "type": "fail", "text": "\u{1b}[2Jgone\u{202e}" }));
    assert_eq!(receiver.wait().code(), Some(1));
    let told = receiver.told_so_far().join("\n");
    assert!(told.contains("\\u{1b}[2Jgone\\u{202e}"), "{told}");
}

#[test]
fn a_receiver_takes_what_it_has_accepted_and_nothing_else() {
    let stranger = Stranger::new();
    let folders = Folders::new();
    let (mut receiver, mut first) = stranger.receiver(&folders, &[]);
    let to_receiver = address(&receiver).parse().unwrap();
    first.offer("a", 3);
    first.hear();
    first.say(json!({ "type": "file", "file": 0, "from": 0 }));
    first.say_bytes(b"ab");
    folders.grown("a.part", 2);
    let other = Stranger::new();
    let mut second = Peer(wait(other.node.connect(to_receiver)).unwrap());
    second.say(json!({ "p2pchan": "send", "version": 1 }));
    second.offer("b", 1);
    assert_eq!(second.message().kind(), Kind::Json);
    // The first is lost, and then the second has its turn.
    drop(first);
    assert_eq!(wait(second.0.recv()).unwrap(), None);
    receiver.signal("INT");
    assert_eq!(receiver.wait().code(), Some(130));
    assert_eq!(folders.arrived(), ["a.part"]);
}
