//! Asking a node through its socket.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod common;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use common::{listening, start, until, within};
use p2pchan::{Error, ErrorKind, Event, Explanation, Node, Status};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// A folder, and where a node's socket is in it.
struct Place {
    folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        Self { folder, path }
    }

    fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }

    async fn node(&self) -> Node {
        start(listening().set("control", self.text())).await
    }

    /// Why a node does not start here.
    async fn refused(&self) -> Error {
        let error = listening().set("control", self.text()).start().await.unwrap_err();
        assert!(error.message().contains("setting control = "), "{error}");
        assert!(error.message().contains(self.text()), "{error}");
        error
    }
}

/// Sends some bytes and hears all of the answer.
async fn say(path: &Path, bytes: &[u8]) -> Value {
    let mut stream = within(UnixStream::connect(path)).await.unwrap();
    // The node may answer and close before it has read all of it.
    let _ = within(stream.write_all(bytes)).await;
    hear(&mut stream).await
}

async fn hear(stream: &mut UnixStream) -> Value {
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    assert_eq!(answer.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    serde_json::from_slice(&answer).unwrap()
}

async fn ask(path: &Path, request: Value) -> Value {
    say(path, format!("{request}\n").as_bytes()).await
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_status_and_an_explanation_come_through_the_socket() {
    let place = Place::new();
    let node = place.node().await;
    let answer = ask(&place.path, json!({ "request": "status" })).await;
    let status: Status = serde_json::from_value(answer["ok"].clone()).unwrap();
    assert_eq!(status.node.id, node.id().to_string());
    let socket = status.transport.sockets.iter().find(|it| it.used_by == "control").unwrap();
    assert_eq!((&*socket.transport, &socket.address[7..]), ("unix", place.text()));
    let request = json!({ "request": "explain", "target": node.id().to_string() });
    let answer = ask(&place.path, request).await;
    let explanation: Explanation = serde_json::from_value(answer["ok"].clone()).unwrap();
    assert_eq!(explanation.target, node.id().to_string());
}

#[tokio::test]
async fn the_socket_is_for_its_owner_alone_and_gone_with_the_node() {
    let place = Place::new();
    let node = place.node().await;
    let mode = fs::metadata(&place.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut events = node.events();
    let opened = common::event(&mut events, |event| match event {
        Event::Opened { source, socket } if &**source == "control" => Some(socket.clone()),
        _ => None,
    });
    assert!(opened.await.ends_with(place.text()));
    within(node.close()).await;
    assert!(!place.path.exists());
}

#[tokio::test]
async fn a_node_does_not_take_the_socket_of_another_one() {
    let place = Place::new();
    let node = place.node().await;
    let error = place.refused().await;
    assert!(error.message().contains("another node answers there"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Io);
    // The first one is as it was.
    ask(&place.path, json!({ "request": "status" })).await;
    within(node.close()).await;
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced() {
    let place = Place::new();
    drop(std::os::unix::net::UnixListener::bind(&place.path).unwrap());
    assert!(place.path.exists());
    let node = place.node().await;
    ask(&place.path, json!({ "request": "status" })).await;
    within(node.close()).await;
    assert!(!place.path.exists());
}

#[tokio::test]
async fn what_is_not_a_socket_is_left_alone() {
    let place = Place::new();
    fs::write(&place.path, "precious").unwrap();
    assert!(place.refused().await.message().contains("not a socket"));
    assert_eq!(fs::read_to_string(&place.path).unwrap(), "precious");
    fs::remove_file(&place.path).unwrap();
    // A link is not followed, wherever it leads.
    symlink(place.folder.path().join("elsewhere"), &place.path).unwrap();
    assert!(place.refused().await.message().contains("not a socket"));
}

#[tokio::test]
async fn a_folder_where_others_can_write_must_be_sticky() {
    let place = Place::new();
    let set = |mode| fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(mode));
    set(0o777).unwrap();
    let error = place.refused().await;
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(error.message().contains("chmod o-w"), "{error}");
    assert!(!place.path.exists());
    set(0o1777).unwrap();
    within(place.node().await.close()).await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_and_a_path_that_is_too_long_are_named() {
    let place = Place::new();
    let missing = place.folder.path().join("no folder/control");
    let long = place.folder.path().join("x".repeat(200));
    for path in [missing, long] {
        let control = path.to_str().unwrap();
        let error = Node::builder().set("control", control).start().await.unwrap_err();
        assert!(error.message().contains(control) && !path.exists(), "{error}");
    }
}

#[tokio::test]
async fn a_node_that_cannot_start_leaves_no_socket_behind() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("tcp://{}", taken.local_addr().unwrap());
    let node = Node::builder().set("listen", listen).set("control", place.text());
    node.start().await.unwrap_err();
    assert!(!place.path.exists());
}

#[tokio::test]
async fn a_socket_that_somebody_else_put_there_is_not_removed() {
    let place = Place::new();
    let node = place.node().await;
    fs::remove_file(&place.path).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&place.path).unwrap();
    within(node.close()).await;
    assert!(place.path.exists());
    drop(other);
}

#[tokio::test]
async fn malformed_requests_are_answered_with_what_to_send() {
    let place = Place::new();
    let node = place.node().await;
    for bytes in [&b"\n"[..], b"status\n", b"{}\n", b"\xff\xfe\n", b"{\"request\":\"stop\"}\n"] {
        let answer = say(&place.path, bytes).await;
        assert_eq!(code(&answer), "INVALID");
        assert!(answer["error"]["message"].as_str().unwrap().contains("request"), "{answer}");
    }
    let wrong = ask(&place.path, json!({ "request": "explain", "target": "nobody" })).await;
    assert_eq!(code(&wrong), "INVALID");
    within(node.close()).await;
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused_and_the_longest_is_not() {
    let place = Place::new();
    let node = place.node().await;
    let padded = |length: usize| {
        let mut line = br#"{"request":"status"}"#.to_vec();
        line.resize(length - 1, b' ');
        line.push(b'\n');
        line
    };
    let answer = say(&place.path, &padded(64 * 1024)).await;
    assert!(answer["ok"].is_object(), "{answer}");
    let answer = say(&place.path, &padded(64 * 1024 + 1)).await;
    assert_eq!(code(&answer), "TOO_BIG");
    within(node.close()).await;
}

#[tokio::test]
async fn whoever_asks_slowly_is_cut_off_and_holds_up_nobody() {
    let place = Place::new();
    let node = place.node().await;
    let mut slow = Vec::new();
    // As many as are served at once.
    for _ in 0..8 {
        let mut stream = UnixStream::connect(&place.path).await.unwrap();
        stream.write_all(b"{\"request\":").await.unwrap();
        slow.push(stream);
    }
    // This one waits until they are through.
    let answer = ask(&place.path, json!({ "request": "status" })).await;
    assert!(answer["ok"].is_object(), "{answer}");
    for stream in &mut slow {
        assert_eq!(code(&hear(stream).await), "TIMEOUT");
    }
    within(node.close()).await;
}

#[tokio::test]
async fn whoever_does_not_take_the_answer_does_not_hold_up_the_closing() {
    let place = Place::new();
    let node = place.node().await;
    let mut stream = UnixStream::connect(&place.path).await.unwrap();
    stream.write_all(b"{\"request\":\"status\"}\n").await.unwrap();
    let _silent = UnixStream::connect(&place.path).await.unwrap();
    within(node.close()).await;
    until("the socket is gone", || !place.path.exists()).await;
}

#[tokio::test]
async fn the_settings_file_is_read_again() {
    let place = Place::new();
    let file = place.folder.path().join("settings.toml");
    fs::write(&file, "limits.dials = 3").unwrap();
    let node = start(listening().settings_file(&file).set("control", place.text())).await;
    fs::write(&file, "limits.dials = 4").unwrap();
    let answer = ask(&place.path, json!({ "request": "reload" })).await;
    assert_eq!(answer, json!({ "ok": null }));
    assert_eq!(node.status().settings["limits.dials"], 4);
    fs::write(&file, "limits.dials = 0").unwrap();
    let answer = ask(&place.path, json!({ "request": "reload" })).await;
    assert_eq!(code(&answer), "SETTINGS");
    assert_eq!(node.status().settings["limits.dials"], 4);
    within(node.close()).await;
}

#[tokio::test]
async fn a_node_without_a_settings_file_has_nothing_to_reload() {
    let place = Place::new();
    let node = place.node().await;
    let answer = ask(&place.path, json!({ "request": "reload" })).await;
    assert_eq!(code(&answer), "SETTINGS");
    within(node.close()).await;
}

#[tokio::test]
async fn the_socket_cannot_change_while_the_node_runs() {
    let place = Place::new();
    let node = start(listening()).await;
    let changes = [("control", place.text())].into_iter().collect();
    let error = within(node.update(changes)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(!place.path.exists());
}
