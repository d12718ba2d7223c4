"""What a node tells of itself: events, statistics, and how they get to functions."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from ._errors import ClosedError
from ._native import NativeStream

EventName: TypeAlias = Literal[
    "listening",
    "not_listening",
    "opened",
    "closed",
    "announced",
    "found",
    "discovery_failed",
    "dialling",
    "dial_failed",
    "unreachable",
    "remote_opened",
    "remote_ended",
    "refused",
    "paused",
    "resumed",
    "warning",
] | Literal["missed", "stopped", "event"]
"""The names of all events; the last three are about the telling itself. docs/status.md says when each
comes, and what its `detail` holds."""

NODE_EVENTS: tuple[str, ...] = (
    "remote",
    "stats",
    *(name for names in get_args(EventName) for name in get_args(names)),
)


class Event(NamedTuple):
    """Something that has happened in a node."""

    name: EventName
    """Such as "found"; "event" for one that is newer than this list of names."""

    detail: dict[str, Any]
    """Its particulars, such as {"source": "seeds", "address": "tcp://192.0.2.7:8099", "subject": 1}."""


class Feed:
    """A stream of a node that is led to functions, while there are some: one item at a time."""

    __slots__ = ("_open", "_request", "_stream")

    def __init__(self, open: Callable[[], NativeStream]) -> None:
        self._open = open
        self._stream: NativeStream | None = None
        self._request = 0

    def want(self, wanted: bool) -> int | None:
        """Opens or closes it; the request to wait for, if a new one was made."""
        if not wanted:
            self._stream = None
        elif self._stream is None:
            self._stream = self._open()
            return self.ask(self._request)
        return None

    def ask(self, before: int) -> int | None:
        """Begins to wait for the next item; the request, unless there will be none. Does nothing if the
        request before was one of a stream that was closed meanwhile."""
        if self._stream is None or before != self._request:
            return None
        try:
            self._request = self._stream.next()
        except ClosedError:
            self._stream = None
            return None
        return self._request

    def take(self, request: int) -> Any:
        """The item that the answer to a request brought; None if there is none."""
        if self._stream is None or request != self._request:
            return None
        return self._stream.take()
