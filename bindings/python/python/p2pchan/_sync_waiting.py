"""What a program waits for beside nodes and remotes, for threads that wait."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ._discovery import BaseDiscovery
from ._errors import ClosedError, InvalidError
from ._native import NativeStream
from ._sync_remote import Remote

if TYPE_CHECKING:
    from .sync import Node

Item = TypeVar("Item")


class Answer:
    """What a request waits for."""

    def __init__(self) -> None:
        self.done = False
        self.remote: Remote | None = None
        self.error: BaseException | None = None


class Stream(Generic[Item]):
    """Items of a node, for `for`, until the node has stopped. It ends when it is forgotten.

    One thread reads a stream; give others a stream of their own.
    """

    def __init__(self, node: "Node", native: NativeStream, convert: Callable[[Any], Item]) -> None:
        """Made by the node."""
        self._node = node
        self._native = native
        self._convert = convert
        self._answer: Answer | None = None
        self._waits = False
        self._over = False

    def next(self, timeout: float | None = None) -> Item:
        """The next item. Raises ClosedError when the node has stopped."""
        with self._node._reading:
            if self._waits:
                raise InvalidError("another thread waits for the next item; give each a stream of its own")
            self._waits = True
        try:
            item = None if self._over else self._next(timeout)
        finally:
            self._waits = False
        if item is None:
            self._over = True
            raise ClosedError("the node has stopped")
        return self._convert(item)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        try:
            return self.next()
        except ClosedError:
            raise StopIteration from None

    def _next(self, timeout: float | None) -> Any:
        if self._answer is None:
            self._answer = self._node._ask(self._native.next())
        self._node._answered_by(self._answer, timeout)
        self._answer = None
        return self._native.take()


class Discovery(BaseDiscovery):
    """A subject that is being discovered; forgetting it changes nothing."""

    _node: "Node"

    def __init__(self, node: "Node", subject: str | bytes, request: int) -> None:
        """Made by the node."""
        super().__init__(node, subject)
        self._flushed = node._ask(request)

    def flushed(self, timeout: float | None = None) -> None:
        """Returns when the announcement stands, so that others can find this node."""
        self._node._answered_by(self._flushed, timeout)
