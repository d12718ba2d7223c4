"""Two nodes find each other and talk."""

import array
import asyncio
import gc
import subprocess
import sys

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, Pair, listening, run

VALUES = [
    b"",
    b"\x00\xff" * 300_000,
    "",
    "text with \u00e4\u20ac\U0001f600",
    0,
    True,
    -1.5,
    {"yo": "ppl"},
    [1, [2.5, None, {"a": []}], "x"],
]


def test_two_nodes_find_each_other_through_seeds_and_talk() -> None:
    async def test() -> None:
        async with listening() as first:
            seeds = {"seeds": first.addresses}
            async with p2pchan.Node(discovery=seeds) as second:
                discovery = first.discover(SUBJECT)
                second.discover(SUBJECT)
                await discovery.flushed()
                here, there = await anext(first), await anext(second)
                await here.send("Hello, dude!")
                assert await there.recv() == "Hello, dude!"
                assert (here.peer, there.peer) == (second.id, first.id)
                assert here.subject == there.subject == SUBJECT
                assert there.address == first.addresses[0] and there.transport == "tcp"

    run(test)


def test_every_value_arrives_as_what_it_is() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            for value in VALUES:
                await here.send(value)
                arrived = await there.recv()
                assert arrived == value and type(arrived) is type(value)

    run(test)


def test_anything_with_bytes_in_it_arrives_as_bytes() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            numbers = array.array("I", [1, 2])
            for value in (bytearray(b"abc"), memoryview(b"abcd")[::2], numbers):
                await here.send(value)
                assert await there.recv() == bytes(memoryview(value).tobytes())

    run(test)


def test_messages_arrive_in_order_until_the_peer_has_ended() -> None:
    async def test() -> None:
        async with Pair() as (here, there):

            async def send() -> None:
                async with here:
                    await here.send_many(range(5_000))
                    for number in range(5_000, 10_000):
                        await here.send(number)

            sending = asyncio.create_task(send())
            arrived = [message async for message in there]
            assert arrived == list(range(10_000))
            with pytest.raises(p2pchan.ClosedError):
                await there.recv()
            assert await there.recv_many() == []
            there.finish()
            await sending

    run(test)


def test_both_ways_at_once() -> None:
    async def test() -> None:
        async with Pair() as (here, there):

            async def talk(remote: p2pchan.Remote, count: int) -> int:
                async def send() -> None:
                    for number in range(count):
                        await remote.send({"number": number})
                    remote.finish()

                sending, numbers = asyncio.create_task(send()), []
                async for message in remote:
                    numbers.append(message["number"])  # type: ignore[index,call-overload]
                await sending
                assert numbers == list(range(count))
                return count

            assert sum(await asyncio.gather(talk(here, 3000), talk(there, 3000))) == 6000

    run(test)


OTHER_PROCESS = """
import asyncio, sys, p2pchan

async def main():
    async with p2pchan.Node(discovery={"seeds": [sys.argv[1]]}) as node:
        node.discover(sys.argv[2])
        async for remote in node:
            async for message in remote:
                await remote.send([message])
            await remote.end()
            return

asyncio.run(main())
"""


def test_two_processes_talk() -> None:
    async def test() -> None:
        async with listening() as node:
            node.discover(SUBJECT)
            command = [sys.executable, "-X", "dev", "-W", "error", "-c", OTHER_PROCESS]
            other = subprocess.Popen([*command, node.addresses[0], SUBJECT])
            try:
                remote = await anext(node)
                for value in ("text", {"a": 1}):
                    await remote.send(value)
                    assert await remote.recv() == [value]
                await remote.end()
            finally:
                status = await asyncio.to_thread(other.wait, DEADLINE)
            assert status == 0

    run(test)


@pytest.mark.parametrize("read", [0, 1])
def test_a_peer_is_told_that_not_everything_was_read(read: int) -> None:
    async def ended(remote: p2pchan.Remote) -> None:
        with pytest.raises(p2pchan.ClosedError, match="before reading everything"):
            await remote.recv()

    async def test() -> None:
        async def end(remote: p2pchan.Remote) -> None:
            with pytest.raises(p2pchan.ClosedError, match="before reading everything"):
                await remote.end()

        async def leave(remote: p2pchan.Remote) -> None:
            async with remote:
                pass

        async def fail(remote: p2pchan.Remote) -> None:
            with pytest.raises(LookupError):
                async with remote:
                    raise LookupError

        for way in (end, leave, fail):
            async with Pair() as (here, there):
                await here.send_many([b"one", b"two"])
                for _ in range(read):
                    assert await there.recv() == b"one"
                await way(there)
                await ended(here)
        async with Pair() as (here, there):
            await here.send_many([b"one", b"two"])
            for _ in range(read):
                assert await there.recv() == b"one"
            del there
            gc.collect()
            await ended(here)

    run(test)
