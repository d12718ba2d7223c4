"""A chat: a line typed here appears at everybody who has the same subject.

    python chat.py "My Cool Service 1.0" listen=0.0.0.0:0 discovery.bittorrent.bootstrap=public
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import p2pchan


async def show(remote: p2pchan.Remote) -> None:
    """What somebody says, until they leave."""
    name = remote.peer[:8]
    print(f"+ {name} at {remote.address}", flush=True)
    try:
        async for message in remote:
            print(f"{name}:", message, flush=True)
    except p2pchan.Error as error:
        print(f"! {name}: {error}", flush=True)
    print(f"- {name}", flush=True)


async def show_all(node: p2pchan.Node) -> None:
    """Everybody who is found, each in a task, until the node has stopped."""
    async with asyncio.TaskGroup() as tasks:
        async for remote in node:
            tasks.create_task(show(remote))


async def say(node: p2pchan.Node, line: str) -> None:
    """To everybody who is there, at the pace of who reads slowest."""
    for remote in node.remotes():
        # Whoever has just left is told of where they are read.
        with contextlib.suppress(p2pchan.Error):
            await remote.send(line)


async def typed() -> AsyncIterator[str]:
    """The lines of the terminal, without blocking the loop."""
    lines = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(lines)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    with contextlib.closing(transport):
        async for line in lines:
            yield line.decode().rstrip("\n")


async def chat(subject: str, settings: dict[str, str]) -> None:
    async with p2pchan.Node(settings) as node:
        node.discover(subject)
        showing = asyncio.create_task(show_all(node))
        async for line in typed():
            await say(node, line)
    # The node has stopped, and what was said has gone out.
    await showing


if len(sys.argv) < 2:
    sys.exit("usage: chat.py SUBJECT [SETTING=VALUE]...")
with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(chat(sys.argv[1], dict(setting.split("=", 1) for setting in sys.argv[2:])))
