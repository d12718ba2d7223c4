"""p2pchan for asyncio, without any setting tuned."""

from contextlib import asynccontextmanager

import p2pchan

# What both ends discover: a raw topic, as deriving keys from a phrase takes 20 ms by design.
TOPIC = bytes([7]) * 32


@asynccontextmanager
async def accept(announce):
    async with p2pchan.Node(listen="tcp://127.0.0.1:0") as node:
        node.discover_topic(TOPIC)
        announce(node.addresses[0])
        async with await anext(node) as remote:
            yield remote


@asynccontextmanager
async def dial(address):
    async with p2pchan.Node() as node:
        node.discover_topic(TOPIC)
        async with await node.connect(address) as remote:
            yield remote
