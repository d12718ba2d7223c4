//! Two nodes on loopback, one of which tells a program that writes everything down.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use p2pchan::{Address, Batch, Error, ErrorKind, Newcomer, Node, Reason, Remote, Sender};
use tokio::{runtime::Runtime, sync::oneshot};

use crate::{Answer, Hub, Program, RemoteId, Turn};

const DEADLINE: Duration = Duration::from_secs(60);
const TOPIC: [u8; 32] = [7; 32];

/// What it was told, in order.
#[derive(Default)]
struct Diary {
    lines: Mutex<Vec<String>>,
    /// The most messages at once.
    batch: usize,
    /// The largest number that came at once.
    largest: AtomicUsize,
}

impl Diary {
    fn note(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|it| it == line)
    }
}

impl Program for Diary {
    fn remote(&self, _: RemoteId, _: &Sender) {
        self.note("remote");
    }

    fn messages(&self, _: RemoteId, messages: &mut Batch) -> bool {
        let count = messages.len().min(self.batch);
        self.largest.fetch_max(count, Ordering::Relaxed);
        messages.take(count).for_each(|it| self.note(it.as_text().unwrap()));
        true
    }

    fn writable(&self, _: RemoteId) {
        self.note("writable");
    }

    fn ended(&self, _: RemoteId, reason: Option<&Reason>) {
        self.note(format!("ended {:?}", reason.map(Reason::is_clean)));
    }

    fn result(&self, request: u64, result: Result<Option<RemoteId>, &Error>) {
        self.note(format!(
            "result {request} {:?}",
            result.map(|it| it.is_some()).map_err(Error::kind)
        ));
    }

    fn event(&self, name: &str, _: &str) {
        self.note(name);
    }

    fn wants_events(&self) -> bool {
        false
    }

    fn newcomer(&self, _: &Newcomer, answer: Answer) {
        answer.give(false);
    }
}

/// A node that tells the diary, its peer, and the peer's remote to it.
struct Scene {
    runtime: Runtime,
    hub: Arc<Hub>,
    diary: Arc<Diary>,
    near: Node,
    far: Node,
}

impl Scene {
    fn new(batch: usize) -> Self {
        let runtime = Runtime::new().unwrap();
        let diary = Arc::new(Diary { batch, ..Diary::default() });
        let hub = Hub::new(diary.clone());
        let (near, far) = runtime.block_on(async {
            let listening = || Node::builder().set("listen", "tcp://127.0.0.1:0").start();
            (listening().await.unwrap(), listening().await.unwrap())
        });
        for node in [&near, &far] {
            node.discover_topic(TOPIC).unwrap();
        }
        hub.begin(near.clone());
        Self { runtime, hub, diary, near, far }
    }

    fn meet(&self) -> (Remote, RemoteId) {
        let to_near = self.connect(self.near.addresses()[0]);
        self.turn_until(|diary| diary.has("remote"));
        (to_near, self.hub.remotes()[0])
    }

    fn connect(&self, address: Address) -> Remote {
        self.runtime.block_on(self.far.connect(address)).unwrap()
    }

    fn send(&self, remote: &Remote, text: &str) {
        self.runtime.block_on(remote.send(text)).unwrap();
    }

    fn turn_until(&self, holds: impl Fn(&Diary) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !holds(&self.diary) {
            assert_eq!(self.hub.pump().turn(Some(until)), Turn::Ran, "{:?}", self.diary.lines());
        }
    }

    fn stop(&self) {
        let near = self.near.clone();
        let closing = self.runtime.spawn(async move { near.close().await });
        self.hub.stop(async { closing.await.unwrap() });
    }
}

#[test]
fn messages_come_in_order_between_beginning_and_end() {
    for batch in [1, 7] {
        let scene = Scene::new(batch);
        let (to_near, id) = scene.meet();
        let texts: Vec<_> = (0..3000).map(|number| format!("message {number}")).collect();
        texts.iter().for_each(|text| scene.send(&to_near, text));
        let ending = scene.runtime.spawn(to_near.end());
        scene.turn_until(|diary| diary.has("message 2999"));
        scene.hub.with_recent(id, |_| ()).unwrap();
        scene.hub.with(id, |entry| entry.sender.finish()).unwrap();
        scene.turn_until(|diary| diary.has("ended Some(true)"));
        scene.runtime.block_on(ending).unwrap().unwrap();
        let lines = scene.diary.lines();
        assert_eq!((lines[0].as_str(), lines.len()), ("remote", 3002));
        assert_eq!(lines[1..3001], texts);
        assert_eq!(scene.diary.largest.load(Ordering::Relaxed), batch);
        assert_eq!(scene.hub.with(id, |_| ()).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(scene.hub.with_recent(id, |_| ()).unwrap_err().kind(), ErrorKind::Closed);
        assert!(scene.hub.remotes().is_empty());
    }
}

#[test]
fn a_paused_remote_tells_nothing_until_it_is_resumed() {
    let scene = Scene::new(1);
    let (to_near, id) = scene.meet();
    scene.hub.with(id, |entry| entry.pause()).unwrap();
    scene.send(&to_near, "patience");
    let ending = scene.runtime.spawn(to_near.end());
    let until = Instant::now() + DEADLINE;
    while scene.near.status().totals.messages_received == 0 {
        assert!(Instant::now() < until, "the message does not arrive");
        std::thread::yield_now();
    }
    while scene.hub.pump().turn(Some(Instant::now())) == Turn::Ran {}
    assert_eq!(scene.diary.lines(), ["remote"]);
    scene.hub.with(id, |entry| entry.resume()).unwrap();
    scene.turn_until(|diary| diary.has("patience"));
    scene.hub.with(id, |entry| entry.sender.finish()).unwrap();
    scene.turn_until(|diary| diary.has("ended Some(true)"));
    scene.runtime.block_on(ending).unwrap().unwrap();
    assert_eq!(scene.diary.lines(), ["remote", "patience", "ended Some(true)"]);
}

#[test]
fn what_a_thread_remembers_of_a_remote_counts_for_its_node_alone() {
    let scene = Scene::new(1);
    let (_to_near, id) = scene.meet();
    let other = Hub::new(scene.diary.clone());
    for _ in 0..2 {
        scene.hub.with_recent(id, |_| ()).unwrap();
        assert_eq!(other.with_recent(id, |_| ()).unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[test]
fn a_blocked_sender_hears_once_that_there_is_room() {
    let scene = Scene::new(1);
    let (mut to_near, id) = scene.meet();
    let entry = scene.hub.with(id, Arc::clone).unwrap();
    let mut sent = 0;
    while entry.sender.try_send([0; 60_000]).is_ok() {
        sent += 1;
    }
    scene.hub.await_room(id, entry.clone());
    scene.hub.await_room(id, entry.clone());
    let reading = scene.runtime.spawn(async move {
        for _ in 0..sent {
            to_near.recv().await.unwrap().unwrap();
        }
        to_near
    });
    scene.turn_until(|diary| diary.has("writable"));
    let _to_near = scene.runtime.block_on(reading).unwrap();
    while scene.hub.pump().turn(Some(Instant::now())) == Turn::Ran {}
    assert_eq!(scene.diary.lines(), ["remote", "writable"]);
    entry.sender.try_send("there is room").unwrap();
}

#[test]
fn the_last_that_is_told_is_that_the_node_has_stopped() {
    let scene = Scene::new(1);
    let (to_near, id) = scene.meet();
    scene.send(&to_near, "never read");
    scene.hub.with(id, |entry| entry.pause()).unwrap();
    let request = scene.hub.request(true).unwrap();
    let (late, answer) = oneshot::channel::<()>();
    let answer = async move {
        answer.await.unwrap();
        Ok(None)
    };
    scene.hub.answer(request, answer).unwrap();
    scene.stop();
    scene.stop();
    assert_eq!(scene.hub.request(true).err().unwrap().kind(), ErrorKind::Closed);
    scene.turn_until(|diary| diary.lines().iter().any(|line| line.starts_with("ended")));
    scene.runtime.block_on(scene.near.close());
    while scene.hub.pump().turn(Some(Instant::now())) == Turn::Ran {}
    assert!(!scene.diary.has("stopped"), "an answer is not here yet");
    late.send(()).unwrap();
    let until = Some(Instant::now() + DEADLINE);
    while scene.hub.pump().turn(until) == Turn::Ran {}
    assert_eq!(scene.hub.pump().turn(until), Turn::Ended);
    assert_eq!(scene.diary.lines()[2..], ["result 1 Ok(false)", "stopped"]);
}

#[test]
fn the_remote_of_a_request_is_told_before_its_answer() {
    let scene = Scene::new(1);
    let request = scene.hub.request(true).unwrap();
    let (near, address) = (scene.near.clone(), scene.far.addresses()[0]);
    let dialling = scene.runtime.spawn(async move { near.connect(address).await.map(Some) });
    scene.hub.answer(request, async { dialling.await.unwrap() }).unwrap();
    scene.turn_until(|diary| diary.has("result 1 Ok(true)"));
    assert_eq!(scene.diary.lines(), ["remote", "result 1 Ok(true)"]);
}
