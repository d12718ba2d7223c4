//! The example does what it says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use std::{process::Stdio, time::Duration};

use p2pchan::Testnet;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

fn chat(bootstrap: &str) -> (Child, ChildStdin, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chat"))
        .args(["a phrase for the example", bootstrap])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (child, input, BufReader::new(output).lines())
}

#[tokio::test]
async fn lines_typed_in_one_chat_appear_in_the_other() {
    let testnet = Testnet::builder(3).start().await.unwrap();
    let bootstrap = testnet.bootstrap()[0].to_string();
    let (_near, mut typed, mut shown) = chat(&bootstrap);
    let (_far, _input, mut lines) = chat(&bootstrap);
    let conversation = async {
        assert!(lines.next_line().await.unwrap().unwrap().ends_with("is here"));
        assert!(shown.next_line().await.unwrap().unwrap().ends_with("is here"));
        typed.write_all(b"Hello, dude!\n").await.unwrap();
        assert!(lines.next_line().await.unwrap().unwrap().ends_with(": Hello, dude!"));
        drop(typed);
        assert!(lines.next_line().await.unwrap().unwrap().ends_with("has left"));
    };
    timeout(Duration::from_secs(60), conversation).await.expect("it took too long");
}
