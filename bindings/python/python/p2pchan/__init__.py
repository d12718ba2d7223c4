"""Live, encrypted channels between all programs that share a phrase.

A program names a *subject*, a phrase that it shares with others. Its *node* announces the subject, finds
the others and connects to them, without a server. Each who proves to know the subject too becomes a
*remote*, a channel of messages to one peer::

    import asyncio
    import p2pchan

    async def main() -> None:
        bootstrap = {"bittorrent": {"bootstrap": "public"}}
        async with p2pchan.Node(listen="0.0.0.0:0", discovery=bootstrap) as node:
            node.discover("My Cool Service 1.0")
            async for remote in node:
                await remote.send("Hello, dude!")
                print(remote.peer[:8], "says:", await remote.recv())

    asyncio.run(main())

`python -m p2pchan join "My Cool Service 1.0" --bootstrap public` in a terminal is somebody to talk with.

Messages are bytes-like objects, which arrive as `bytes`; `str`; or any other value that is JSON. They
arrive in order, whole and once, or the remote ends with an exception that says why. Everything that waits
can be cancelled, and loses nothing by it. Nothing grows without bound: who reads slowly is sent to slowly.

Nothing is opened, asked or written that the settings do not name.

Node                    starts, discovers subjects, gives remotes, explains itself
Remote                  sends and receives
Discovery               a subject that a node discovers
DiscoveryService        to find others your own way
Newcomer                who would get a remote, for the `refuse` of a node
Event, Stream           what a node tells of itself
Error                   what goes wrong: `code` is its kind, and each kind has a class, which is the
                        builtin one too where there is one
p2pchan.sync            the same without an event loop
P2PChannels             the same in the manner of the module p2pchannels for Node.js
python -m p2pchan       a first try in a terminal

`help(p2pchan.Node)` and so on tell the rest. docs/tutorial-python.md begins at the beginning;
docs/settings.md lists all settings, docs/status.md what a node tells of itself, docs/threading.md what
runs where.
"""

from ._base_remote import Message
from ._discovery import DiscoveryService, Topic
from ._errors import (
    AuthError,
    ClosedError,
    Error,
    ForkedError,
    InCallbackError,
    InternalError,
    InvalidError,
    NetworkError,
    ProtocolError,
    RefusedError,
    SettingsError,
    TimeoutError,
    TooBigError,
    WouldBlockError,
)
from ._events import Event, EventName
from ._newcomers import Newcomer
from ._node import Node
from ._remote import Remote
from ._waiting import Discovery, Stream
from .p2pchannels import P2PChannels

__all__ = [
    "AuthError",
    "ClosedError",
    "Discovery",
    "DiscoveryService",
    "Error",
    "Event",
    "EventName",
    "ForkedError",
    "InCallbackError",
    "InternalError",
    "InvalidError",
    "Message",
    "NetworkError",
    "Newcomer",
    "Node",
    "P2PChannels",
    "ProtocolError",
    "RefusedError",
    "Remote",
    "SettingsError",
    "Stream",
    "TimeoutError",
    "TooBigError",
    "Topic",
    "WouldBlockError",
]
