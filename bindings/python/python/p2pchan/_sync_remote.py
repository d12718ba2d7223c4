"""A live channel to one peer, for threads that wait."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from ._base_remote import BATCH, BaseRemote, Message
from ._errors import ClosedError
from ._native import NativeRemote

if TYPE_CHECKING:
    from .sync import Node


class Remote(BaseRemote):
    """As `p2pchan.Remote`; `for` gives its messages until the peer has ended."""

    __slots__ = ()

    _node: "Node"

    def __init__(self, native: NativeRemote, node: "Node") -> None:
        """Made by the node."""
        super().__init__(native)
        self._node = node

    def send(self, message: Any, timeout: float | None = None) -> None:
        """Sends a message; waits while the send buffer is full."""
        if not self._native.try_send(message):
            self._node._wait(lambda: self._native.try_send(message) or self._no_room(), timeout)

    def send_many(self, messages: Sequence[Any], timeout: float | None = None) -> None:
        """Sends messages in their order. If it raises, those before the one that failed were sent."""
        place = 0

        def sent() -> bool:
            nonlocal place
            place = self._native.try_send_many(messages, place)
            return place >= len(messages) or self._no_room()

        if not sent():
            self._node._wait(sent, timeout)

    def recv(self, timeout: float | None = None) -> Message:
        """The next message. Raises ClosedError when the peer has ended and everything was read."""
        try:
            # Without the lock: taking one is a single step, and so is putting a batch there.
            return self._ready.popleft()
        except IndexError:
            pass
        for message in self._next(timeout):
            return message
        raise ClosedError("the peer has ended, and everything was read")

    def recv_many(self, most: int = BATCH, timeout: float | None = None) -> list[Message]:
        """All messages that are here, at least one and so many at most; none when the peer has ended."""
        if most < 1:
            raise ValueError(f"most is {most}; ask for one message at least")
        with self._node._reading:
            if here := self._here(most):
                return here
            self._begin_reading()
        try:
            return self._take(most, most, timeout)
        finally:
            self._end_reading()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        try:
            return self._ready.popleft()
        except IndexError:
            pass
        for message in self._next(None):
            return message
        raise StopIteration

    def end(self, timeout: float | None = None) -> None:
        """Ends the channel, and waits until the peer has ended and read everything."""
        self._discard()
        self._native.abandon()
        self._node._wait(lambda: self._native.ended, timeout)
        self._native.check_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._discard()
            self._native.abandon()
            return
        try:
            self.end()
        except ClosedError:
            pass

    def _next(self, timeout: float | None) -> list[Message]:
        """The next message; none when the peer has ended."""
        with self._node._reading:
            if here := self._here(1):
                return here
            self._begin_reading()
        try:
            return self._take(1, BATCH, timeout)
        finally:
            self._end_reading()

    def _begin_reading(self) -> None:
        self._check_reader()
        self._readers_now += 1

    def _end_reading(self) -> None:
        with self._node._reading:
            self._readers_now -= 1

    def _no_room(self) -> bool:
        """Lets the node tell when there is room again."""
        self._native.await_room()
        return False

    def _take(self, most: int, ahead: int, timeout: float | None) -> list[Message]:
        """So many messages at most, of so many that leave the connection at once; none at the end."""
        taken: list[Message] = []

        def took() -> bool:
            # In one step, or another reader would put later messages before what is left of these.
            with self._node._reading:
                batch = self._here(most) or self._native.recv_many(ahead)
                if batch is None:
                    return False
                taken.extend(batch[:most])
                self._ready.extend(batch[most:])
                return True

        self._node._wait(took, timeout)
        return taken
