//! The client in a network made of another implementation's nodes. `tests/interop/run` installs
//! those and runs this; see there.

use std::{env, net::Ipv4Addr, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::*;
use crate::discovery::testing::{collector, topic};

/// Reached only if a test fails; starting a network takes seconds.
const LONG: Duration = Duration::from_secs(120);

/// A program that runs a network on 127.0.0.1, as `P2PCHAN_INTEROP` names it: a command and its
/// arguments, one a line. It prints an entrance, then answers commands, a line each.
struct OtherNetwork {
    _process: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl OtherNetwork {
    fn start() -> Self {
        let command = env::var("P2PCHAN_INTEROP").expect("run tests/interop/run instead");
        let mut words = command.lines();
        let mut process = Command::new(words.next().unwrap())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { _process: process, commands, answers }
    }

    async fn answer(&mut self) -> String {
        timeout(LONG, self.answers.next_line()).await.unwrap().unwrap().expect("the network ended")
    }

    async fn ask(&mut self, command: &str) -> String {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        self.answer().await
    }
}

#[tokio::test]
#[ignore = "needs another implementation: run tests/interop/run"]
async fn announcements_cross_between_the_implementations_both_ways() {
    let mut network = OtherNetwork::start();
    let entrance: SocketAddr = network.answer().await.parse().unwrap();
    let dht = BitTorrentDht::open(BitTorrentSettings {
        bootstrap: vec![(entrance.ip().to_string(), entrance.port())],
        address: Ipv4Addr::LOCALHOST,
        port: 0,
    })
    .await
    .unwrap();

    let ours = topic("ours", &["tcp://127.0.0.1:8001"]);
    dht.announce(&ours).await.unwrap();
    let found = network.ask(&format!("look_up {}", key(&ours))).await;
    assert_eq!(found, "127.0.0.1:8001", "what the others find of ours");

    let theirs = topic("theirs", &[]);
    let announced = network.ask(&format!("announce {} 8002", key(&theirs))).await;
    assert_eq!(announced, "done");
    let (found, addresses) = collector();
    dht.look_up(&theirs, &found).await.unwrap();
    let addresses: Vec<_> = addresses.lock().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["127.0.0.1:8002"], "what we find of theirs");
}

fn key(topic: &Topic) -> String {
    let key: [u8; 20] = topic.find_key("bittorrent");
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
