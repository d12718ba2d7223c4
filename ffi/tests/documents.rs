//! The programs in docs/tutorial-c.md and README.md compile, and do what these say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use common::{DEADLINE, Linked, Program, repository};
use p2pchan::{Node, Testnet};
use tokio::{runtime::Runtime, time::timeout};

/// The blocks of C in a document, each a file in the folder.
fn programs(document: &str, folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(repository().join(document)).unwrap();
    let blocks = text.split("\n```c\n").skip(1);
    let blocks = blocks.map(|block| block.split_once("```\n").unwrap().0);
    let write = |(number, block)| {
        let path = folder.join(format!("{number}.c"));
        fs::write(&path, block).unwrap();
        path.to_str().unwrap().to_owned()
    };
    blocks.enumerate().map(write).collect()
}

fn compiled(source: &str) -> Program {
    Program::compile(source, Linked::Shared, &["-std=c99"])
}

#[test]
fn the_tutorial_leads_to_the_example_and_each_step_works() {
    let folder = tempfile::tempdir().unwrap();
    let sources = programs("docs/tutorial-c.md", folder.path());
    let [hello, meet, chat] = &sources[..] else { panic!("{} programs", sources.len()) };

    let hello = compiled(hello).start(&[]);
    hello.hear("tcp://127.0.0.1:");
    hello.hear("quic://127.0.0.1:");

    Runtime::new().unwrap().block_on(meets(&compiled(meet)));

    let example = fs::read_to_string(repository().join("examples/c/chat.c")).unwrap();
    assert!(fs::read_to_string(chat).unwrap() == example, "the chat is not examples/c/chat.c");
}

/// Somebody else is a node in Rust, as its address is known.
async fn meets(meet: &Program) {
    let node = Node::builder().set("listen", "127.0.0.1:0").start().await.unwrap();
    node.discover("My Cool Service 1.0").unwrap();
    let mut meet = meet.start(&["127.0.0.1:0", &node.addresses()[0].to_string()]);
    let remote = timeout(DEADLINE, node.next_remote()).await;
    let mut remote = remote.expect("nobody comes").unwrap();
    remote.send("Hello yourself!").await.unwrap();
    let said = timeout(DEADLINE, remote.recv()).await.expect("nothing is said").unwrap();
    assert_eq!(said.unwrap().as_text(), Some("Hello, dude!"));
    meet.hear("found somebody for My Cool Service 1.0 at ");
    assert_eq!(meet.hear("they say: "), "Hello yourself!");
    meet.say("");
    assert!(meet.hang_up().success());
    node.close().await;
}

#[test]
fn the_program_of_the_readme_says_hello_to_another_in_a_dht() {
    let folder = tempfile::tempdir().unwrap();
    let source = programs("README.md", folder.path()).pop().unwrap();
    let runtime = Runtime::new().unwrap();
    let testnet = runtime.block_on(Testnet::builder(3).start()).unwrap();
    let program = fs::read_to_string(&source).unwrap();
    for stands in ["0.0.0.0:0", "\"public\""] {
        assert!(program.contains(stands), "{stands} is not in the program any more");
    }
    // On this machine, not in the world.
    let entrance = format!("\"{}\"", testnet.bootstrap()[0]);
    let program = program.replace("0.0.0.0:0", "127.0.0.1:0").replace("\"public\"", &entrance);
    fs::write(&source, program).unwrap();
    let options = ["-std=c99", "-Wno-unused-parameter"];
    let program = Program::compile(&source, Linked::Shared, &options);
    let (near, far) = (program.start(&[]), program.start(&[]));
    assert_eq!(near.hear("they say: "), "Hello, dude!");
    assert_eq!(far.hear("they say: "), "Hello, dude!");
}

/// For each event, the members of its object.
type Events = BTreeMap<String, BTreeSet<String>>;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// Every word of small letters and underscores that stands between two marks.
fn words(text: &str, open: &str, close: &str) -> BTreeSet<String> {
    let rests = text.match_indices(open).map(|(place, _)| &text[place + open.len()..]);
    let between = rests.filter_map(|rest| Some(rest.split_once(close)?.0.to_owned()));
    let is_word = |text: &String| text.bytes().all(|it| it == b'_' || it.is_ascii_lowercase());
    between.filter(|text| !text.is_empty() && is_word(text)).collect()
}

/// What the code says: an arm for each event.
fn events_told() -> Events {
    let code = read("core/pump/src/events.rs");
    let (_, named) = code.split_once("fn named").unwrap();
    let (named, _) = named.split_once("\n}\n").unwrap();
    let named = named.replace("event => ", "Event::");
    let told = named.split("Event::").skip(1).map(|arm| {
        let (_, object) = arm.split_once("=>").unwrap_or(("", arm));
        let names = words(object, "\"", "\",");
        let mut members = words(object, "\"", "\":");
        if object.contains("with_error") {
            members.extend(["code".into(), "error".into()]);
        }
        (names.into_iter().next().unwrap(), members)
    });
    told.chain([("stopped".into(), BTreeSet::new())]).collect()
}

/// What the page says: a row for each event, or for some with the same object.
fn events_listed() -> Events {
    let page = read("docs/status.md");
    let (_, table) = page.split_once("| name | object |\n|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let listed = rows.flat_map(|row| {
        let (names, object) = row[1..].split_once('|').unwrap();
        let members = words(object, "`", "`");
        words(names, "`", "`").into_iter().map(move |name| (name, members.clone()))
    });
    listed.collect()
}

#[test]
fn the_events_that_are_told_are_those_of_the_page_and_have_its_members() {
    assert_eq!(events_told(), events_listed());
}
