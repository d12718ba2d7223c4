//! Settings and names that cannot be: refused before anything opens, with a message that names the
//! thing, the value and the remedy.

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
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use common::{event, listening, node, own_ip, within};
use p2pchan::{Builder, Error, ErrorKind, Event, Node, Value};

async fn refused(builder: Builder) -> Error {
    within(builder.start()).await.expect_err("it started")
}

/// That starting fails with this kind, and that the message has all of these words.
async fn assert_refused(builder: Builder, kind: ErrorKind, words: &[&str]) {
    let error = refused(builder).await;
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.message().contains(word), "{word:?} is missing in: {error}");
    }
}

async fn assert_setting_refused(key: &str, value: impl Into<Value>, words: &[&str]) {
    let builder = Node::builder().set(key, value);
    assert_refused(builder, ErrorKind::Settings, &[&[key], words].concat()).await;
}

#[tokio::test]
async fn an_unknown_setting_is_refused_with_the_nearest_name() {
    assert_setting_refused("limits.mesage", "1MiB", &["limits.message"]).await;
    assert_setting_refused("lissten", "127.0.0.1:0", &["listen"]).await;
}

#[tokio::test]
async fn a_setting_of_the_wrong_type_is_refused_with_its_value() {
    assert_setting_refused("limits.message", true, &["true"]).await;
    assert_setting_refused("timeouts.close", "soon", &["soon"]).await;
    assert_setting_refused("limits.dials", Value::List(vec![3.into()]), &["3"]).await;
    assert_setting_refused("listen", 5, &["5"]).await;
    assert_setting_refused("allow", "nobody", &["nobody"]).await;
}

#[tokio::test]
async fn a_number_out_of_range_is_refused_with_the_range() {
    assert_setting_refused("limits.dials", 0, &["0", "1", "256"]).await;
    assert_setting_refused("limits.subjects", 257, &["257", "256"]).await;
}

#[tokio::test]
async fn a_port_over_65535_is_refused() {
    assert_setting_refused("listen", "127.0.0.1:65536", &["65536"]).await;
    assert_setting_refused("discovery.seeds", "127.0.0.1:65536", &["65536"]).await;
    assert_setting_refused("discovery.bittorrent.port", 65536, &["65536"]).await;
    assert_setting_refused("listen", "127.0.0.1:65500~65536", &["65536"]).await;
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused_with_both_names() {
    let builder = Node::builder().set("limits.message", "1GiB");
    assert_refused(builder, ErrorKind::Settings, &["limits.message", "limits.reassembly"]).await;
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let builder = Node::builder().set("listen", address.as_str());
    assert_refused(builder, ErrorKind::Io, &[&address]).await;
}

#[tokio::test]
async fn the_first_free_port_of_a_range_is_taken_and_a_full_range_is_named() {
    // Two neighbours of which the first is taken here, and both in the end.
    let (first, second) = neighbours();
    let taken = first.local_addr().unwrap().port();
    let next = second.local_addr().unwrap().port();
    drop(second);
    let range = format!("{}:{taken}~{next}", own_ip());
    let node = Node::builder().set("listen", range.as_str()).start().await.unwrap();
    assert_eq!(node.addresses()[0].socket.port(), next);
    assert_refused(Node::builder().set("listen", range.as_str()), ErrorKind::Io, &[&range]).await;
}

fn neighbours() -> (TcpListener, TcpListener) {
    loop {
        let first = TcpListener::bind((own_ip(), 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let next = port.checked_add(1).map(|next| TcpListener::bind((own_ip(), next)));
        if let Some(Ok(second)) = next {
            return (first, second);
        }
    }
}

#[tokio::test]
async fn a_udp_port_in_use_is_an_error_that_names_it() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let builder = Node::builder()
        .set("discovery.bittorrent.bootstrap", "127.0.0.1:1")
        .set("discovery.bittorrent.address", "127.0.0.1")
        .set("discovery.bittorrent.port", i64::from(port));
    assert_refused(builder, ErrorKind::Io, &[&port.to_string()]).await;
}

#[tokio::test]
async fn a_node_that_could_not_start_leaves_no_port_taken() {
    let (first, second) = neighbours();
    let free = second.local_addr().unwrap();
    drop(second);
    let taken = first.local_addr().unwrap().to_string();
    let list = Value::List(vec![free.to_string().into(), taken.as_str().into()]);
    assert_refused(Node::builder().set("listen", list), ErrorKind::Io, &[&taken]).await;
    TcpListener::bind(free).unwrap();
}

fn with_identity(path: &Path) -> Builder {
    Node::builder().set("identity", path.to_str().unwrap())
}

#[tokio::test]
async fn a_key_file_that_cannot_be_read_or_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // Links that lead to each other stop even root, who could read any file.
    let circle = folder.path().join("circle");
    symlink(&circle, &circle).unwrap();
    for path in [circle, folder.path().join("no/such/folder/key")] {
        assert_refused(with_identity(&path), ErrorKind::Io, &[path.to_str().unwrap()]).await;
    }
}

#[tokio::test]
async fn a_key_file_that_is_no_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let words = [folder.path().to_str().unwrap(), "not a file"];
    assert_refused(with_identity(folder.path()), ErrorKind::Settings, &words).await;
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let made = with_identity(&path).start().await.unwrap();
    let again = with_identity(&path).start().await.unwrap();
    assert_eq!(made.id(), again.id());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let words = [path.to_str().unwrap(), "640", "chmod 600"];
    assert_refused(with_identity(&path), ErrorKind::Settings, &words).await;
}

#[tokio::test]
async fn subjects_and_secrets_have_1_to_256_bytes_without_nul() {
    let node = node().await;
    for (bad, word) in [("", "empty"), (&*"x".repeat(257), "257"), ("a\0b", "NUL")] {
        for error in [
            node.discover(bad).unwrap_err(),
            node.stop_discover(bad).unwrap_err(),
            node.discover_with_secret(bad, "secret").unwrap_err(),
            node.discover_with_secret("subject", bad).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(word), "{error}");
        }
    }
    node.discover(&"x".repeat(256)).unwrap();
    // 256 bytes, not characters.
    node.discover(&"ü".repeat(128)).unwrap();
    assert!(node.discover(&"ü".repeat(129)).unwrap_err().message().contains("258"));
    node.close().await;
}

#[tokio::test]
async fn discovering_without_a_discovery_service_is_one_warning_that_says_what_to_set() {
    let node = listening().start().await.unwrap();
    let mut events = node.events();
    let discovery = node.discover("lonely").unwrap();
    let warning = event(&mut events, |event| match event {
        Event::Warning { message } => Some(message.clone()),
        _ => None,
    })
    .await;
    assert!(warning.contains("discovery.seeds"), "{warning}");
    assert!(warning.contains("discovery.bittorrent.bootstrap"), "{warning}");
    within(discovery.flushed()).await.unwrap();
    within(node.discover("lonely, too").unwrap().flushed()).await.unwrap();
    assert_eq!(node.status().totals.warnings, 1);
}

#[tokio::test]
async fn no_more_subjects_than_the_limit_are_discovered_at_once() {
    let node = listening().set("limits.subjects", 2).start().await.unwrap();
    node.discover_topic([1; 32]).unwrap();
    let second = node.discover_topic([2; 32]).unwrap();
    let error = node.discover_topic([3; 32]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains("limits.subjects"), "{error}");
    // Discovering one of them again is no further subject, and stopping one makes room.
    node.discover_topic([1; 32]).unwrap();
    second.stop();
    node.discover_topic([3; 32]).unwrap();
}

#[tokio::test]
async fn a_subject_is_not_discovered_with_two_secrets_at_once() {
    let node = listening().start().await.unwrap();
    node.discover_with_secret("subject", "one").unwrap();
    assert_eq!(node.discover("subject").unwrap_err().kind(), ErrorKind::Invalid);
    node.stop_discover("subject").unwrap();
    node.discover_with_secret("subject", "two").unwrap();
}

#[tokio::test]
async fn a_closed_node_says_so() {
    let (node, other) = (node().await, node().await);
    node.close().await;
    assert_eq!(node.discover("subject").unwrap_err().kind(), ErrorKind::Closed);
    let error = node.connect(other.addresses()[0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(node.next_remote().await.is_none());
    within(node.close()).await;
}
