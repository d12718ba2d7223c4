//! Lines typed here appear at everybody who has the same phrase.
//!
//! `cargo run -p p2pchan-examples --bin chat -- "my phrase" public`, or an address of a DHT of your own, such as
//! `p2pchan testnet` prints, in place of `public`.

use std::sync::Arc;

use p2pchan::{Error, Node, Remote, Sender};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    sync::Mutex,
};

type Senders = Arc<Mutex<Vec<Sender>>>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(phrase), Some(bootstrap)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: chat PHRASE BOOTSTRAP");
        std::process::exit(2);
    };
    let node = Node::builder()
        .set("listen", "0.0.0.0:0")
        .set("discovery.bittorrent.bootstrap", bootstrap)
        .start()
        .await?;
    node.discover(&phrase)?;

    let senders = Senders::default();
    tokio::spawn(send_lines(senders.clone(), node.clone()));
    while let Some(remote) = node.next_remote().await {
        senders.lock().await.push(remote.sender());
        tokio::spawn(print_lines(remote));
    }
    // The node is closing; this waits until what was typed has arrived.
    node.close().await;
    Ok(())
}

async fn print_lines(mut remote: Remote) {
    let name = remote.peer().short();
    println!("{name} is here");
    loop {
        match remote.recv().await {
            Ok(Some(message)) => println!("{name}: {}", message.as_text().unwrap_or("(bytes)")),
            Ok(None) => return println!("{name} has left"),
            Err(error) => return println!("{name} is gone: {error}"),
        }
    }
}

/// Sends each line to all, and closes the node at the end of the input.
async fn send_lines(senders: Senders, node: Node) {
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let here = senders.lock().await.clone();
        for sender in here {
            // A remote that has ended says so where it is read.
            let _ = sender.send(&line).await;
        }
    }
    node.close().await;
}
