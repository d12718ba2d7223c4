//! Processes that die in the middle of a long message: the survivor is told so, gets everything that
//! was whole, and never a part of anything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use p2pchan::{Address, ErrorKind, Node, Reason, Remote};
use tokio::{sync::mpsc, time::timeout};

const TOPIC: [u8; 32] = [7; 32];
const SHORT: u8 = 100;
const LONG: usize = 10_000_000;
const DEADLINE: Duration = Duration::from_secs(60);

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it took too long")
}

async fn node() -> Node {
    let node = Node::builder().set("listen", "127.0.0.1:0").start().await.unwrap();
    node.discover_topic(TOPIC).unwrap();
    node
}

/// A process that is going to die; it dies in any case when this is dropped.
struct Victim {
    child: Child,
    says: mpsc::UnboundedReceiver<String>,
}

impl Victim {
    /// Starts one; it connects, and waits to be told to begin.
    fn start(verb: &str, address: Address) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_victim"))
            .args([verb, &address.to_string()])
            .env("VICTIM_IDENTITY", "5c".repeat(32))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (says, lines) = mpsc::unbounded_channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        // A thread of its own, so that the victim is heard while the test's runtime is blocked.
        thread::spawn(move || out.lines().try_for_each(|line| says.send(line.unwrap())));
        Self { child, says: lines }
    }

    /// Waits until it is connected, and tells it to begin.
    async fn begin(&mut self) {
        self.has_said("open").await;
        writeln!(self.child.stdin.as_ref().unwrap(), "begin").unwrap();
    }

    /// Waits until it says this.
    async fn has_said(&mut self, wanted: &str) {
        let says = within(self.says.recv()).await.expect("the victim lives");
        assert_eq!(says, wanted);
    }

    /// Waits until it says this, and keeps every node of this test from doing anything meanwhile.
    fn has_said_to_the_frozen(&mut self, wanted: &str) {
        let began = Instant::now();
        while self.says.is_empty() {
            assert!(began.elapsed() < DEADLINE, "it took too long");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(self.says.try_recv().unwrap(), wanted);
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What has to hold of the end of a connection whose peer was killed.
fn assert_lost(remote: &Remote, error: &p2pchan::Error) {
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert!(error.message().contains("connection lost"), "{error}");
    assert!(matches!(remote.reason(), Some(Reason::Lost { .. })), "{:?}", remote.reason());
}

/// Reads up to the error at the end; how many long messages came.
async fn read_to_the_end(remote: &mut Remote) -> usize {
    for number in 0..SHORT {
        assert_eq!(within(remote.recv()).await.unwrap().unwrap().payload()[..], [number]);
    }
    let mut long = 0;
    loop {
        match within(remote.recv()).await {
            Ok(message) => {
                let message = message.expect("a killed peer ends with an error");
                assert!(message.payload()[..] == [0x5a; LONG][..], "not a whole message");
                long += 1;
            }
            Err(error) => {
                assert_lost(remote, &error);
                return long;
            }
        }
    }
}

#[tokio::test]
async fn a_sender_killed_within_a_message_leaves_no_part_of_it_and_an_error() {
    let node = node().await;
    for _ in 0..3 {
        let mut victim = Victim::start("send", node.addresses()[0]);
        let mut remote = within(node.next_remote()).await.unwrap();
        victim.begin().await;
        // As nobody gives it credit, it stays within the first long message.
        victim.has_said_to_the_frozen("within");
        victim.kill();
        assert_eq!(read_to_the_end(&mut remote).await, 0);
    }
    node.close().await;
}

#[tokio::test]
async fn a_sender_killed_at_any_moment_has_delivered_whole_messages_only() {
    let node = node().await;
    for rounds in 0..5 {
        let mut victim = Victim::start("send", node.addresses()[0]);
        let mut remote = within(node.next_remote()).await.unwrap();
        victim.begin().await;
        let reading = tokio::spawn(async move { read_to_the_end(&mut remote).await });
        for _ in 0..=rounds {
            victim.has_said("within").await;
        }
        victim.kill();
        let read = within(reading).await.unwrap();
        assert!(read <= rounds + 2 && rounds <= read + 2, "{read} long messages of about {rounds}");
    }
    node.close().await;
}

#[tokio::test]
async fn a_receiver_killed_within_a_message_is_an_error_that_says_what_did_not_go() {
    let node = node().await;
    let mut victim = Victim::start("receive", node.addresses()[0]);
    let mut remote = within(node.next_remote()).await.unwrap();
    victim.begin().await;
    for number in 0..SHORT {
        remote.send([number]).await.unwrap();
    }
    victim.has_said("short").await;
    for _ in 0..3 {
        // Accepted while little waits, whatever its length.
        let sender = remote.sender();
        tokio::spawn(async move { sender.send(vec![0x5a; LONG]).await });
    }
    while remote.queued() == 0 {
        tokio::task::yield_now().await;
    }
    victim.kill();
    let error = within(remote.recv()).await.unwrap_err();
    assert_lost(&remote, &error);
    assert!(error.message().contains("bytes were still waiting to be sent"), "{error}");
    assert_eq!(remote.send("more").await.unwrap_err().kind(), ErrorKind::Closed);
    node.close().await;
}

#[tokio::test]
async fn a_program_that_was_killed_may_come_again_with_the_same_identity() {
    let node = node().await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut victim = Victim::start("receive", node.addresses()[0]);
        let remote = within(node.next_remote()).await.unwrap();
        victim.begin().await;
        for number in 0..SHORT {
            remote.send([number]).await.unwrap();
        }
        victim.has_said("short").await;
        seen.push(remote.peer());
        victim.kill();
    }
    assert!(seen.iter().all(|peer| *peer == seen[0]));
    node.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_is_stopped_gives_way_to_its_successor_with_the_same_identity() {
    let node = node().await;
    let mut stopped = Victim::start("receive", node.addresses()[0]);
    let mut old = within(node.next_remote()).await.unwrap();
    stopped.begin().await;
    // SIGSTOP: its kernel still acknowledges everything, and nobody answers.
    let id = stopped.child.id().to_string();
    let status = Command::new("kill").args(["-STOP", &id]).status().unwrap();
    assert!(status.success());
    let mut successor = Victim::start("receive", node.addresses()[0]);
    let new = within(node.next_remote()).await.unwrap();
    successor.begin().await;
    assert_eq!(new.peer(), old.peer());
    let error = within(old.recv()).await.unwrap_err();
    let code = old.reason().and_then(Reason::code);
    assert_eq!(code, Some(p2pchan::CloseCode::Replaced), "{error}");
    for number in 0..SHORT {
        new.send([number]).await.unwrap();
    }
    successor.has_said("short").await;
    node.close().await;
}
