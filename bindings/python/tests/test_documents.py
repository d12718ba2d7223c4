"""Every example in the documentation runs, and talks with somebody."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import p2pchan
import pytest
from conftest import DEADLINE
from examples import Example, examples
from p2pchan import sync
from processes import PYTHON, ROOT, Process

EXAMPLES = list(examples(ROOT))


class Friends:
    """Two peers, so that a loop over remotes comes round: they say two things each, and hear.

    Each ends when it has heard something; at once, if not `patient`.
    """

    def __init__(self, patient: bool) -> None:
        self._patient = patient
        self.ids: set[str] = set()
        self._changed = threading.Condition()
        self._opened = 0
        self._heard = 0
        self._ended = 0

    def serve(self, node: sync.Node) -> None:
        for remote in node:
            if remote.peer in self.ids:
                # They have found each other.
                remote.refuse()
                continue
            threading.Thread(target=self._talk, args=(remote,), daemon=True).start()

    def _talk(self, remote: sync.Remote) -> None:
        self._count("_opened")
        with suppress(p2pchan.Error):
            remote.send("Hello")
            remote.send({"yo": "ppl"})
            if self._patient:
                remote.recv()
                self._count("_heard")
            remote.finish()
            for _ in remote:
                pass
        self._count("_ended")

    def _count(self, what: str) -> None:
        with self._changed:
            setattr(self, what, getattr(self, what) + 1)
            self._changed.notify_all()

    def are_there(self) -> bool:
        return self._opened >= 2

    def have_talked(self) -> bool:
        """One loop of the example has come round, or more."""
        return self._ended >= 1 and (self._heard >= 2 or not self._patient)

    def wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait(seconds)


@contextmanager
def friends(example: Example) -> Iterator[tuple[Friends, str, str]]:
    """With a DHT of their own: its entrance, and the address of one of them."""
    here = {"listen": "127.0.0.1:0", "discovery.bittorrent.address": "127.0.0.1"}
    both = Friends(not example.names() & {"node", "remote"})
    with sync.Node(here | {"discovery.bittorrent.bootstrap": "[]"}) as ann:
        sockets = {it["used_by"]: it["address"] for it in ann.status()["transport"]["sockets"]}
        entrance = sockets["bittorrent"].removeprefix("udp://")
        seeds = ann.addresses[0].removeprefix("tcp://")
        with sync.Node(here | {"discovery.bittorrent.bootstrap": entrance}) as ben:
            both.ids = {ann.id, ben.id}
            for node in (ann, ben):
                for subject in example.subjects():
                    node.discover(subject)
                threading.Thread(target=both.serve, args=(node,), daemon=True).start()
            yield both, entrance, f"{seeds},{ben.addresses[0].removeprefix('tcp://')}"


def run(example: Example, path: Path) -> tuple[int, str, str]:
    """Its exit code and what it printed, after it has ended or was stopped when it had talked."""
    path.write_text(example.code, encoding="utf-8")
    runner = [*PYTHON, "-u", str(Path(__file__).with_name("examples.py"))]
    typing = "stdin" in example.code
    # It may take no remotes, so that none ends.
    watching = example.endless() and "node" in example.names() and "remote" not in example.names()
    until = time.monotonic() + DEADLINE
    with friends(example) as (both, entrance, address):
        with Process(*runner, str(path), example.mode, entrance, address) as process:
            told = False
            while process.child.poll() is None and not (example.endless() and both.have_talked()):
                if watching and both.are_there() and process.output.so_far():
                    break
                assert time.monotonic() < until, f"it neither ended nor talked: {process.errors.so_far()}"
                both.wait(0.05)
                if typing and not told and both.are_there():
                    process.say("Hello, dude!")
                    told = True
            if typing:
                process.hang_up()
            elif example.endless():
                with suppress(ProcessLookupError):
                    process.child.send_signal(signal.SIGINT)
            code = process.wait()
            process.output.rest(), process.errors.rest()
            return code, "\n".join(process.output.seen), "\n".join(process.errors.seen)


WRONG = r"(?m)^[\w.]*(Error|Exception|ExceptionGroup|Warning)\b|never|ignored|panicked"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.place)
def test_an_example_does_what_it_says(example: Example, tmp_path: Path) -> None:
    code, output, errors = run(example, tmp_path / "example.py")
    assert code == 0, output + errors
    assert not re.search(WRONG, errors), errors
    if "print" in example.code and example.mode == "program":
        assert output, f"it prints nothing: {code} {errors}"


def test_there_are_examples_of_every_kind() -> None:
    assert {example.mode for example in EXAMPLES} >= {"program", "fragment"}
    assert len(EXAMPLES) >= 6, os.fspath(ROOT)
