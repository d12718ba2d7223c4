"""p2pchan in the manner of p2pchannels, a module for Node.js."""

import queue
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, network
from p2pchan import P2PChannels, sync
from p2pchan.p2pchannels import Remote
from processes import PYTHON, ROOT, Process

SEEDS = ROOT / "tests/seeds"


def test_the_readme_of_p2pchannels_works_word_for_word_in_python(tmp_path: Path) -> None:
    code = (SEEDS / "p2pchannels.py").read_text(encoding="utf-8")
    assert "60000" in code
    # The minute passes faster, and what is beyond this machine is here; see examples.py.
    program = tmp_path / "p2pchannels.py"
    program.write_text(code.replace("60000", "100"), encoding="utf-8")
    runner = [*PYTHON, str(Path(__file__).with_name("examples.py")), str(program), "program"]
    here = {"listen": "127.0.0.1:0", "discovery.bittorrent.address": "127.0.0.1"}
    with network() as entrance, Process(*runner, entrance, "127.0.0.1:1") as process:
        dht = {"discovery.bittorrent.bootstrap": entrance, "discovery.lookup_interval": "1s"}
        with sync.Node(here | dht) as friend:
            wanted = {
                "My Cool Service protocol version 1.0",
                "Anther Cool Service",
                "My Cool Service Chatroom #blarf",
            }
            for subject in (*wanted, "My Cool Service protocol version 0.9"):
                friend.discover(subject)
            remotes: list[sync.Remote] = []
            for _ in range(3):
                remote = friend.next_remote(DEADLINE)
                wanted.remove(remote.subject)
                assert [remote.recv(DEADLINE), remote.recv(DEADLINE)] == ["Hello, dude!", {"yo": "ppl"}]
                remote.send(f"for {remote.subject}")
                assert process.output.next() == f"for {remote.subject}"
                # One that ends may soon be followed by another.
                remotes.append(remote)
            remotes[0].end(DEADLINE)
            assert process.output.next() == "Connection closed."
            # It lives on, although its script has come to its end.
            assert process.child.poll() is None
            process.child.send_signal(signal.SIGINT)
            assert process.wait() == 0
            assert process.errors.rest() == []


def test_a_discovery_service_as_p2pchannels_has_them_finds_others(tmp_path: Path) -> None:
    book = tmp_path / "book"
    with sync.Node(listen="tcp://127.0.0.1:0") as first, sync.Node(listen="tcp://127.0.0.1:0") as second:
        first.discover("before the service")
        second.discover("after the service")
        lines = [
            f"127.0.0.1 {node.addresses[0].rpartition(':')[2]} {subject}\n"
            for node, subject in ((first, "before the service"), (second, "after the service"))
        ]
        book.write_text("".join(lines), encoding="utf-8")
        with Process(*PYTHON, str(SEEDS / "p2pchannels_service.py"), str(book)) as process:
            for node in (first, second):
                remote = node.next_remote(DEADLINE)
                assert remote.recv(DEADLINE) == "Hello, dude!"
                remote.send("hello")
                assert process.output.next() == f"{remote.subject}: hello"
            remote.send("goodbye")
            assert process.output.next() == "after the service: goodbye"
            assert process.output.next() == "removed after the service"
            assert process.wait() == 0
            assert process.errors.rest() == []


class Talk:
    """One P2PChannels that listens, another that dials it, and the remotes of both."""

    def __init__(self) -> None:
        self.near, self.far = P2PChannels(), P2PChannels()
        self._remotes: dict[str, queue.SimpleQueue[Remote]] = {}
        for name, channels in (("near", self.near), ("far", self.far)):
            self._remotes[name] = queue.SimpleQueue()
            channels.on("remote", self._remotes[name].put)
            channels.discover(SUBJECT)
        self.near.listen(0, "127.0.0.1")
        port = self.near.addresses[0].rpartition(":")[2]
        book = P2PChannels.EventEmitter()
        book.start = lambda _: book.emit("discovery", "127.0.0.1", port, SUBJECT)  # type: ignore[attr-defined]
        self.far.add_discovery_service(book)  # type: ignore[arg-type]

    def remotes(self) -> tuple[Remote, Remote]:
        return self._remotes["near"].get(timeout=DEADLINE), self._remotes["far"].get(timeout=DEADLINE)


@contextmanager
def talk() -> Iterator[Talk]:
    both = Talk()
    with both.near, both.far:
        yield both


def heard(remote: Remote) -> "queue.SimpleQueue[Any]":
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    remote.on("data", messages.put)
    return messages


def test_both_know_who_it_is_and_every_thread_may_send() -> None:
    with talk() as both:
        here, there = both.remotes()
        assert (here.id, there.id) == (both.far.id, both.near.id)
        assert here.subject == there.subject == SUBJECT
        assert both.near.remotes == [here] and both.far.remotes == [there]
        messages = heard(there)

        def send() -> None:
            for number in range(500):
                here.send(number)

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads:
            thread.start()
        arrived = [messages.get(timeout=DEADLINE) for _ in range(1_500)]
        assert sorted(arrived) == sorted(list(range(500)) * 3)
        for thread in threads:
            thread.join(DEADLINE)


def test_functions_run_in_one_thread_and_may_call_everything() -> None:
    with talk() as both:
        here, there = both.remotes()
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def on_data(message: Any) -> None:
            there.send([message])
            both.far.listen(0, "127.0.0.1")
            done.put((both.far.discover("another"), both.far.discover("another"), both.far.subjects[:]))
            done.put((both.far.stop_discover("another"), both.far.stop_discover("another")))
            done.put(threading.current_thread().name)

        there.on("data", on_data)
        answers = heard(here)
        here.send("first")
        assert answers.get(timeout=DEADLINE) == ["first"]
        assert done.get(timeout=DEADLINE) == (True, False, [SUBJECT, "another"])
        assert done.get(timeout=DEADLINE) == (True, False)
        assert done.get(timeout=DEADLINE) == "p2pchannels"


def test_a_full_buffer_makes_a_thread_wait_and_a_function_raise() -> None:
    with talk() as both:
        here, there = both.remotes()
        chunk = bytes(64 * 1024)
        sent: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()

        def flood(_: Any) -> None:
            count = 0
            try:
                while True:
                    here.send(chunk)
                    count += 1
            except p2pchan.WouldBlockError:
                sent.put(count)

        here.on("data", flood)
        there.send("begin")
        count = sent.get(timeout=DEADLINE)
        assert isinstance(count, int) and count > 0

        def send() -> None:
            for _ in range(100):
                here.send(chunk)

        waiting = threading.Thread(target=send)
        waiting.start()
        messages = heard(there)
        for _ in range(count + 100):
            assert messages.get(timeout=DEADLINE) == chunk
        waiting.join(DEADLINE)
        assert not waiting.is_alive()


def test_the_end_is_told_once_and_the_remote_is_forgotten() -> None:
    with talk() as both:
        here, there = both.remotes()
        ends: queue.SimpleQueue[str] = queue.SimpleQueue()
        messages = heard(there)
        heard(here)
        here.on("end", lambda: ends.put("here"))
        there.on("end", lambda: ends.put("there"))
        here.send("the last")
        here.end()
        assert messages.get(timeout=DEADLINE) == "the last"
        there.end()
        assert {ends.get(timeout=DEADLINE), ends.get(timeout=DEADLINE)} == {"here", "there"}
        with pytest.raises(p2pchan.ClosedError):
            here.send("too late")
        assert here not in both.near.remotes


def test_remotes_that_open_before_anybody_asks_for_them_are_kept() -> None:
    with P2PChannels() as channels, sync.Node(listen="tcp://127.0.0.1:0") as node:
        node.discover(SUBJECT)
        channels.discover(SUBJECT)
        channels.listen(0, "127.0.0.1")
        remote = node.connect(channels.addresses[0], DEADLINE)
        remote.send("early")
        came: queue.SimpleQueue[Remote] = queue.SimpleQueue()
        channels.on("remote", came.put)
        assert heard(came.get(timeout=DEADLINE)).get(timeout=DEADLINE) == "early"


def test_what_is_wrong_is_said_at_once_and_changes_nothing() -> None:
    with P2PChannels() as channels, socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(p2pchan.NetworkError, match=str(taken.getsockname()[1])):
            channels.listen(taken.getsockname()[1], "127.0.0.1")
        with pytest.raises(p2pchan.SettingsError, match="bittorrent.port"):
            channels.add_discovery_service(P2PChannels.BitTorrentDHT(-1))
        with pytest.raises(p2pchan.InvalidError, match="remotes.*there are remote,"):
            channels.on("remotes", print)
        with pytest.raises(p2pchan.InvalidError):
            channels.discover("")
        assert channels.subjects == [] and channels.addresses == []


def test_a_removed_function_is_not_called_and_others_are() -> None:
    with P2PChannels() as channels:
        subjects: list[str] = []
        off = channels.on("addDiscoverSubject", subjects.append)
        channels.on("addDiscoverSubject", subjects.append)
        channels.discover("both")
        off()
        off()
        channels.discover("one")
        channels.on("removeDiscoverySubject", subjects.append)
        channels.stopDiscover("both")
        assert subjects == ["both", "both", "one", "both"]


def test_after_the_end_every_call_says_so() -> None:
    channels = P2PChannels()
    channels.close()
    channels.close()
    calls: list[Callable[[], object]] = [
        lambda: channels.discover(SUBJECT),
        lambda: channels.listen(0),
        lambda: channels.on("remote", print),
    ]
    for call in calls:
        with pytest.raises(p2pchan.ClosedError, match="make a new P2PChannels"):
            call()


ENDINGS = {
    "a close": ("channels.close()", 0, ""),
    "a with": ("with channels: pass", 0, ""),
    "Ctrl-C after the script": ("threading.Timer(0.1, ctrl_c).start()", 0, ""),
    "Ctrl-C in the script": ("ctrl_c(); time.sleep(60)", -2, "KeyboardInterrupt"),
}

SCRIPT = """
import os, signal, threading, time
from p2pchan import P2PChannels

def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)

channels, other = P2PChannels(), P2PChannels()
channels.listen(0, "127.0.0.1")
channels.discover("x")
ENDING
other.close()
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_script_ends(ending: str) -> None:
    code, status, words = ENDINGS[ending]
    script = SCRIPT.replace("ENDING", code)
    ended = subprocess.run([*PYTHON, "-c", script], timeout=DEADLINE, stderr=subprocess.PIPE, text=True)
    assert ended.returncode in (status, 130 if status == -2 else status), ended.stderr
    assert words in ended.stderr if words else ended.stderr == ""
