//! A settings file: what it says, what the program sets above it, and reading it again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use common::{exchange, meet, start, within};
use p2pchan::{Changes, Error, ErrorKind, Node, Value};
use tempfile::TempDir;

struct File {
    path: PathBuf,
    _folder: TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Self { path: folder.path().join("node.toml"), _folder: folder };
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }
}

fn change(key: &str, value: impl Into<Value>) -> Changes {
    [(key, value)].into_iter().collect()
}

fn value(node: &Node, key: &str) -> Value {
    node.settings().value(key).unwrap().clone()
}

fn assert_says(error: &Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.message().contains(word), "{word:?} is missing in: {error}");
    }
}

/// That reading the file again fails, and changes nothing.
async fn assert_reload_refused(node: &Node, kind: ErrorKind, words: &[&str]) {
    let before = (node.addresses(), node.settings());
    let error = within(node.reload()).await.unwrap_err();
    assert_says(&error, kind, words);
    assert_eq!((node.addresses(), node.settings()), before);
}

#[tokio::test]
async fn a_node_starts_with_what_a_file_says_and_the_program_stands_above_it() {
    let file = File::new("listen = 'tcp://127.0.0.1:0'\nlimits = { dials = 3, waiting = 5 }");
    let node = Node::builder().set("limits.waiting", 7).settings_file(&file.path);
    let node = start(node).await;
    assert_eq!(node.addresses().len(), 1);
    assert_eq!(value(&node, "limits.dials"), 3.into());
    assert_eq!(value(&node, "limits.waiting"), 7.into());
}

#[tokio::test]
async fn reading_it_again_replaces_what_it_said_and_keeps_what_the_program_has_set() {
    let file = File::new("listen = 'tcp://127.0.0.1:0'\n[limits]\ndials = 3\nchannels = 5");
    let builder = Node::builder().set("limits.waiting", 7).settings_file(&file.path);
    let node = start(builder).await;
    let address = node.addresses()[0];
    node.update(change("limits.remotes", 9)).await.unwrap();

    file.write("listen = 'tcp://127.0.0.1:0'\n[limits]\ndials = 4\nwaiting = 6\nremotes = 6");
    within(node.reload()).await.unwrap();
    assert_eq!(node.addresses(), [address], "what it says as before is not touched");
    assert_eq!(value(&node, "limits.dials"), 4.into());
    assert_eq!(value(&node, "limits.channels"), 64.into(), "the default again");
    assert_eq!(value(&node, "limits.waiting"), 7.into());
    assert_eq!(value(&node, "limits.remotes"), 9.into());

    // What the program takes back is the file's again.
    let mut changes = change("limits.remotes", Value::Null);
    changes.set("limits.waiting", Value::Null);
    node.update(changes).await.unwrap();
    assert_eq!(value(&node, "limits.remotes"), 6.into());
    assert_eq!(value(&node, "limits.waiting"), 6.into());

    file.write("");
    within(node.reload()).await.unwrap();
    assert_eq!((node.addresses(), value(&node, "limits.waiting")), (vec![], 64.into()));
}

#[tokio::test]
async fn what_a_file_changes_happens_to_a_running_node() {
    let file = File::new("");
    let near = start(Node::builder().settings_file(&file.path)).await;
    let far = start(Node::builder()).await;
    file.write("listen = 'tcp://127.0.0.1:0'");
    within(near.reload()).await.unwrap();
    let (mut here, mut there) = meet(&near, &far, near.addresses()[0]).await;
    exchange(&mut here, &mut there).await;
    file.write("paused = true");
    within(near.reload()).await.unwrap();
    let error = within(there.recv()).await.unwrap_err();
    assert!(error.message().contains("paused"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_wrong_changes_nothing_and_is_named_with_the_line() {
    let file = File::new("listen = 'tcp://127.0.0.1:0'");
    let node = start(Node::builder().set("limits.high_water", "1MiB").settings_file(&file.path));
    let node = node.await;
    let path = file.path.to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_at = taken.local_addr().unwrap().to_string();
    for (text, words) in [
        ("\n[limits]\ndial = 3", &[path, "line 3", "limits.dial", "limits.dials?"] as &[_]),
        ("limits.dials = 'many'", &[path, "line 1", "limits.dials = \"many\""]),
        ("listen = ", &[path, "line 1"]),
        ("runtime.threads = 2", &[path, "runtime.threads", "start the node anew"]),
        ("limits.low_water = '2MiB'", &[path, "limits.low_water", "limits.high_water"]),
    ] {
        file.write(text);
        assert_reload_refused(&node, ErrorKind::Settings, words).await;
    }
    file.write(&format!("listen = 'tcp://{taken_at}'"));
    assert_reload_refused(&node, ErrorKind::Io, &[path, "listen", &taken_at]).await;
    fs::remove_file(&file.path).unwrap();
    assert_reload_refused(&node, ErrorKind::Io, &[path, "cannot be read"]).await;
    // And an update is not held up by it.
    node.update(change("limits.dials", 5)).await.unwrap();
    assert_eq!(value(&node, "limits.dials"), 5.into());
    common::still_healthy(&node).await;
}

#[tokio::test]
async fn a_node_does_not_start_with_a_file_that_is_wrong() {
    let start = |path: &Path| Node::builder().settings_file(path).start();
    let file = File::new("listen = 5");
    let words = [file.path.to_str().unwrap(), "line 1", "listen = 5"];
    assert_says(&start(&file.path).await.unwrap_err(), ErrorKind::Settings, &words);
    let missing = file.path.with_file_name("missing.toml");
    let words = [missing.to_str().unwrap(), "cannot be read"];
    assert_says(&start(&missing).await.unwrap_err(), ErrorKind::Io, &words);
    let folder = file.path.parent().unwrap();
    assert_says(&start(folder).await.unwrap_err(), ErrorKind::Io, &["not a file"]);
    file.write("limits.low_water = '2MiB'");
    let words = [file.path.to_str().unwrap(), "limits.low_water"];
    assert_says(&start(&file.path).await.unwrap_err(), ErrorKind::Settings, &words);
}

#[tokio::test]
async fn without_a_file_there_is_nothing_to_read_again() {
    let node = start(Node::builder()).await;
    let error = node.reload().await.unwrap_err();
    assert_says(&error, ErrorKind::Settings, &["no settings file"]);
}
