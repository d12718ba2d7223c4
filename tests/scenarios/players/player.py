"""The player in Python, with asyncio: see the page beside it."""

import asyncio
import json
import logging
import sys
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any

import p2pchan

SHORT = 256
"""Text that is not longer is shown as it is."""


class Known:
    """A remote, and what it has done."""

    def __init__(self, remote: p2pchan.Remote) -> None:
        self.remote = remote
        self.sent = 0


class Player:
    """One node at a time."""

    def __init__(self) -> None:
        self.node: p2pchan.Node | None = None
        self.taking: asyncio.Task[None] | None = None
        self.remotes: dict[str, Known] = {}
        self.waiting: deque[p2pchan.Remote] = deque()
        self.came = asyncio.Condition()

    async def obey(self, do: str, **order: Any) -> dict[str, Any] | None:
        """Does what it is told; the methods have the names of the orders."""
        answer: dict[str, Any] | None
        if hasattr(self, "do_" + do):
            answer = await getattr(self, "do_" + do)(**order)
        else:
            known = self.remotes[order.pop("remote")]
            answer = await getattr(self, "remote_" + do)(known, **order)
        return answer

    def running(self) -> p2pchan.Node:
        if self.node is None:
            raise p2pchan.InvalidError("there is no node")
        return self.node

    async def do_start(self, settings: dict[str, Any]) -> dict[str, Any]:
        node = await p2pchan.Node(settings).start()
        self.node = node
        self.taking = asyncio.create_task(self.take(node))
        return {"id": node.id, "addresses": node.addresses}

    async def take(self, node: p2pchan.Node) -> None:
        """Takes all remotes that come by themselves."""
        async for remote in node:
            async with self.came:
                self.waiting.append(remote)
                self.came.notify_all()

    async def do_stop(self) -> None:
        node, self.node = self.node, None
        if node is not None and self.taking is not None:
            await node.stop()
            await self.taking
        self.remotes.clear()
        self.waiting.clear()

    async def do_addresses(self) -> dict[str, Any]:
        return {"addresses": self.running().addresses}

    async def do_status(self) -> dict[str, Any]:
        return {"status": self.running().status()}

    async def do_explain(self, target: str) -> dict[str, Any]:
        return {"explanation": self.running().explain(target)}

    async def do_update(self, settings: dict[str, Any]) -> None:
        await self.running().update(settings)

    async def do_discover(
        self, subject: str = "", secret: str | None = None, topic: str | None = None
    ) -> None:
        node = self.running()
        if topic is None:
            discovery = node.discover(subject, secret)
        else:
            discovery = node.discover_topic(bytes.fromhex(topic))
        await discovery.flushed()

    async def do_forget(self, subject: str = "", topic: str | None = None) -> None:
        if topic is None:
            self.running().stop_discover(subject)
        else:
            self.running().stop_discover_topic(bytes.fromhex(topic))

    async def do_connect(self, address: str, remote: str) -> dict[str, Any]:
        return self.name(remote, await self.running().connect(address))

    async def do_remote(self, remote: str, subject: str | None = None) -> dict[str, Any]:
        def fitting() -> p2pchan.Remote | None:
            fits = (it for it in self.waiting if subject in (None, it.subject))
            return next(fits, None)

        async with self.came:
            came = await self.came.wait_for(fitting)
            assert came is not None
            self.waiting.remove(came)
        return self.name(remote, came)

    def name(self, name: str, remote: p2pchan.Remote) -> dict[str, Any]:
        self.remotes[name] = Known(remote)
        return {
            "peer": remote.peer,
            "subject": remote.subject,
            "address": remote.address,
            "transport": remote.transport,
        }

    async def do_waiting(self) -> dict[str, Any]:
        return {"count": len(self.waiting)}

    async def remote_send(self, known: Known, **order: Any) -> None:
        [(kind, what)] = order.items()
        makers: dict[str, Callable[[Any], Any]] = {
            "hex": bytes.fromhex,
            "text": str,
            "json": json.loads,
            "size": lambda size: message(0, size),
        }
        await known.remote.send(makers[kind](what))

    async def remote_flood(self, known: Known, count: int, size: int) -> None:
        for number in range(count):
            await known.remote.send(message(number, number * 7919 % (size + 1)))
            known.sent += 1

    async def remote_progress(self, known: Known) -> dict[str, Any]:
        return {"sent": known.sent}

    async def remote_recv(self, known: Known) -> dict[str, Any]:
        message = await known.remote.recv()
        if isinstance(message, bytes):
            return {"kind": "bytes", "length": len(message), "crc": zlib.crc32(message)}
        if isinstance(message, str):
            payload = message.encode()
            value = message if len(payload) <= SHORT else None
            return {"kind": "text", "length": len(payload), "crc": zlib.crc32(payload), "value": value}
        return {"kind": "json", "value": json.dumps(message)}

    async def remote_drain(self, known: Known, count: int | None = None) -> dict[str, Any]:
        read, crc, end = 0, 0, None
        try:
            while count is None or read < count:
                batch = await known.remote.recv_many(256 if count is None else count - read)
                if not batch:
                    end = "OK"
                    break
                for message in batch:
                    assert isinstance(message, bytes)
                    crc = zlib.crc32(message, crc)
                read += len(batch)
        except p2pchan.Error as error:
            end = error.code
        return {"count": read, "crc": crc, "end": end}

    async def remote_finish(self, known: Known) -> None:
        known.remote.finish()

    async def remote_end(self, known: Known) -> None:
        await known.remote.end()

    async def remote_refuse(self, known: Known) -> None:
        known.remote.refuse()


ALL_BYTES = bytes(range(256))


def message(number: int, length: int) -> bytes:
    """The first bytes of a message of a flood."""
    return (number.to_bytes(4, "big") + ALL_BYTES * (length // 256 + 1))[:length]


async def carry_out(player: Player, order: dict[str, Any]) -> None:
    number = order.pop("order")
    try:
        answer = await player.obey(**order) or {}
    except p2pchan.Error as error:
        answer = {"error": error.code, "message": str(error)}
    except (TypeError, ValueError) as error:
        # What Python calls a value that can never be right.
        answer = {"error": "INVALID", "message": str(error)}
    print(json.dumps({"order": number, **answer}), flush=True)


async def main() -> None:
    # Reporting what takes long is of use to people alone.
    asyncio.get_running_loop().slow_callback_duration = 60
    player = Player()
    orders = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    async with asyncio.TaskGroup() as tasks:
        async for line in orders:
            tasks.create_task(carry_out(player, json.loads(line)))


# That a node has no discovery service is meant.
logging.getLogger("p2pchan").setLevel(logging.ERROR)
asyncio.run(main())
