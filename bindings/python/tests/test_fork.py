"""Processes made by `multiprocessing` while nodes live: the parent's go on, the child makes its own."""

import asyncio
import gc
import inspect
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, Pair, run
from p2pchan import sync

TOPIC = bytes(31) + b"\x01"
WAYS = multiprocessing.get_all_start_methods()

pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")


def talk(address: str, words: str) -> tuple[str, p2pchan.Message]:
    """What a child does: a node of its own, a message there and one back."""
    with sync.Node() as node:
        node.discover_topic(TOPIC)
        with node.connect(address, DEADLINE) as remote:
            remote.send(words)
            return node.id, remote.recv(DEADLINE)


def talk_async(address: str, words: str) -> tuple[str, p2pchan.Message]:
    """The same with asyncio."""

    async def main() -> tuple[str, p2pchan.Message]:
        async with p2pchan.Node() as node:
            node.discover_topic(TOPIC)
            async with await node.connect(address) as remote:
                await remote.send(words)
                return node.id, await remote.recv()

    return asyncio.run(main())


@pytest.mark.parametrize("child", [talk, talk_async])
@pytest.mark.parametrize("way", WAYS)
def test_a_child_has_a_node_of_its_own_while_the_remotes_of_its_parent_go_on(
    way: str, child: Callable[..., Any]
) -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            pair.near.discover_topic(TOPIC)
            ends = asyncio.Event()
            echoing = asyncio.create_task(echo(there))
            counting = asyncio.create_task(count(here, ends))
            context = multiprocessing.get_context(way)
            with ProcessPoolExecutor(2, mp_context=context) as pool:
                loop, address = asyncio.get_running_loop(), pair.near.addresses[0]
                children = [loop.run_in_executor(pool, child, address, it) for it in ("1", "2")]
                ids = set()
                for _ in children:
                    remote = await anext(pair.near)
                    async with remote:
                        await remote.send([await remote.recv()])
                    ids.add(remote.peer)
                talked = await asyncio.gather(*children)
            assert {node for node, _ in talked} == ids and len(ids) == 2
            assert [answer for _, answer in talked] == [["1"], ["2"]]
            ends.set()
            assert await counting > 0
            await echoing

    run(test)


async def echo(remote: p2pchan.Remote) -> None:
    async with remote:
        async for message in remote:
            await remote.send(message)


async def count(remote: p2pchan.Remote, ends: asyncio.Event) -> int:
    """Sends numbers and gets them back, as long as it may; how many."""
    number = 0
    async with remote:
        while not ends.is_set() or number < 100:
            await remote.send(number)
            assert await remote.recv() == number
            number += 1
    return number


@contextmanager
def pair() -> Iterator[tuple[sync.Node, sync.Remote, sync.Remote]]:
    listen = {"listen": "tcp://127.0.0.1:0"}
    with sync.Node(listen) as near, sync.Node(listen) as far:
        near.discover_topic(TOPIC)
        far.discover_topic(TOPIC)
        there = far.connect(near.addresses[0], DEADLINE)
        yield near, near.next_remote(DEADLINE), there


def all_calls(node: sync.Node, remote: sync.Remote) -> dict[str, Callable[[], Any]]:
    """Everything that can be asked of a node and a remote; with asyncio the names are the same."""
    return {
        "id": lambda: node.id,
        "addresses": lambda: node.addresses,
        "status": node.status,
        "explain": lambda: node.explain("tcp://127.0.0.1:1"),
        "discover": lambda: node.discover("subject"),
        "discover_topic": lambda: node.discover_topic(TOPIC),
        "stop_discover": lambda: node.stop_discover("subject"),
        "stop_discover_topic": lambda: node.stop_discover_topic(TOPIC),
        "connect": lambda: node.connect("tcp://127.0.0.1:1"),
        "update": lambda: node.update(paused=True),
        "reload": node.reload,
        "stop": node.stop,
        "recv": remote.recv,
        "recv_many": remote.recv_many,
        "send": lambda: remote.send("from the child"),
        "send_many": lambda: remote.send_many(["from the child"]),
        "finish": remote.finish,
        "refuse": remote.refuse,
        "end": remote.end,
    }


def check_forked(calls: dict[str, Callable[[], Any]]) -> None:
    for name, call in calls.items():
        with pytest.raises(p2pchan.ForkedError):
            print(name, call())


def in_a_fork(work: Callable[[], None]) -> Any:
    """Forks, and does something in the child; what is returned is the process."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    return child


def join(child: Any) -> None:
    try:
        child.join(DEADLINE)
        assert child.exitcode == 0
    finally:
        child.kill()


forks = pytest.mark.skipif("fork" not in WAYS, reason="there is no fork")


@forks
def test_in_a_forked_child_every_call_says_so_and_a_new_node_works() -> None:
    with pair() as (near, here, there):
        address = near.addresses[0]
        for number in range(3):
            here.send(number)
        # The others are here, too.
        assert there.recv(DEADLINE) == 0
        while len(there._ready) < 2:
            there._ready.extend(there.recv_many(timeout=DEADLINE))
        node = there._node

        def work() -> None:
            nonlocal node, there
            check_forked(all_calls(node, there))
            check_forked({"next_remote": node.next_remote, "for": lambda: next(node), "run": node.run})
            check_forked({"for": lambda: next(there)})
            del node, there
            gc.collect()
            talk(address, "from the child")

        child = in_a_fork(work)
        remote = near.next_remote(DEADLINE)
        assert remote.recv(DEADLINE) == "from the child"
        remote.send("to the child")
        remote.end(DEADLINE)
        join(child)
        here.send(3)
        assert [there.recv(DEADLINE) for _ in range(3)] == [1, 2, 3]


@forks
def test_in_a_child_that_was_forked_while_other_threads_wait_every_call_says_so() -> None:
    with pair() as (near, here, there):
        stop = threading.Event()

        def wait() -> None:
            """The locks of the node and the remote are held now and then."""
            while not stop.is_set():
                for wait in (near.next_remote, here.recv):
                    with suppress(p2pchan.TimeoutError):
                        wait(timeout=0)

        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                join(in_a_fork(lambda: check_forked(all_calls(near, here))))
        finally:
            stop.set()
            for thread in threads:
                thread.join(DEADLINE)
        there.send("still here")
        assert here.recv(DEADLINE) == "still here"


@forks
def test_in_a_forked_child_with_another_loop_every_call_says_so() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            await here.send_many(["the first", "the second"])
            assert await there.recv() == "the first"

            def work() -> None:
                async def main() -> None:
                    calls: dict[str, Any] = all_calls(pair.far, there)  # type: ignore[arg-type]
                    calls["for a remote"] = pair.far.__anext__
                    calls["for a message"] = there.__anext__
                    for name, call in calls.items():
                        with pytest.raises(p2pchan.ForkedError):
                            answer = call()
                            print(name, await answer if inspect.isawaitable(answer) else answer)

                # asyncio takes the loop of the parent for one that runs here, until 3.12.
                asyncio._set_running_loop(None)
                asyncio.run(main())

            await asyncio.to_thread(join, in_a_fork(work))
            assert await there.recv() == "the second"

    run(test)


def fork_again(address: str) -> None:
    with sync.Node(listen="tcp://127.0.0.1:0") as node:
        node.discover_topic(TOPIC)
        with node.connect(address, DEADLINE) as remote:
            remote.send("child")
            grandchild = multiprocessing.get_context("fork").Process(target=talk, args=(address, "grandchild"))
            grandchild.start()
            remote.recv(DEADLINE)
            grandchild.join(DEADLINE)
            assert grandchild.exitcode == 0
            remote.send("child")


@forks
def test_a_child_with_a_node_may_fork_too() -> None:
    with pair() as (near, here, there):
        address = near.addresses[0]
        child = multiprocessing.get_context("fork").Process(target=fork_again, args=(address,))
        child.start()
        try:
            remotes = {}
            for _ in range(2):
                remote = near.next_remote(DEADLINE)
                remotes[remote.recv(DEADLINE)] = remote
            remotes["grandchild"].send("hello")
            remotes["child"].send("hello")
            assert remotes["child"].recv(DEADLINE) == "child"
            for remote in remotes.values():
                remote.end(DEADLINE)
            child.join(DEADLINE)
            assert child.exitcode == 0
        finally:
            child.kill()
        here.send("from the parent")
        assert there.recv(DEADLINE) == "from the parent"
