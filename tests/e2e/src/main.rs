//! A program that the tests kill: `victim send ADDRESS` sends messages, `victim receive ADDRESS` reads
//! some and then stops reading. It tells what it does on standard output, a line for each step.
//!
//! It begins when it is told to by a line on standard input. The first 100 messages are short and
//! numbered; then come messages of 10 MB, for ever.

use std::{env, error::Error, io, process::ExitCode};

use p2pchan::{Message, Node, Remote};

/// The subject of victims and tests.
const TOPIC: [u8; 32] = [7; 32];
const SHORT: u8 = 100;
const LONG: usize = 10_000_000;
/// So much of a long message has left the send buffer when it is said to be on its way: well within
/// the first window, and more than may wait before the next message is accepted.
const BEGUN: usize = 512 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("victim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [verb, address] = &arguments[..] else { return Err("victim send|receive ADDRESS".into()) };
    let mut node = Node::builder();
    if let Ok(identity) = env::var("VICTIM_IDENTITY") {
        node = node.set("identity", identity.as_str());
    }
    let node = node.start().await?;
    node.discover_topic(TOPIC)?;
    let remote = node.connect(address.parse()?).await?;
    println!("open");
    io::stdin().read_line(&mut String::new())?;
    match &**verb {
        "send" => send(&remote).await,
        "receive" => receive(remote).await,
        _ => Err("victim send|receive ADDRESS".into()),
    }
}

async fn send(remote: &Remote) -> Result<(), Box<dyn Error>> {
    for number in 0..SHORT {
        remote.send([number]).await?;
    }
    let long = Message::bytes(vec![0x5a; LONG]);
    loop {
        remote.send(&long).await?;
        while remote.queued() + BEGUN > LONG {
            tokio::task::yield_now().await;
        }
        println!("within");
    }
}

async fn receive(mut remote: Remote) -> Result<(), Box<dyn Error>> {
    for number in 0..SHORT {
        let message = remote.recv().await?.ok_or("the peer has ended")?;
        if message.payload()[..] != [number] {
            return Err("a message out of order".into());
        }
    }
    println!("short");
    // The window fills, and nothing is read any more.
    std::future::pending().await
}
