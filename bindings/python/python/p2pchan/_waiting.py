"""What a program waits for beside nodes and remotes, for asyncio."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ._discovery import BaseDiscovery
from ._errors import ClosedError, InvalidError
from ._native import NativeStream

if TYPE_CHECKING:
    from ._node import Node

Item = TypeVar("Item")


class Stream(Generic[Item]):
    """Items of a node, for `async for`, until the node has stopped. It ends when it is forgotten.

    What is cancelled loses nothing. One task reads a stream; give others a stream of their own.
    """

    def __init__(self, node: "Node", native: NativeStream, convert: Callable[[Any], Item]) -> None:
        """Made by the node."""
        self._node = node
        self._native = native
        self._convert = convert
        self._answer: asyncio.Future[Any] | None = None
        self._waits = False
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        if self._waits:
            raise InvalidError("another task waits for the next item; give each a stream of its own")
        self._waits = True
        try:
            item = None if self._over else await self._next()
        finally:
            self._waits = False
        if item is None:
            self._over = True
            raise StopAsyncIteration
        return self._convert(item)

    async def _next(self) -> Any:
        try:
            if self._answer is None:
                self._answer = quiet(self._node._answer(self._native.next()))
            # One that is cancelled is awaited again by the next call.
            await asyncio.shield(self._answer)
        except ClosedError:
            return None
        self._answer = None
        return self._native.take()


class Discovery(BaseDiscovery):
    """A subject that is being discovered; forgetting it changes nothing."""

    def __init__(self, node: "Node", subject: str | bytes, request: int) -> None:
        """Made by the node."""
        super().__init__(node, subject)
        self._flushed = quiet(node._answer(request))

    async def flushed(self) -> None:
        """Returns when the announcement stands, so that others can find this node.

        Raises ClosedError if the discovery or the node ends before.
        """
        await asyncio.shield(self._flushed)


def quiet(answer: "asyncio.Future[Any]") -> "asyncio.Future[Any]":
    """Nobody has to wait for it: looking at an exception keeps it out of the log."""
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
    return answer
