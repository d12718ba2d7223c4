"""Live, encrypted channels between all programs that share a phrase.

A program names a subject, a phrase that it shares with others. Its node announces the subject, finds
the others and connects to them; what comes of that is a `Remote`, a channel of messages to one peer::

    async with p2pchan.Node(listen="0.0.0.0:0",
                            discovery={"bittorrent": {"bootstrap": "public"}}) as node:
        node.discover("My Cool Service 1.0")
        async for remote in node:
            await remote.send("Hello, dude!")

Messages are bytes-like objects, which arrive as `bytes`; `str`; or any other value that is JSON. They
arrive in order, whole and once, or the remote ends with an exception that says why.

Nothing is opened, asked or written that the settings do not name; docs/settings.md lists them all.
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
