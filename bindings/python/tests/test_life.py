"""Waiting, cancelling, ending, forking: what happens when things do not go straight."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import weakref
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, Pair, listening, run


def test_a_remote_that_nobody_reads_stops_its_peer_and_nothing_is_lost() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            count, chunk = 400, bytes(32 * 1024)

            async def send() -> None:
                for number in range(count):
                    await here.send(number.to_bytes(4, "big") + chunk)

            sending = asyncio.create_task(send())
            # It is full when the sender waits, which the native part says by asking for room.
            while not here._room:
                await asyncio.sleep(0)
            assert not sending.done()
            for number in range(count):
                message = await there.recv()
                assert isinstance(message, bytes)
                assert int.from_bytes(message[:4], "big") == number
            await sending

    run(test)


def test_no_more_than_one_window_is_taken_from_the_connection_before_it_is_asked_for() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            await here.send("the first")
            assert await there.recv() == "the first"
            kilobyte = bytes(1_000)
            sending = asyncio.create_task(here.send_many([kilobyte] * 5_000))
            # The nodes have much to do meanwhile, and time to take what nobody asked for.
            for number in range(500):
                await there.send(number)
                assert await here.recv() == number
            count = 0
            while count < 5_000:
                batch = await there.recv_many(10_000)
                assert len(batch) * len(kilobyte) <= 2**20, "the setting limits.window"
                assert batch == [kilobyte] * len(batch)
                count += len(batch)
            await sending

    run(test)


def test_a_batch_that_does_not_fit_is_sent_in_order_and_once() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            batch = [number.to_bytes(4, "big") + bytes(16 * 1024) for number in range(400)]
            sending = asyncio.create_task(here.send_many(batch))
            while not here._room:
                await asyncio.sleep(0)
            assert [await there.recv() for _ in batch] == batch
            await sending
            await here.send("the next")
            assert await there.recv() == "the next"

    run(test)


def test_what_is_cancelled_loses_no_message() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            arrived: list[p2pchan.Message] = []

            async def read() -> None:
                async for message in there:
                    arrived.append(message)
                    await asyncio.sleep(0)

            sending = asyncio.create_task(here.send_many(range(2_000)))
            while len(arrived) < 2_000:
                reading = asyncio.create_task(read())
                before = len(arrived)
                while len(arrived) < min(before + 50, 2_000):
                    await asyncio.sleep(0)
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            await sending
            assert arrived == list(range(2_000))

    run(test)


def test_a_recv_that_is_cancelled_while_it_waits_leaves_the_message() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            for number in range(50):
                waiting = asyncio.create_task(there.recv())
                await asyncio.sleep(0)
                await here.send(number)
                if number % 2:
                    # The message is here, and the reader has been woken but has not run.
                    while there._readers:
                        await asyncio.sleep(0)
                waiting.cancel()
                try:
                    got = await waiting
                except asyncio.CancelledError:
                    got = await there.recv()
                assert got == number

    run(test)


def test_batches_come_whole_and_in_pieces() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            await here.send_many([1, 2, 3])
            arrived: list[p2pchan.Message] = []
            while len(arrived) < 3:
                batch = await there.recv_many(2)
                assert 1 <= len(batch) <= 2
                arrived += batch
            assert arrived == [1, 2, 3]
            with pytest.raises(ValueError, match="one message"):
                await there.recv_many(0)

    run(test)


def test_a_refused_remote_ends_with_the_reason() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            here.refuse()
            with pytest.raises(p2pchan.RefusedError) as raised:
                await there.recv()
            assert raised.value.code == "REFUSED" and isinstance(raised.value, ConnectionRefusedError)
            with pytest.raises(p2pchan.Error):
                await there.send("too late")

    run(test)


def test_stopping_a_node_wakes_whoever_waits() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            waiting = [asyncio.create_task(there.recv()), asyncio.create_task(anext(pair.far))]
            await asyncio.sleep(0)
            await pair.far.stop()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(results[0], p2pchan.ClosedError)
            assert isinstance(results[1], StopAsyncIteration)
            with pytest.raises(p2pchan.ClosedError):
                await pair.far.connect(pair.near.addresses[0])
            await pair.far.stop()

    run(test)


def test_a_remote_that_is_forgotten_ends() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            await there.send("never read")
            gone = weakref.ref(here)
            del here
            gc.collect()
            assert gone() is None
            there.finish()
            with pytest.raises(p2pchan.ClosedError):
                await there.recv()

    run(test)


def test_a_node_that_is_forgotten_ends() -> None:
    async def test() -> None:
        near = await listening().start()
        address = near.addresses[0]
        del near
        gc.collect()
        port = int(address.rpartition(":")[2])
        while True:
            try:
                writer = (await asyncio.open_connection("127.0.0.1", port))[1]
            except ConnectionRefusedError:
                return
            writer.close()

    run(test)


class Interrupted(asyncio.Future[Any]):
    """One that Ctrl-C cancels right after somebody has looked at it."""

    def done(self) -> bool:
        before = super().done()
        self.cancel()
        return before


def test_ctrl_c_in_the_middle_of_a_wake_up_keeps_nobody_else_waiting() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            reading = asyncio.create_task(there.recv())
            while not there._readers:
                await asyncio.sleep(0)
            there._readers.insert(0, Interrupted())
            await here.send("for the other")
            assert await reading == "for the other"

    run(test)


def test_wrong_settings_are_named() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"listn": "127.0.0.1:0"}, "listn.*listen"),
        ({"limits": {"remotes": -1}}, "limits.remotes"),
        ({"limits": {"remotes": {1}}}, r'settings\["limits"\]\["remotes"\] is a set'),
    ]
    for settings, words in cases:
        with pytest.raises((p2pchan.SettingsError, TypeError), match=words):
            p2pchan.Node(settings)


def test_an_address_that_cannot_be_opened_is_named_and_the_node_is_over() -> None:
    async def test() -> None:
        async with listening() as node:
            other = p2pchan.Node(listen=node.addresses)
            with pytest.raises(OSError, match="listen") as raised:
                await other.start()
            assert isinstance(raised.value, p2pchan.NetworkError)
            await other.stop()

    run(test)


def test_settings_change_while_the_node_runs() -> None:
    async def test() -> None:
        async with listening() as node:
            await node.update({"listen": None})
            assert node.addresses == []
            with pytest.raises(p2pchan.SettingsError, match="limits.dials"):
                await node.update(limits={"dials": "many"})
            status = node.status()
            assert node.id in str(status) and SUBJECT not in str(status)
            assert node.explain("tcp://127.0.0.1:1")

    run(test)


def test_nodes_on_several_loops_at_once_and_one_after_the_other() -> None:
    async def talk() -> None:
        async with Pair() as (here, there):
            await here.send("hello")
            assert await there.recv() == "hello"

    threads = [threading.Thread(target=run, args=(talk,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    run(talk)


def test_a_node_belongs_to_the_loop_that_started_it() -> None:
    async def test() -> None:
        async with listening() as node:

            async def elsewhere() -> None:
                with pytest.raises(p2pchan.InvalidError, match="another event loop"):
                    node.discover(SUBJECT)

            await asyncio.to_thread(asyncio.run, elsewhere())
        with pytest.raises(p2pchan.InvalidError, match="started once"):
            await node.start()

    run(test)


def test_no_subject_is_ever_shown() -> None:
    async def test() -> None:
        pair = Pair()
        async with pair as (here, there):
            for thing in (here, pair.near, pair.near.discover(SUBJECT)):
                assert SUBJECT not in repr(thing)

    run(test)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_do_nothing_with_the_node_and_ends_quietly() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    here._native.try_send("from the child")
                except p2pchan.ForkedError:
                    del here, there
                    status = 0
                finally:
                    os._exit(status)
            assert await asyncio.to_thread(os.waitpid, child, 0) == (child, 0)
            await here.send("from the parent")
            assert await there.recv() == "from the parent"

    run(test)


ENDINGS = {
    "main returns": ("pass", 0),
    "an exit in a task": ("sys.exit(3)", 3),
    "Ctrl-C": ("signal.raise_signal(signal.SIGINT); await asyncio.sleep(60)", -2),
    "a daemon thread": ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", 0),
}

LIVE = """
import asyncio, p2pchan, signal, sys, threading, time

# Shells let what runs in their background ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    global near, far, remotes
    near = await p2pchan.Node(listen="tcp://127.0.0.1:0").start()
    far = await p2pchan.Node(listen="tcp://127.0.0.1:0").start()
    for node in (near, far):
        node.discover("x")
    remotes = await far.connect(near.addresses[0]), await anext(near)
    await remotes[0].send("never read")
    ENDING

asyncio.run(main())
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_ends_with_live_nodes(ending: str) -> None:
    code, status = ENDINGS[ending]
    command = [sys.executable, "-X", "dev", "-c", LIVE.replace("ENDING", code)]
    ended = subprocess.run(command, timeout=DEADLINE, stderr=subprocess.PIPE, text=True)
    assert ended.returncode in (status, 130 if status == -2 else status), ended.stderr
    assert "panicked" not in ended.stderr and "Fatal" not in ended.stderr
