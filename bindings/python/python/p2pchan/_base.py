"""What nodes and remotes are, whoever waits for them."""

import os
from collections import deque
from typing import Any, Generic, TypeAlias, TypeVar

from . import _native
from ._errors import InvalidError

Message: TypeAlias = bytes | str | int | float | bool | list[Any] | dict[str, Any] | None
"""What arrives: bytes, text, or what JSON has. None stands inside lists and dicts, never by itself."""

BATCH = 256
"""Messages that one wake-up brings at most."""

# What the first member of an event says; see the native module.
REMOTE, READABLE, WRITABLE, ENDED, RESULT, FAILED = range(6)

os.register_at_fork(after_in_child=_native.forked)


class BaseRemote:
    """What can be asked of a remote without waiting."""

    __slots__ = ("__weakref__", "_native", "_ready")

    def __init__(self, native: _native.NativeRemote) -> None:
        self._native = native
        self._ready: deque[Message] = deque()

    @property
    def peer(self) -> str:
        """The peer's identity, which it has proved: 64 hexadecimal digits."""
        return self._native.peer

    @property
    def subject(self) -> str:
        """The subject that both have proved: the phrase, or a raw topic as 64 hexadecimal digits."""
        return self._native.subject

    @property
    def address(self) -> str:
        """The address that was dialled, or the one that the peer dialled from."""
        return self._native.address

    @property
    def transport(self) -> str:
        """How the peer is connected, such as "tcp" or "quic"."""
        return self._native.transport

    @property
    def relayed(self) -> bool:
        """Whether a third peer relays the connection."""
        return self._native.relayed

    @property
    def rtt(self) -> float | None:
        """The smoothed round trip time in seconds; None until it was measured."""
        return self._native.rtt

    def finish(self) -> None:
        """Says that no more messages follow, and returns at once; the remote can be read on."""
        self._native.finish()

    def refuse(self) -> None:
        """Ends the channel at once, and tells the peer that this program does not want it."""
        self._ready.clear()
        self._native.refuse()

    def __repr__(self) -> str:
        return f"<p2pchan.Remote {self.peer[:8]} at {self.address}>"


AnyRemote = TypeVar("AnyRemote", bound=BaseRemote)


class BaseNode(Generic[AnyRemote]):
    """What can be asked of a node without waiting."""

    def __init__(self, settings: dict[str, Any], file: str | os.PathLike[str] | None) -> None:
        self._native = _native.NativeNode(settings, file)
        self._ended = False
        self._most_waiting = 64
        self._incoming: deque[AnyRemote] = deque()

    @property
    def id(self) -> str:
        """This node's identity: 64 hexadecimal digits."""
        return self._native.id

    @property
    def addresses(self) -> list[str]:
        """Where it accepts connections. 0.0.0.0 and [::] stand for all addresses of the machine."""
        return self._native.addresses

    def stop_discover(self, subject: str) -> None:
        """Withdraws a subject, and looks no more. Open remotes live on."""
        self._native.stop_discover(subject)

    def stop_discover_topic(self, topic: bytes) -> None:
        """As `stop_discover`, for `discover_topic`."""
        check_topic(topic)
        self._native.stop_discover_topic(topic)

    def status(self) -> dict[str, Any]:
        """All that the node has open and under way, at this moment; docs/status.md lists it."""
        return self._native.status()

    def explain(self, target: str) -> dict[str, Any]:
        """All that is known of a peer (its id, or 8 digits of it) or an address."""
        return self._native.explain(target)

    def _refuse_beyond_limit(self) -> None:
        """After all events: a remote that was asked for is out of the way by then."""
        while len(self._incoming) > self._most_waiting:
            self._incoming.pop().refuse()


def check_topic(topic: bytes) -> None:
    if not isinstance(topic, bytes) or len(topic) != 32:
        raise InvalidError("a topic is 32 bytes; for a phrase use discover")

