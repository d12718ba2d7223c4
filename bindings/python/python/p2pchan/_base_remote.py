"""What remotes are, whoever waits for them, and how their messages get to functions."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from . import _native
from ._calls import Call, Calls, Off, call_each, check
from ._errors import Error, InvalidError

if TYPE_CHECKING:
    from ._base import BaseNode

Message: TypeAlias = bytes | str | int | float | bool | list[Any] | dict[str, Any] | None
"""What arrives: bytes, text, or what JSON has. None stands inside lists and dicts, never by itself."""

BATCH = 256
"""Messages that one wake-up brings at most."""


class Callbacks:
    """What a remote keeps once it has functions to call, or was paused."""

    __slots__ = ("busy", "calls", "drained", "messages", "paused")

    def __init__(self) -> None:
        self.calls = Calls()
        # Taken from the connection, and not handed over yet: one batch at most.
        self.messages: deque[Message] = deque()
        self.paused = False
        # Coroutines have to end before the next message is handed over.
        self.busy = False
        # It has ended, and everything was taken.
        self.drained = False


class BaseRemote:
    """What can be asked of a remote without waiting."""

    __slots__ = ("__weakref__", "_callbacks", "_failed", "_native", "_node", "_readers_now", "_ready")

    _node: "BaseNode[Any]"

    def __init__(self, native: _native.NativeRemote) -> None:
        self._native = native
        self._ready: deque[Message] = deque()
        # Who waits for a message at this moment.
        self._readers_now = 0
        self._callbacks: Callbacks | None = None
        self._failed: Error | None = None

    def __del__(self) -> None:
        # What it was given natively ends by itself; what waits here was not read.
        if self._ready:
            with suppress(Error):
                self._native.leave_unread()

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

    @property
    def ended(self) -> bool:
        """Whether the channel has ended. A remote that nobody reads does not get to its end."""
        return self._native.ended

    @property
    def reason(self) -> Error | None:
        """Why it ended; None while it is open, and after a clean end."""
        return (self._failed or self._native.reason) if self._native.ended else None

    def finish(self) -> None:
        """Says that no more messages follow, and returns at once; the remote can be read on."""
        self._native.finish()

    def refuse(self) -> None:
        """Ends the channel at once, and tells the peer that this program does not want it."""
        self._native.refuse()
        self._discard()

    @overload
    def on(self, event: Literal["data"], call: Callable[[Any], object]) -> Off: ...
    @overload
    def on(self, event: Literal["end"], call: Callable[[], object]) -> Off: ...

    def on(self, event: str, call: Callable[..., object]) -> Off:
        """Calls a function whenever something happens; returns a function that removes it again.

        `"data"`: with each message, in order; those that came before, too. `"end"`: once, without
        arguments, when the channel has ended and every message was handed over; `reason` says why. All
        functions of an event are called, in the order in which they were given; one that raises is
        logged (logger "p2pchan") and changes nothing::

            remote.on("data", print)
            remote.on("end", lambda: print("ended", remote.reason or "cleanly"))

        The node keeps a remote that has functions until it ends. Messages go to functions or to `recv`
        and `for`, not to both. Somebody has to read them: without, the end does not come either. What
        the functions do not take in time waits at the peer.

        With asyncio `call` may be a coroutine function: the next message comes when it has ended.

        Raises InvalidError for another name, or while somebody waits for a message.
        """
        check(event, ("data", "end"), call)
        self._node._check_call(call)
        with self._node._reading:
            callbacks = self._callbacks = self._callbacks or Callbacks()
            if event == "data" and not callbacks.calls["data"]:
                if self._readers_now:
                    raise InvalidError(
                        'somebody waits for a message of this remote; read it with recv and for, or on("data")'
                    )
                callbacks.messages.extend(self._here(len(self._ready)))
            added = callbacks.calls.add(event, call)
        self._node._keep(self)
        self._call_soon()
        return lambda: self._off(event, added)

    def pause(self) -> None:
        """Calls no functions after the one that runs, until `resume`: what comes meanwhile waits, first
        here, then at the peer. Nothing changes for `recv` and `for`, who take what they ask for."""
        self._callbacks = self._callbacks or Callbacks()
        self._callbacks.paused = True

    def resume(self) -> None:
        """Calls functions again."""
        if self._callbacks is not None:
            self._callbacks.paused = False
            self._call_soon()

    def __repr__(self) -> str:
        return f"<p2pchan.Remote {self.peer[:8]} at {self.address}>"

    def _off(self, event: str, call: Call) -> None:
        callbacks = self._callbacks
        if callbacks is None:
            return
        with self._node._reading:
            callbacks.calls.remove(event, call)
            if not callbacks.calls["data"]:
                # For recv and for.
                self._ready.extend(callbacks.messages)
                callbacks.messages.clear()
        if not callbacks.calls:
            self._node._let_go(self)

    def _discard(self) -> None:
        """What came and was not read is not wanted any more, which the peer is told."""
        with self._node._reading:
            unread = bool(self._ready) or bool(self._callbacks and self._callbacks.messages)
            self._forget()
        if unread:
            self._native.leave_unread()

    def _forget(self) -> None:
        self._ready.clear()
        if self._callbacks is not None:
            self._callbacks.messages.clear()

    def _here(self, most: int) -> list[Message]:
        """Messages that are here already, so many at most. Others may take some at the same time."""
        here: list[Message] = []
        try:
            while len(here) < most:
                here.append(self._ready.popleft())
        except IndexError:
            pass
        return here

    def _check_reader(self) -> None:
        """Whether messages may be read with recv and for."""
        if self._callbacks is not None and self._callbacks.calls["data"]:
            raise InvalidError('the messages of this remote go to on("data"); remove those functions first')

    def _call_soon(self) -> None:
        self._node._queue(self._deliver)
        self._node._soon()

    def _deliver(self) -> None:
        """Hands over what is here: one batch, more comes only after it."""
        callbacks = self._callbacks
        if callbacks is None:
            return
        while (found := self._next_call(callbacks)) is not None:
            calls, message = found
            coroutines = call_each("data", calls, message)
            if coroutines:
                callbacks.busy = True
                self._node._finish_each("data", coroutines, self._go_on)
        self._deliver_end(callbacks)

    def _go_on(self) -> None:
        if self._callbacks is not None:
            self._callbacks.busy = False
            self._call_soon()

    def _next_call(self, callbacks: Callbacks) -> tuple[tuple[Call, ...], Message] | None:
        """The next message, and the functions for it."""
        with self._node._reading:
            calls = callbacks.calls["data"]
            if not calls or callbacks.paused or callbacks.busy:
                return None
            if not callbacks.messages and not self._fill(callbacks):
                return None
            return calls, callbacks.messages.popleft()

    def _fill(self, callbacks: Callbacks) -> bool:
        try:
            batch = self._native.recv_many(BATCH)
        except Error as error:
            # Its end; or what the peer marked as JSON and is none, and then nothing after it counts.
            self._failed = self._failed or error
            callbacks.drained = self._native.ended
            (self._native.abandon if callbacks.drained else self._native.refuse)()
            return False
        if batch is None:
            return False
        callbacks.drained = not batch
        callbacks.messages.extend(batch)
        return bool(batch)

    def _deliver_end(self, callbacks: Callbacks) -> None:
        with self._node._reading:
            reads = bool(callbacks.calls["data"])
            if callbacks.paused or callbacks.busy or not callbacks.calls:
                return
            if not self._native.ended:
                if not reads:
                    # The end may be next, and nobody else may ask.
                    self._native.watch()
                return
            if reads and not callbacks.drained:
                return
            calls = callbacks.calls["end"]
            callbacks.calls.clear()
        self._node._let_go(self)
        coroutines = call_each("end", calls)
        if coroutines:
            self._node._finish_each("end", coroutines, lambda: None)
