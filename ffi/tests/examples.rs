//! The examples in C do what they say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod common;

use std::{fs, process::Command, time::Duration};

use common::{DEADLINE, Linked, Program, Talking};
use p2pchan::{Node, Remote, Testnet};
use tokio::{runtime::Runtime, time::timeout};

/// As strictly as anybody who copies one may compile it.
fn example(name: &str, linked: Linked) -> Program {
    Program::compile(&format!("examples/c/{name}.c"), linked, &["-std=c99"])
}

/// `poll` at a free port, and its address.
fn listening_poll(subject: &str) -> (Talking, String) {
    let poll = example("poll", Linked::Shared).start(&[subject, "listen=tcp://127.0.0.1:0"]);
    let address = poll.hear("listening at ");
    (poll, address)
}

#[test]
fn two_chats_find_each_other_in_a_dht_and_talk() {
    let runtime = Runtime::new().unwrap();
    let testnet = runtime.block_on(Testnet::builder(3).start()).unwrap();
    let bootstrap = format!("discovery.bittorrent.bootstrap={}", testnet.bootstrap()[0]);
    let address = "discovery.bittorrent.address=127.0.0.1";
    let arguments = ["chats in C", "listen=127.0.0.1:0", &bootstrap, address];
    let mut near = example("chat", Linked::Shared).start(&arguments);
    let mut far = example("chat", Linked::Static).start(&arguments);
    near.hear("+ ");
    far.hear("+ ");
    near.say("how are you?");
    assert_eq!(far.hear(": "), "how are you?");
    far.say("as one is");
    assert_eq!(near.hear(": "), "as one is");
    assert!(far.hang_up().success() && near.hang_up().success());
}

#[test]
fn a_chat_in_a_loop_of_its_own_talks() {
    let (mut near, address) = listening_poll("poll");
    let seeds = format!("discovery.seeds={address}");
    let mut far = example("poll", Linked::Static).start(&["poll", &seeds]);
    near.hear("+ ");
    far.hear("+ ");
    near.say("how are you?");
    assert_eq!(far.hear(": "), "how are you?");
    far.say("as one is");
    assert_eq!(near.hear(": "), "as one is");
    assert!(far.hang_up().success());
    near.hear("- ");
    assert!(near.hang_up().success());
}

#[test]
fn a_clock_in_the_loop_of_libuv_tells_the_time_until_it_is_interrupted() {
    let Some(options) = libuv() else {
        return eprintln!("SKIPPED the example for libuv: pkg-config does not know libuv");
    };
    let options: Vec<&str> = options.split_whitespace().chain(["-std=c99"]).collect();
    let (mut poll, address) = listening_poll("clock");
    let clock = Program::compile("examples/c/libuv.c", Linked::Shared, &options);
    let mut clock = clock.start(&["clock", "tcp://127.0.0.1:0", &address]);
    let time = poll.hear(": ");
    let digits = time.chars().map(|it| if it.is_ascii_digit() { '0' } else { it });
    assert_eq!(digits.collect::<String>(), "00:00:00", "{time}");
    poll.say("thank you");
    assert_eq!(clock.hear(": "), "thank you");
    let killed = Command::new("kill").args(["-INT", &clock.id().to_string()]).status();
    assert!(killed.unwrap().success());
    poll.hear("- ");
    assert!(clock.hang_up().success());
}

fn libuv() -> Option<String> {
    let found = Command::new("pkg-config").args(["--cflags", "--libs", "libuv"]).output().ok()?;
    found.status.success().then(|| String::from_utf8(found.stdout).unwrap())
}

#[test]
fn programs_that_share_a_folder_find_each_other_there() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [folder.path().to_str().unwrap(), "a folder", "tcp://127.0.0.1:0"];
    let program = example("discovery", Linked::Shared);
    let (mut near, mut far) = (program.start(&arguments), program.start(&arguments));
    near.hear("found somebody at ");
    far.hear("found somebody at ");
    assert!(near.hang_up().success() && far.hang_up().success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "announcements are left behind");
}

/// Messages of several sizes, each with its number.
fn message(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(1 + number as usize % 97 * 20)
}

#[test]
fn an_echo_sends_back_everything_in_order_also_to_who_does_not_read_for_a_while() {
    let mut echo = example("echo", Linked::Shared).start(&["echo", "tcp://127.0.0.1:0"]);
    let address = echo.hear("listening at ");
    Runtime::new().unwrap().block_on(async {
        let node = Node::builder().set("limits.window", "256KiB").start().await.unwrap();
        node.discover("echo").unwrap();
        let mut remote = node.connect(address.parse().unwrap()).await.unwrap();
        let stuck = fill(&remote).await;
        let sender = remote.sender();
        let rest = tokio::spawn(async move {
            for number in stuck..stuck + 1000 {
                sender.send(message(number)).await.unwrap();
            }
        });
        for number in 0..stuck + 1000 {
            let back = timeout(DEADLINE, remote.recv()).await.expect("all comes back");
            let back = back.unwrap().unwrap().into_payload();
            assert!(back == message(number), "message {number} differs");
        }
        rest.await.unwrap();
        node.close().await;
    });
    assert!(echo.hang_up().success());
}

#[test]
fn a_question_gets_its_answer_in_a_plain_loop_and_a_dial_that_fails_says_why() {
    let mut echo = example("echo", Linked::Shared).start(&["echo", "tcp://127.0.0.1:0"]);
    let address = echo.hear("listening at ");
    let ask = example("ask", Linked::Shared);
    let mut asking = ask.start(&["echo", &address, "anybody there?"]);
    assert_eq!(asking.hear("anybody "), "there?");
    assert!(asking.hang_up().success());
    assert!(echo.hang_up().success());
    assert_eq!(ask.start(&["echo", &address, "and now?"]).hang_up().code(), Some(1));
}

/// Sends until nothing goes any more, as everything on the way is full. How many went.
async fn fill(remote: &Remote) -> u32 {
    let mut number = 0;
    while let Ok(sent) = timeout(Duration::from_millis(500), remote.send(message(number))).await {
        sent.unwrap();
        number += 1;
    }
    number
}
