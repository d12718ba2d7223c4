"""What is over leaves nothing behind: no memory, descriptors, threads; nor do cycles keep anything alive.

Each of these works for a while, so that all caches are warm, and is then looked at four times. What leaks
grows each time; what grows once does not count.
"""

import asyncio
import gc
import logging
import os
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, Pair, listening, run
from p2pchan import sync

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="it reads /proc")

MANY: dict[str, Any] = {"limits": {"channels": 256, "waiting": 1024}}
"""Remotes of one connection: as many as can be."""
SUBJECTS = [number.to_bytes(32, "big") for number in range(256)]
ROUNDS = 4
WARM = 3

# What may be more each time: a tenth of a block and 128 bytes for each of 2,048 remotes.
ALLOWED = {"blocks": 200, "bytes": 256 * 1024, "descriptors": 1, "threads": 1}


@pytest.fixture(autouse=True)
def unlogged() -> Iterator[None]:
    """Pytest keeps what is logged."""
    log = logging.getLogger("p2pchan")
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(logging.NOTSET)


def measure() -> dict[str, int]:
    """What the process has at this moment; of Python, the blocks that it has allocated."""
    gc.collect()
    gc.collect()
    return {
        "blocks": sys.getallocatedblocks(),
        "bytes": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
    }


async def check(work: Callable[[], Awaitable[None]]) -> None:
    for _ in range(WARM):
        await work()
    seen = [measure()]
    for _ in range(4):
        await work()
        seen.append(measure())
    for what, allowed in ALLOWED.items():
        more = [after[what] - before[what] for before, after in zip(seen, seen[1:])]
        assert min(more) <= allowed, f"{what} become more and more: {seen}"


def test_ten_thousand_remotes_leave_nothing_behind() -> None:
    async def test() -> None:
        # Whatever -X dev says: asyncio would keep where each future was made.
        asyncio.get_running_loop().set_debug(False)
        near = await listening(**MANY).start()

        async def work() -> None:
            async with p2pchan.Node(**MANY) as far:
                for topic in SUBJECTS:
                    near.discover_topic(topic)
                    far.discover_topic(topic)
                for _ in range(ROUNDS):
                    await once(near, far)

        await check(work)
        await near.stop()

    run(test)


async def once(near: p2pchan.Node, far: p2pchan.Node) -> None:
    """A remote for each subject, a message each way, and their ends."""
    remotes = []
    try:
        remotes.append(await far.connect(near.addresses[0]))
    except p2pchan.ClosedError:
        # They are connected, and the subjects were offered there.
        pass
    while len(remotes) < len(SUBJECTS):
        remotes.append(await anext(far))
    others = [await anext(near) for _ in SUBJECTS]
    for remote in remotes + others:
        await remote.send({"text": remote.subject})
    for remote in remotes + others:
        assert await remote.recv() == {"text": remote.subject}
    await asyncio.gather(*(remote.end() for remote in remotes + others))


def test_ten_thousand_remotes_without_a_loop_leave_nothing_behind() -> None:
    with sync.Node(listen="tcp://127.0.0.1:0", **MANY) as near:

        async def work() -> None:
            with sync.Node(**MANY) as far:
                for topic in SUBJECTS:
                    near.discover_topic(topic)
                    far.discover_topic(topic)
                for _ in range(ROUNDS):
                    once_without_a_loop(near, far)

        asyncio.run(check(work))


def once_without_a_loop(near: sync.Node, far: sync.Node) -> None:
    remotes = []
    try:
        remotes.append(far.connect(near.addresses[0], DEADLINE))
    except p2pchan.ClosedError:
        pass
    while len(remotes) < len(SUBJECTS):
        remotes.append(far.next_remote(DEADLINE))
    others = [near.next_remote(DEADLINE) for _ in SUBJECTS]
    for remote in remotes:
        remote.send(remote.subject)
        remote.finish()
    for remote in others:
        assert list(remote) == [remote.subject]
    for remote in others + remotes:
        remote.end(DEADLINE)


def test_messages_leave_nothing_behind() -> None:
    messages: list[Any] = [b"bytes" * 100, "text" * 100, {"json": [1.5, 2**70, None, {"key": "x" * 50}]}, 7]

    async def test() -> None:
        async with Pair() as (here, there):

            async def work() -> None:
                for _ in range(500):
                    await here.send_many(messages)
                    for message in messages:
                        await there.send(message)
                    arrived = [await there.recv() for _ in messages]
                    while len(arrived) < 2 * len(messages):
                        arrived += await here.recv_many()
                    assert arrived == 2 * messages
                    with pytest.raises(TypeError):
                        await here.send({"a": object()})
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(0):
                            await here.recv()

            await check(work)

    run(test)


def test_nodes_leave_nothing_behind() -> None:
    async def work() -> None:
        for _ in range(10):
            async with Pair() as (here, there):
                await here.send(b"never read")
                there.on("data", there.send)
            with sync.Node(listen="tcp://127.0.0.1:0") as node:
                node.discover_topic(SUBJECTS[0])
            await listening().stop()
            with pytest.raises(p2pchan.SettingsError):
                p2pchan.Node(listen="nowhere")

    run(lambda: check(work))


async def gone(*things: Any) -> None:
    """Waits until only the collector knows of it, and that collects it."""
    known = [weakref.ref(thing) for thing in things]
    del things
    # Tasks that were cancelled, and calls that were to come soon.
    while any(it() is not None for it in known):
        gc.collect()
        await asyncio.sleep(0)


def test_remotes_in_cycles_are_collected_and_end() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            knot: list[Any] = [here]
            knot.append(knot)
            waiting = gone(here)
            del here, knot
            await waiting
            there.finish()
            assert await there.recv_many() == []

    run(test)


def test_a_remote_that_only_its_own_functions_know_is_kept_until_it_ends_and_then_collected() -> None:
    async def test() -> None:
        async with Pair() as (here, there):

            answer_each(here)
            known = weakref.ref(here)
            del here
            gc.collect()
            await there.send("is anybody there?")
            assert await there.recv() == ["is anybody there?"]
            await there.end()
            while known() is not None:
                gc.collect()
                await asyncio.sleep(0)

    run(test)


def answer_each(remote: p2pchan.Remote) -> None:
    async def answer(message: p2pchan.Message) -> None:
        await remote.send([message])

    remote.on("data", answer)


def test_nodes_in_cycles_are_collected_and_end() -> None:
    async def test() -> None:
        pair = Pair()
        here, there = await pair.__aenter__()
        far, near = pair.far, pair.near
        # Each knows the node, and the node knows it.
        near.on("remote", lambda remote: near.discover(SUBJECT))
        near.on("warning", lambda event: here.send(near.id))
        knot: dict[str, Any] = {"node": near, "remote": here, "discovery": near.discover(SUBJECT)}
        knot["itself"] = knot
        waiting = gone(near, here)
        del near, here, knot, pair
        await waiting
        while True:
            try:
                await there.recv()
            except p2pchan.ClosedError:
                break
        await far.stop()

    run(test)
