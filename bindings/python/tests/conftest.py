"""Nodes on loopback that find each other through seeds, and a deadline for every test."""

import asyncio
import faulthandler
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import p2pchan
import pytest
from p2pchan import sync

DEADLINE = 60.0
SUBJECT = "A subject of the tests"


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """A test that hangs shows where, and ends."""
    faulthandler.dump_traceback_later(2 * DEADLINE, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    """Runs a test on a loop of its own."""

    async def limited() -> Any:
        async with asyncio.timeout(DEADLINE):
            return await test()

    return asyncio.run(limited())


def listening(**settings: Any) -> p2pchan.Node:
    """A node that accepts connections on loopback."""
    return p2pchan.Node({"listen": "tcp://127.0.0.1:0"}, **settings)


@contextmanager
def network() -> Iterator[str]:
    """A BitTorrent DHT on loopback that begins with one node: the address of that one."""
    settings = {"bootstrap": "[]", "address": "127.0.0.1"}
    with sync.Node(discovery={"bittorrent": settings}) as node:
        sockets = node.status()["transport"]["sockets"]
        yield next(it["address"].removeprefix("udp://") for it in sockets if it["used_by"] == "bittorrent")


class Pair:
    """Two nodes and the remotes between them: `async with Pair() as (here, there)`."""

    def __init__(self, **settings: Any) -> None:
        self.near, self.far = listening(**settings), listening(**settings)

    async def __aenter__(self) -> tuple[p2pchan.Remote, p2pchan.Remote]:
        for node in (self.near, self.far):
            await node.start()
            node.discover(SUBJECT)
        there = await self.far.connect(self.near.addresses[0])
        here = await anext(self.near)
        return here, there

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(self.near.stop(), self.far.stop())


@contextmanager
def sync_pair() -> Iterator[tuple[sync.Remote, sync.Remote]]:
    """Two nodes without an event loop, and the remotes between them."""
    listen = {"listen": "tcp://127.0.0.1:0"}
    with sync.Node(listen) as near, sync.Node(listen) as far:
        near.discover(SUBJECT)
        far.discover(SUBJECT)
        there = far.connect(near.addresses[0], DEADLINE)
        yield near.next_remote(DEADLINE), there
