"""The interface that blocks."""

import signal
import threading
import time
from contextlib import suppress
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, sync_pair
from p2pchan import sync


def test_two_nodes_find_each_other_and_talk() -> None:
    with sync.Node(listen="tcp://127.0.0.1:0") as first:
        first.discover(SUBJECT).flushed(DEADLINE)
        with sync.Node(discovery={"seeds": first.addresses}) as second:
            second.discover(SUBJECT)
            here, there = first.next_remote(DEADLINE), second.next_remote(DEADLINE)
            here.send({"a": [1]})
            there.send("text")
            assert (here.recv(DEADLINE), there.recv(DEADLINE)) == ("text", {"a": [1]})
            assert SUBJECT not in repr(here) + repr(first)


def test_a_thread_sends_while_another_reads_until_the_end() -> None:
    with sync_pair() as (here, there):

        def send() -> None:
            with here:
                here.send_many(range(5_000))
                for number in range(5_000, 6_000):
                    here.send([number, bytes(2_000).hex()])

        sending = threading.Thread(target=send)
        sending.start()
        arrived = [message[0] if isinstance(message, list) else message for message in there]
        assert arrived == list(range(6_000))
        there.finish()
        sending.join(DEADLINE)
        assert not sending.is_alive()


def test_threads_that_read_one_remote_share_its_messages() -> None:
    total = 60_000
    with sync_pair() as (here, there):
        shares: list[list[Any]] = [[], [], [], []]

        def one_by_one(share: list[Any]) -> None:
            with suppress(p2pchan.ClosedError):
                while True:
                    share.append(there.recv())

        def many(share: list[Any]) -> None:
            while messages := there.recv_many(3):
                share.extend(messages)

        ways = [one_by_one, one_by_one, many, lambda share: share.extend(there)]
        reading = [threading.Thread(target=way, args=[share]) for way, share in zip(ways, shares, strict=True)]
        for thread in reading:
            thread.start()
        here.send_many(range(total))
        here.finish()
        for thread in reading:
            thread.join(DEADLINE)
            assert not thread.is_alive()
        there.finish()
        assert sorted(sum(shares, [])) == list(range(total))


def test_what_does_not_fit_is_sent_once_there_is_room() -> None:
    with sync_pair() as (here, there):
        batch = [number.to_bytes(4, "big") + bytes(16 * 1024) for number in range(400)]

        def send() -> None:
            here.send_many(batch[:200])
            for message in batch[200:]:
                here.send(message)

        sending = threading.Thread(target=send)
        sending.start()
        until = time.monotonic() + DEADLINE
        # It waits for room when it turns the node.
        while not here._node._turning:
            assert time.monotonic() < until
            time.sleep(0.001)
        assert [there.recv(DEADLINE) for _ in batch] == batch
        sending.join(DEADLINE)
        assert not sending.is_alive()


def test_a_timeout_loses_nothing() -> None:
    with sync_pair() as (here, there):
        with pytest.raises(TimeoutError) as raised:
            there.recv(timeout=0.01)
        assert isinstance(raised.value, p2pchan.TimeoutError)
        here.send("late")
        assert there.recv(DEADLINE) == "late"
        full = 0
        with pytest.raises(TimeoutError):
            while True:
                here.send(full.to_bytes(4, "big") + bytes(60_000), timeout=0.05)
                full += 1
        for number in range(full):
            message = there.recv(DEADLINE)
            assert isinstance(message, bytes) and int.from_bytes(message[:4], "big") == number
        here.send("the next")
        assert there.recv(DEADLINE) == "the next"


def test_ctrl_c_ends_the_wait_and_nothing_else() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with sync_pair() as (here, there):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(KeyboardInterrupt):
                there.recv()
            here.send("still here")
            assert there.recv(DEADLINE) == "still here"
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_refused_remote_ends_with_the_reason() -> None:
    with sync_pair() as (here, there):
        here.refuse()
        with pytest.raises(p2pchan.RefusedError):
            there.recv(DEADLINE)
        with pytest.raises(p2pchan.RefusedError):
            next(there)


def test_a_thread_that_waits_learns_that_the_node_has_stopped() -> None:
    node = sync.Node(listen="tcp://127.0.0.1:0").start()
    waiting = threading.Thread(target=lambda: list(node))
    waiting.start()
    node.stop()
    waiting.join(DEADLINE)
    assert not waiting.is_alive()
    with pytest.raises(p2pchan.ClosedError):
        node.next_remote(DEADLINE)
