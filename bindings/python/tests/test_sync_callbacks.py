"""Functions that are called when something happens, in the thread that waits."""

import logging
import threading
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, sync_pair
from p2pchan import sync

LISTEN = {"listen": "tcp://127.0.0.1:0"}


def test_a_program_of_functions_runs_until_one_of_them_stops_it() -> None:
    heard: list[Any] = []
    near = sync.Node(LISTEN)

    def on_remote(remote: sync.Remote) -> None:
        remote.on("data", heard.append)
        remote.on("end", near.stop)

    near.on("remote", on_remote)
    near.on("stopped", lambda event: heard.append((event.name, threading.current_thread())))
    with near, sync.Node(LISTEN) as far:
        near.discover(SUBJECT)
        far.discover(SUBJECT)
        address = near.addresses[0]

        def talk() -> None:
            there = far.connect(address, DEADLINE)
            there.send_many(range(1_000))
            there.finish()

        talking = threading.Thread(target=talk)
        talking.start()
        while near.run(DEADLINE):
            pass
        talking.join(DEADLINE)
        assert heard == [*range(1_000), ("stopped", threading.current_thread())]


def test_functions_run_in_any_call_that_waits_and_may_wait_themselves() -> None:
    with sync_pair() as (here, there):
        heard: list[Any] = []

        def answer(message: p2pchan.Message) -> None:
            heard.append(message)
            # More than fits: it waits inside a function.
            here.send_many([bytes(60_000)] * 100)

        def drain() -> None:
            for _ in range(3 * 100):
                there.recv(DEADLINE)

        here.on("data", answer)
        there.send_many([1, 2, 3])
        draining = threading.Thread(target=drain)
        draining.start()
        while len(heard) < 3:
            assert here._node.run(0.01)
        draining.join(DEADLINE)
        assert not draining.is_alive() and heard == [1, 2, 3]


def test_one_function_runs_at_a_time_though_many_threads_wait() -> None:
    with sync_pair() as (here, there):
        inside, heard = threading.Lock(), []
        node = here._node

        def hear(message: p2pchan.Message) -> None:
            assert inside.acquire(blocking=False)
            heard.append(message)
            inside.release()
            if len(heard) == 2_000:
                node.stop()

        waiting = [threading.Thread(target=node.run) for _ in range(3)]
        for thread in waiting:
            thread.start()
        here.on("data", hear)
        there.send_many(range(2_000))
        for thread in waiting:
            thread.join(DEADLINE)
            assert not thread.is_alive()
        assert heard == list(range(2_000))


def test_a_function_that_waits_is_not_interrupted_by_another() -> None:
    with sync_pair() as (here, there), sync.Node() as other:
        node, heard = here._node, []
        other.discover(SUBJECT)
        second = other.connect(node.addresses[0], DEADLINE)
        also_here = node.next_remote(DEADLINE)

        def hear(message: p2pchan.Message) -> None:
            heard.append(message)
            second.send("to the other")
            # It is here, and waits for its turn.
            while also_here._deliver not in node._due:
                assert node.run(0.01) and heard == ["to the first"]

        here.on("data", hear)
        also_here.on("data", heard.append)
        there.send("to the first")
        while len(heard) < 2:
            node.run(0.01)
        assert heard == ["to the first", "to the other"]


def test_run_without_time_calls_what_is_due_and_returns() -> None:
    with sync_pair() as (here, there):
        heard: list[Any] = []
        here.on("data", heard.append)
        there.send("now")
        while not heard:
            assert here._node.run(0)
        assert heard == ["now"]
        with pytest.raises(p2pchan.InvalidError, match="not started"):
            sync.Node(LISTEN).run(0)


def test_readers_and_functions_exclude_each_other_and_lose_nothing() -> None:
    with sync_pair() as (here, there):
        there.send_many(range(10))
        assert here.recv(DEADLINE) == 0
        heard: list[Any] = []
        off = here.on("data", heard.append)
        with pytest.raises(p2pchan.InvalidError, match="remove those functions"):
            here.recv(DEADLINE)
        with pytest.raises(p2pchan.InvalidError, match="remove those functions"):
            here.recv_many(timeout=DEADLINE)
        while len(heard) < 9:
            here._node.run(0.01)
        off()
        there.send("to the reader")
        assert here.recv(DEADLINE) == "to the reader"
        assert heard == list(range(1, 10))
        taken = here._node.on("remote", print)
        with pytest.raises(p2pchan.InvalidError, match="remove those functions"):
            here._node.next_remote(DEADLINE)
        taken()


def test_a_function_that_raises_is_logged_and_ctrl_c_is_not(caplog: pytest.LogCaptureFixture) -> None:
    with sync_pair() as (here, there):
        heard: list[Any] = []

        def hear(message: p2pchan.Message) -> None:
            heard.append(message)
            if message == 1:
                raise ZeroDivisionError("broken on purpose")
            if message == 2:
                raise KeyboardInterrupt

        here.on("data", hear)
        there.send_many(range(5))
        with caplog.at_level(logging.ERROR, "p2pchan"), pytest.raises(KeyboardInterrupt):
            here._node.run(DEADLINE)
        assert heard == [0, 1, 2] and "broken on purpose" in caplog.text
        # What else there is comes once there is something to do.
        here.resume()
        while len(heard) < 5:
            here._node.run(0.01)
        assert heard == list(range(5))


def test_a_coroutine_function_is_refused() -> None:
    async def never(_: Any) -> None:
        pass

    with sync_pair() as (here, _):
        with pytest.raises(p2pchan.InvalidError, match="no event loop"):
            here.on("data", never)
        with pytest.raises(p2pchan.InvalidError, match="no event loop"):
            here._node.on("remote", never)
