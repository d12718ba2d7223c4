"""Discovery services that are written in Python."""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, listening, run
from p2pchan import Topic, sync

Board = dict[bytes, set[str]]


class Coroutines(p2pchan.DiscoveryService):
    name = "bulletin"

    def __init__(self, board: Board) -> None:
        self.board = board

    async def announce(self, topic: Topic) -> None:
        await asyncio.sleep(0)
        assert topic.subject == SUBJECT and len(topic.find_key) == 32
        assert SUBJECT not in repr(topic)
        self.board.setdefault(topic.find_key, set()).update(topic.addresses)

    async def look_up(self, topic: Topic) -> set[str]:
        await asyncio.sleep(0)
        return self.board.get(topic.find_key, set())

    async def withdraw(self, topic: Topic) -> None:
        await asyncio.sleep(0)
        self.board[topic.find_key].difference_update(topic.addresses)


class Streams(Coroutines):
    """Whose look-up tells each as soon as it is there, and goes on for ever."""

    async def look_up(self, topic: Topic) -> AsyncIterator[str]:  # type: ignore[override]
        for address in self.board.get(topic.find_key, set()):
            yield address
        await asyncio.Event().wait()


class Plain(p2pchan.DiscoveryService):
    name = "bulletin"

    def __init__(self, board: Board) -> None:
        self.board = board

    def announce(self, topic: Topic) -> None:
        self.board.setdefault(topic.find_key, set()).update(topic.addresses)

    def look_up(self, topic: Topic) -> Iterator[str]:
        yield from self.board.get(topic.find_key, set())

    def withdraw(self, topic: Topic) -> None:
        self.board[topic.find_key].difference_update(topic.addresses)


class Duck:
    """Any object will do."""

    name = "bulletin"

    def __init__(self, board: Board) -> None:
        self.announce: Callable[[Topic], Any] = Plain(board).announce
        self.look_up: Callable[[Topic], Any] = Coroutines(board).look_up


@pytest.mark.parametrize("service", [Coroutines, Streams, Plain, Duck])
def test_nodes_find_each_other_through_a_service_of_the_program(service: Callable[[Board], Any]) -> None:
    async def test() -> None:
        board: Board = {}
        first, second = listening(), p2pchan.Node()
        for node in (first, second):
            node.add_discovery_service(service(board))
        async with first, second:
            await first.discover(SUBJECT).flushed()
            assert list(board.values()) == [set(first.addresses)]
            events = second.events()
            second.discover(SUBJECT)
            here, there = await anext(first), await anext(second)
            await here.send("hello")
            assert await there.recv() == "hello"
            async for event in events:
                if event.name == "found":
                    assert event.detail["source"] == "bulletin"
                    break
        if service is not Duck:
            assert list(board.values()) == [set()], "withdrawn"

    run(test)


def test_what_nobody_waits_for_is_cancelled_and_what_never_ends_does_not_hold_up_the_node() -> None:
    class Endless:
        name = "endless"

        def __init__(self) -> None:
            self.begun, self.cancelled = asyncio.Event(), asyncio.Event()

        async def announce(self, topic: Topic) -> None:
            self.begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()

        async def withdraw(self, topic: Topic) -> None:
            await asyncio.Event().wait()

    async def test() -> None:
        endless = Endless()
        node = listening(timeouts={"close": "100ms"})
        node.add_discovery_service(endless)
        async with node:
            discovery = node.discover(SUBJECT)
            await endless.begun.wait()
            discovery.stop()
            await endless.cancelled.wait()
            endless.begun.clear()
            endless.cancelled.clear()
            node.discover(SUBJECT)
            await endless.begun.wait()
        await endless.cancelled.wait()

    run(test)


def test_a_node_that_is_forgotten_ends_though_a_service_works() -> None:
    class Endless:
        name = "endless"

        def __init__(self) -> None:
            self.begun, self.cancelled = asyncio.Event(), asyncio.Event()

        async def look_up(self, topic: Topic) -> AsyncIterator[str]:
            self.begun.set()
            try:
                yield "tcp://127.0.0.1:1"
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()

    async def test() -> None:
        endless, lost = Endless(), list[Any]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        node = p2pchan.Node()
        node.add_discovery_service(endless)
        await node.start()
        node.discover(SUBJECT)
        await endless.begun.wait()
        gone = weakref.ref(node)
        del node
        gc.collect()
        assert gone() is None
        await endless.cancelled.wait()
        # Cancelled, and not merely collected.
        assert not lost

    run(test)


def test_errors_of_a_service_are_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        name = "broken"

        def __init__(self, found: Any) -> None:
            self.found = found

        def announce(self, topic: Topic) -> None:
            raise OSError("the board is gone")

        async def look_up(self, topic: Topic) -> Any:
            if isinstance(self.found, Exception):
                raise self.found
            return self.found

    async def failures(found: Any, count: int) -> dict[str, tuple[str, str]]:
        node = listening()
        node.add_discovery_service(Broken(found))
        async with node:
            events = node.events()
            told: dict[str, tuple[str, str]] = {}
            node.discover(SUBJECT)
            while len(told) < count:
                event = await anext(events)
                if event.name == "discovery_failed":
                    told[event.detail["error"]] = (event.detail["code"], event.detail["source"])
            return told

    async def test() -> None:
        told = await failures(ZeroDivisionError("by zero"), 2)
        assert told["the board is gone"] == ("IO", "broken")
        assert told["ZeroDivisionError: by zero"] == ("INTERNAL", "broken")
        assert ("TIMEOUT", "broken") in (await failures(TimeoutError(), 2)).values()
        assert ("AUTH", "broken") in (await failures(p2pchan.AuthError("not me"), 2)).values()
        told = await failures("192.0.2.7:8099", 2)
        assert any("list of addresses" in error for error in told)

    with caplog.at_level(logging.ERROR, "p2pchan"):
        run(test)
    assert "discovery service 'broken': look_up raised" in caplog.text and "by zero" in caplog.text


def test_what_is_no_address_is_told_and_the_others_count() -> None:
    async def test() -> None:
        first, second = listening(), p2pchan.Node()

        class Mixed(p2pchan.DiscoveryService):
            name = "mixed"

            def look_up(self, topic: Topic) -> list[str]:
                return ["no address", *first.addresses]

        second.add_discovery_service(Mixed())
        async with first, second:
            first.discover(SUBJECT)
            events = second.events()
            second.discover(SUBJECT)
            await anext(first)
            async for event in events:
                if event.name == "discovery_failed":
                    assert event.detail["code"] == "INVALID" and "no address" in event.detail["error"]
                    break

    run(test)


def test_what_cannot_be_a_service_is_refused() -> None:
    node: Any = p2pchan.Node()
    with pytest.raises(p2pchan.InvalidError, match="has none of announce, look_up, withdraw"):
        node.add_discovery_service(type("Nothing", (), {"name": "nothing"})())
    with pytest.raises(p2pchan.InvalidError, match="name"):
        node.add_discovery_service(type("Nameless", (), {"name": None})())
    with pytest.raises(p2pchan.InvalidError, match="1 to 64"):
        node.add_discovery_service(p2pchan.DiscoveryService())
    for _ in range(16):
        node.add_discovery_service(Plain({}))
    with pytest.raises(p2pchan.RefusedError, match="16"):
        node.add_discovery_service(Plain({}))

    async def test() -> None:
        async with listening() as node:
            with pytest.raises(p2pchan.InvalidError, match="before the node is started"):
                node.add_discovery_service(Plain({}))

    run(test)


def test_services_without_an_event_loop() -> None:
    board: Board = {}
    first, second = sync.Node(listen="tcp://127.0.0.1:0"), sync.Node()
    for coroutines in (Coroutines(board), Streams(board)):
        with pytest.raises(p2pchan.InvalidError, match="no event loop"):
            first.add_discovery_service(coroutines)
    for node in (first, second):
        node.add_discovery_service(Plain(board))
    with first, second:
        first.discover(SUBJECT).flushed(DEADLINE)
        second.discover(SUBJECT)
        # Each node is turned by whoever waits in it.
        while not second._incoming:
            second.run(0.01)
            first.run(0.01)
        first.next_remote(DEADLINE).send("hello")
        assert second.next_remote(DEADLINE).recv(DEADLINE) == "hello"
    assert list(board.values()) == [set()], "withdrawn"
