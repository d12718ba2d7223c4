"""Events and statistics, as streams and to functions."""

import asyncio
import re
from pathlib import Path
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, Pair, listening, run
from p2pchan import _events, sync

FAST = {"stats.interval": "10ms"}


def test_events_tell_what_is_open_and_then_what_happens() -> None:
    async def test() -> None:
        node = listening()
        async with node:
            events = node.events()
            first = await anext(events)
            assert first == ("listening", {"address": node.addresses[0]})
            waiting = asyncio.create_task(anext(events))
            await asyncio.sleep(0)
            with pytest.raises(p2pchan.InvalidError, match="another task"):
                await anext(events)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await node.update(paused=True)
            names = [(await anext(events)).name]
            while names[-1] != "paused":
                names.append((await anext(events)).name)
            assert "not_listening" in names
        async for event in events:
            assert event.name in _events.NODE_EVENTS
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    run(test)


def test_events_that_nobody_takes_are_counted_and_no_more() -> None:
    async def test() -> None:
        async with listening() as node:
            events = node.events()
            assert (await anext(events)).name == "listening"
            waiting = asyncio.create_task(anext(events))
            await asyncio.sleep(0)
            for _ in range(700):
                await node.update(paused=True)
                await node.update(paused=False)
            event = await waiting
            while event.name != "missed":
                event = await anext(events)
            assert event.detail["count"] > 0
            left = 0
            await node.stop()
            async for event in events:
                left += 1
            assert left <= 1_024

    run(test)


def test_statistics_come_when_they_change() -> None:
    async def test() -> None:
        pair = Pair(**FAST)
        async with pair as (here, there):
            stats = pair.near.stats()
            first = await anext(stats)
            assert first["remotes"] == 1 and first["uptime_seconds"] > 0
            await there.send("counted")
            changed: dict[str, Any] = {}
            while changed.get("messages_received") != 1:
                changed = await anext(stats)
            assert "remotes" not in changed
        async for _ in stats:
            pass

    run(test)


def test_functions_hear_of_events_and_statistics_while_they_are_there() -> None:
    async def test() -> None:
        heard: asyncio.Queue[Any] = asyncio.Queue()
        near, far = listening(**FAST), listening()
        near.on("listening", heard.put_nowait)
        off = near.on("remote_opened", heard.put_nowait)

        async def slowly(stats: dict[str, Any]) -> None:
            await asyncio.sleep(0)
            heard.put_nowait(stats)
            off_stats()

        off_stats = near.on("stats", slowly)
        async with near, far:
            got = [await heard.get(), await heard.get()]
            counters = next(item for item in got if isinstance(item, dict))
            assert "links" in counters
            assert ("listening", {"address": near.addresses[0]}) in got
            near.discover(SUBJECT)
            far.discover(SUBJECT)
            await far.connect(near.addresses[0])
            event = await heard.get()
            assert event.name == "remote_opened" and event.detail["peer"] == far.id
            off()
            # Nobody listens to statistics, and so nobody asks for them.
            assert near._stats._stream is None and near._events._stream is not None

    run(test)


def test_nothing_is_asked_for_while_nobody_listens() -> None:
    async def test() -> None:
        async with listening() as node:
            assert not node._fed
            off = node.on("found", print)
            assert len(node._fed) == 1
            off()
            # What is under way is given up.
            while node._fed:
                await asyncio.sleep(0)
            node.on("found", print)
            assert len(node._fed) == 1

    run(test)


def test_all_events_of_the_documentation_have_names_here() -> None:
    page = Path(__file__).parents[3] / "docs" / "status.md"
    table = page.read_text(encoding="utf-8").partition("## Events")[2]
    names = set()
    for line in table.splitlines():
        if line.startswith("| `"):
            names.update(re.findall(r"`(\w+)`", line.split("|")[1]))
    assert names == set(_events.NODE_EVENTS) - {"remote", "stats"}


def test_streams_without_an_event_loop() -> None:
    with sync.Node(listen="tcp://127.0.0.1:0", stats={"interval": "10ms"}) as node:
        events, stats = node.events(), node.stats()
        assert events.next(DEADLINE) == ("listening", {"address": node.addresses[0]})
        assert "links" in stats.next(DEADLINE)
        with pytest.raises(TimeoutError):
            events.next(0.01)
        node.update(paused=True)
        while events.next(DEADLINE).name != "paused":
            pass
    assert list(events) is not None
    with pytest.raises(p2pchan.ClosedError):
        stats.next(DEADLINE)
