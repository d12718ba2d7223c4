"""Functions that are called when something happens, on the event loop."""

import asyncio
import gc
import logging
import weakref
from typing import Any

import p2pchan
import pytest
from conftest import SUBJECT, Pair, listening, run
from p2pchan import _node


class Heard:
    """What functions were called with, in order, and a way to wait for it."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._more = asyncio.Event()

    def __call__(self, *arguments: Any) -> None:
        self.all.append(arguments[0] if arguments else "end")
        self._more.set()

    async def until(self, count: int) -> list[Any]:
        """All, once there are so many."""
        while len(self.all) < count:
            self._more.clear()
            await self._more.wait()
        return self.all


def test_the_seeds_form_works_as_it_stands() -> None:
    async def test() -> None:
        heard = Heard()
        near, far = listening(), listening()

        def on_remote(remote: p2pchan.Remote) -> None:
            remote.on("data", heard)
            remote.on("end", heard)
            remote.on("end", lambda: heard((remote.ended, remote.reason)))

        near.on("remote", on_remote)
        async with near, far:
            near.discover(SUBJECT)
            far.discover(SUBJECT)
            there = await far.connect(near.addresses[0])
            gc.collect()
            await there.send("Hello, dude!")
            await there.send_many(range(1_000))
            there.finish()
            await heard.until(1_003)
            assert heard.all == ["Hello, dude!", *range(1_000), "end", (True, None)]
            # Nothing is kept of a remote that has ended.
            assert not near._kept

    run(test)


def test_remotes_that_wait_go_to_a_late_function_and_what_came_before_to_a_late_listener() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            await there.send_many([1, 2, 3, 4])
            there.finish()
            assert [await here.recv(), await here.recv()] == [1, 2]
            heard = Heard()
            here.on("end", heard)
            here.on("data", heard)
            assert await heard.until(3) == [3, 4, "end"]
            # The end has been: one more function for it is called all the same, once.
            late = Heard()
            here.on("end", late)
            assert await late.until(1) == ["end"]
        remotes = Heard()
        async with Pair() as (here, there):
            node = here._node
            there._node.discover("another subject")
            node.discover("another subject")
            await there._node.update({"discovery.seeds": node.addresses})
            while not node._incoming:
                await asyncio.sleep(0)
            node.on("remote", remotes)
            assert (await remotes.until(1))[0].subject == "another subject"

    run(test)


def test_what_is_removed_is_not_called_and_the_rest_can_be_read() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            heard, other = Heard(), Heard()

            def until_two(message: p2pchan.Message) -> None:
                if message == 2:
                    off()
                    off()
                    off_other()

            off_other = here.on("data", other)
            here.on("data", heard)
            off = here.on("data", heard)
            here.on("data", until_two)
            await there.send_many(range(3))
            await heard.until(6)
            assert heard.all == [0, 0, 1, 1, 2, 2] and other.all == [0, 1, 2]
            await there.send(3)
            assert await heard.until(7) == [0, 0, 1, 1, 2, 2, 3]
            assert other.all == [0, 1, 2]

        async with Pair() as (here, there):
            first = Heard()

            def once(message: p2pchan.Message) -> None:
                first(message)
                off_once()

            off_once = here.on("data", once)
            await there.send_many(range(10))
            there.finish()
            await first.until(1)
            assert [message async for message in here] == list(range(1, 10))
            assert first.all == [0] and not here._node._kept

    run(test)


def test_a_function_that_raises_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            heard = Heard()

            def broken(message: p2pchan.Message) -> None:
                raise ZeroDivisionError("broken on purpose")

            async def broken_later(message: p2pchan.Message) -> None:
                raise ZeroDivisionError("broken later")

            here.on("data", broken)
            here.on("data", broken_later)
            here.on("data", heard)
            await there.send_many([1, 2])
            assert await heard.until(2) == [1, 2]
            there.finish()
            here.on("end", heard)
            await heard.until(3)

    with caplog.at_level(logging.ERROR, "p2pchan"):
        run(test)
    raised = [record.exc_info[1] for record in caplog.records if record.name == "p2pchan" and record.exc_info]
    assert [str(error) for error in raised].count("broken on purpose") == 2
    assert [str(error) for error in raised].count("broken later") == 2
    assert "in broken\n" in caplog.text, "with its traceback"


def test_messages_go_to_functions_or_to_readers_and_never_to_both() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            reading = asyncio.create_task(here.recv())
            taking = asyncio.create_task(anext(pair.near))
            await asyncio.sleep(0)
            with pytest.raises(p2pchan.InvalidError, match="recv and for"):
                here.on("data", print)
            with pytest.raises(p2pchan.InvalidError, match="waits for a remote"):
                pair.near.on("remote", print)
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            await there.send("to the reader")
            assert await reading == "to the reader"
            off, off_remote = here.on("data", print), pair.near.on("remote", print)
            for read in (here.recv, here.recv_many, lambda: anext(here)):
                with pytest.raises(p2pchan.InvalidError, match="remove those functions"):
                    await read()
            with pytest.raises(p2pchan.InvalidError, match="remove those functions"):
                await anext(pair.near)
            off()
            off_remote()
            await there.send("to the reader again")
            assert await here.recv() == "to the reader again"

    run(test)


def test_a_wrong_name_is_told_with_the_right_ones() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, _):
            on: Any = here.on
            with pytest.raises(p2pchan.InvalidError, match="'dat'; did you mean 'data'. there are: data, end"):
                on("dat", print)
            on = pair.near.on
            with pytest.raises(p2pchan.InvalidError, match="did you mean 'unreachable'"):
                on("unreachble", print)
            with pytest.raises(TypeError, match="a str cannot be called"):
                on("remote", "print")

    run(test)


def test_a_paused_remote_gives_nothing_until_it_is_resumed() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            heard = Heard()

            def hear(message: p2pchan.Message) -> None:
                heard(message)
                if message == 2:
                    here.pause()

            here.on("data", hear)
            here.on("end", heard)
            await there.send_many(range(1_000))
            there.finish()
            assert await heard.until(3) == [0, 1, 2]
            # There is time for more, if more would come.
            for number in range(100):
                await here.send(number)
                assert await there.recv() == number
            assert heard.all == [0, 1, 2] and not here.ended
            here.resume()
            assert await heard.until(1_001) == [*range(1_000), "end"]

    run(test)


def test_the_end_waits_for_a_pause_and_for_a_coroutine() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            heard = Heard()
            here.pause()
            here.on("end", heard)
            there.finish()
            while not here.ended:
                # Without the pause it would be here.
                here._native.watch()
                await asyncio.sleep(0)
            assert heard.all == []
            here.resume()
            assert await heard.until(1) == ["end"]
        async with Pair() as (here, there):
            go_on, slow = asyncio.Event(), Heard()

            async def once(message: p2pchan.Message) -> None:
                off()
                await go_on.wait()
                slow(message)

            off = here.on("data", once)
            here.on("end", slow)
            await there.send("slow")
            there.finish()
            while not here.ended:
                here._native.watch()
                await asyncio.sleep(0)
            assert slow.all == []
            go_on.set()
            assert await slow.until(2) == ["slow", "end"]

    run(test)


def test_what_functions_do_not_take_in_time_stops_the_peer() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            heard, chunk = Heard(), bytes(32 * 1024)
            here.on("data", lambda message: heard(len(message)))
            here.pause()
            sending = asyncio.create_task(there.send_many([chunk] * 400))
            while not there._room:
                await asyncio.sleep(0)
            assert not sending.done() and heard.all == []
            here.resume()
            await sending
            assert await heard.until(400) == [len(chunk)] * 400

    run(test)


def test_a_coroutine_function_gets_one_message_at_a_time_and_the_end_waits_for_it() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            heard, running = Heard(), 0

            async def quick(message: p2pchan.Message) -> None:
                pass

            async def hear(message: p2pchan.Message) -> None:
                nonlocal running
                running += 1
                assert running == 1
                await here.send(message)
                assert await asyncio.to_thread(lambda: message) == message
                running -= 1
                heard(message)

            here.on("data", quick)
            here.on("data", hear)
            here.on("end", heard)
            await there.send_many(range(50))
            assert [await there.recv() for _ in range(50)] == list(range(50))
            there.finish()
            assert await heard.until(51) == [*range(50), "end"]

    run(test)


def test_a_coroutine_for_each_remote_reads_it() -> None:
    async def test() -> None:
        heard = Heard()
        near, far = listening(), listening()

        async def talk(remote: p2pchan.Remote) -> None:
            async for message in remote:
                heard(message)
            heard("over")

        near.on("remote", talk)
        async with near, far:
            near.discover(SUBJECT)
            far.discover(SUBJECT)
            there = await far.connect(near.addresses[0])
            await there.send_many([1, 2])
            there.finish()
            assert await heard.until(3) == [1, 2, "over"]

    run(test)


def test_remotes_wait_while_too_many_coroutines_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_node, "CALLS", 1)

    async def test() -> None:
        go_on, heard = asyncio.Event(), Heard()
        near = listening()

        async def talk(remote: p2pchan.Remote) -> None:
            heard(remote.peer)
            await go_on.wait()

        near.on("remote", talk)
        async with near, p2pchan.Node() as first, p2pchan.Node() as second:
            remotes = []
            for node in (near, first, second):
                node.discover(SUBJECT)
            for far in (first, second):
                remotes.append(await far.connect(near.addresses[0]))
            while not near._incoming:
                await asyncio.sleep(0)
            assert heard.all == [first.id]
            go_on.set()
            assert await heard.until(2) == [first.id, second.id]

    run(test)


def test_the_end_of_a_refused_remote_has_a_reason() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            heard = Heard()
            there.on("end", heard)
            assert there.reason is None and not there.ended
            here.refuse()
            await heard.until(1)
            assert isinstance(there.reason, p2pchan.RefusedError) and there.ended

    run(test)


def test_what_a_paused_remote_has_is_handed_over_even_after_the_node_has_stopped() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            heard = Heard()

            def hear(message: p2pchan.Message) -> None:
                heard(message)
                if message == 0:
                    here.pause()

            here.on("data", hear)
            here.on("end", heard)
            await there.send_many(range(1_000))
            await heard.until(1)
            await pair.near.stop()
            assert heard.all == [0]
            here.resume()
            while heard.all[-1] != "end":
                await heard.until(len(heard.all) + 1)
            assert len(heard.all) > 2 and heard.all[:-1] == list(range(len(heard.all) - 1))

    run(test)


def test_a_node_with_functions_that_is_forgotten_ends_with_its_remotes() -> None:
    async def test() -> None:
        near, far = await listening().start(), listening()
        near.on("remote", lambda remote: remote.on("data", print))
        near.on("stats", print)
        near.on("found", print)
        async with far:
            near.discover(SUBJECT)
            far.discover(SUBJECT)
            there = await far.connect(near.addresses[0])
            while not near._kept:
                await asyncio.sleep(0)
            gone = weakref.ref(near)
            del near
            gc.collect()
            assert gone() is None
            assert await there.recv_many() == []

    run(test)


def test_stopping_the_node_ends_remotes_first_and_then_says_so() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            heard = Heard()
            here.on("end", heard)
            pair.near.on("stopped", lambda event: heard(event.name))
            await pair.near.stop()
            assert heard.all == ["end", "stopped"]
            assert here.ended and not pair.near._kept

    run(test)
