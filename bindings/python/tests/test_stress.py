"""Many threads and loops at once: while all of them want the GIL, and while it is free for long messages."""

import asyncio
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, Pair, run, sync_pair
from p2pchan import sync

LOOPS = 3


@pytest.fixture
def contended() -> Iterator[None]:
    """Two threads that always want the GIL, and get it often."""
    interval = sys.getswitchinterval()
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(100))

    threads = [threading.Thread(target=spin) for _ in range(2)]
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join(DEADLINE)


def all_at_once(*works: Callable[[], Any]) -> list[Any]:
    """Does each in a thread of its own; what they return."""
    with ThreadPoolExecutor(len(works)) as pool:
        done = [pool.submit(work) for work in works]
        return [work.result(DEADLINE) for work in done]


def mark(message: p2pchan.Message, before: int = 0) -> int:
    """A checksum, of what came before, too."""
    return zlib.crc32(message if isinstance(message, bytes) else repr(message).encode(), before)


class Sum:
    """Counts messages, and sums them up in their order."""

    def __init__(self) -> None:
        self.count = self.crc = 0

    def add(self, message: p2pchan.Message) -> None:
        self.crc = mark(message, self.crc)
        self.count += 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and (self.count, self.crc) == (other.count, other.crc)


def short(number: int) -> Any:
    return [number.to_bytes(4, "big") * (1 + number % 50), f"text {number}", {"number": number}][number % 3]


def long(number: int) -> bytes:
    return number.to_bytes(4, "big") * (20_000 + number % 7 * 40_000)


async def talk(
    remote: p2pchan.Remote, count: int, others: int, make: Callable[[int], Any]
) -> tuple[Sum, Sum]:
    """Sends and reads so many at the same time: what went and what came."""
    went, came = Sum(), Sum()

    async def send() -> None:
        for number in range(count):
            message = make(number)
            await remote.send(message)
            went.add(message)

    sending = asyncio.create_task(send())
    while came.count < others:
        for message in await remote.recv_many(others - came.count):
            came.add(message)
    await sending
    await remote.end()
    return went, came


def on_a_loop(count: int, make: Callable[[int], Any]) -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            (here_went, here_came), (there_went, there_came) = await asyncio.gather(
                talk(here, count, count + 7, make), talk(there, count + 7, count, make)
            )
            assert here_went == there_came and there_went == here_came
            assert (here_went.count, there_went.count) == (count, count + 7)

    run(test)


def by_threads(count: int, make: Callable[[int], Any]) -> None:
    """Several threads use the same nodes and remotes: three send and two read, and one goes the other way."""
    known = {mark(make(number)): number for number in range(3 * count)}
    assert len(known) == 3 * count
    with sync_pair() as (here, there):
        taken = threading.Event()

        def send(sender: int) -> None:
            for number in range(sender * count, (sender + 1) * count):
                here.send(make(number), DEADLINE)

        def send_all() -> None:
            all_at_once(*(partial(send, sender) for sender in range(3)))
            # Who has read everything cannot send any more.
            assert taken.wait(DEADLINE)
            here.finish()

        def answer() -> None:
            for number in range(count):
                there.send(number, DEADLINE)

        def take() -> None:
            assert [here.recv(DEADLINE) for _ in range(count)] == list(range(count))
            taken.set()

        def read() -> list[int]:
            return [known[mark(message)] for message in there]

        *_, first, second = all_at_once(send_all, answer, take, read, read)
        assert sorted(first + second) == list(range(3 * count))
        for reader in (first, second):
            for sender in range(3):
                numbers = [number for number in reader if number // count == sender]
                assert numbers == sorted(numbers), "what a thread sent keeps its order"


@contextmanager
def churn() -> Iterator[None]:
    """Nodes begin and end all the time."""
    stop = threading.Event()

    def begin_and_end() -> None:
        while not stop.is_set():
            with sync_pair() as (here, there):
                here.send("hello")
                assert there.recv(DEADLINE) == "hello"

    with ThreadPoolExecutor(1) as pool:
        churning = pool.submit(begin_and_end)
        try:
            yield
        finally:
            stop.set()
        churning.result(DEADLINE)


@pytest.mark.usefixtures("contended")
def test_loops_and_threads_that_all_want_the_gil_lose_nothing() -> None:
    with churn():
        all_at_once(*[lambda: on_a_loop(12_000, short)] * LOOPS, lambda: by_threads(8_000, short))


def test_loops_and_threads_whose_long_messages_free_the_gil_lose_nothing() -> None:
    with churn():
        all_at_once(*[lambda: on_a_loop(300, long)] * LOOPS, lambda: by_threads(200, long))


def test_tasks_that_read_the_same_remote_in_different_ways_all_keep_the_order() -> None:
    async def test() -> None:
        async with Pair() as (here, there):

            async def one_by_one() -> list[Any]:
                read = []
                async for message in there:
                    read.append(message)
                    # The others get their turn while messages are left.
                    await asyncio.sleep(0)
                return read

            async def some(most: int) -> list[Any]:
                read: list[Any] = []
                while batch := await there.recv_many(most):
                    read += batch
                return read

            async def send() -> list[Any]:
                for number in range(0, 20_000, 100):
                    await here.send_many(range(number, number + 100))
                    await asyncio.sleep(0)
                here.finish()
                return []

            parts = await asyncio.gather(send(), one_by_one(), some(3), one_by_one(), some(500))
            assert sorted(sum(parts, [])) == list(range(20_000))
            for part in parts:
                assert part == sorted(part)

    run(test)
