"""A live channel to one peer, for asyncio."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from ._base import READABLE, WRITABLE
from ._base_remote import BATCH, BaseRemote, Message
from ._errors import ClosedError
from ._native import NativeRemote

if TYPE_CHECKING:
    from ._node import Node

class Remote(BaseRemote):
    """An encrypted channel to one peer, for one subject that both have.

    Messages arrive in order, whole and once. Read them with `async for`, which ends when the peer has
    ended and everything was read, and raises if the remote ends in any other way::

        async with remote:
            await remote.send({"yo": "ppl"})
            async for message in remote:
                print(message)

    A remote that nobody reads stops its peer, as does one that is read slowly. What is cancelled
    loses nothing: a message was sent or not, and one that was not returned comes next time.

    One that is forgotten ends: keep it as long as you want it, or give it functions to call (`on`).
    """

    __slots__ = ("_over", "_readers", "_room")

    _node: "Node"

    def __init__(self, native: NativeRemote, node: "Node") -> None:
        """Made by the node."""
        super().__init__(native)
        self._node = node
        self._readers: list[asyncio.Future[None]] = []
        self._room: list[asyncio.Future[None]] = []
        self._over: list[asyncio.Future[None]] = []

    async def send(self, message: Any) -> None:
        """Sends a message: a bytes-like object, `str`, or another value that is JSON.

        Waits while the send buffer is full. If it is cancelled, nothing was sent.

        Raises TypeError naming the place of what is not JSON, such as `value["a"][3]`; TooBigError;
        or why the remote has ended.
        """
        while not self._native.try_send(message):
            await self._room_again()

    async def send_many(self, messages: Sequence[Any]) -> None:
        """Sends messages in their order, faster than one by one.

        Waits while the send buffer is full; whatever ends it meanwhile, those before were sent.
        """
        place = 0
        while (place := self._native.try_send_many(messages, place)) < len(messages):
            await self._room_again()

    async def recv(self) -> Message:
        """The next message.

        Raises ClosedError when the peer has ended and everything was read, or why the remote has
        ended otherwise.
        """
        if self._ready or await self._refill():
            return self._ready.popleft()
        raise ClosedError("the peer has ended, and everything was read")

    async def recv_many(self, most: int = BATCH) -> list[Message]:
        """All messages that are here, at least one and so many at most; none when the peer has ended.

        Raises why the remote has ended, if it was not by the peer.
        """
        if most < 1:
            raise ValueError(f"most is {most}; ask for one message at least")
        return self._here(most) or await self._take(most)

    def __aiter__(self) -> Self:
        """All messages until the peer has ended."""
        return self

    async def __anext__(self) -> Message:
        if self._ready or await self._refill():
            return self._ready.popleft()
        raise StopAsyncIteration

    async def end(self) -> None:
        """Ends the channel: what was sent goes out, then the peer gets its end.

        Returns when the peer has ended too and has said that it read everything. What the peer still
        sends is thrown away. If it is cancelled, the remote goes on ending.

        Raises why not everything may have been read, such as TimeoutError; ClosedError if messages came
        here that were not read, which the peer learns too.
        """
        self._discard()
        self._native.abandon()
        while not self._native.ended:
            await self._wait(self._over)
        self._native.check_end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._discard()
            self._native.abandon()
            return
        try:
            await self.end()
        except ClosedError:
            pass

    async def _refill(self) -> bool:
        """Whether there is a message now; false at the end."""
        batch = await self._take(BATCH)
        self._ready.extendleft(reversed(batch))
        return bool(self._ready)

    async def _take(self, most: int) -> list[Message]:
        """So many messages at most, in one step: those that another reader has left come first."""
        self._check_reader()
        self._readers_now += 1
        try:
            while (batch := self._here(most) or self._native.recv_many(most)) is None:
                await self._wait(self._readers)
            return batch
        finally:
            self._readers_now -= 1

    async def _room_again(self) -> None:
        self._native.await_room()
        await self._wait(self._room)

    async def _wait(self, waiters: list[asyncio.Future[None]]) -> None:
        """Until the node wakes those who wait there."""
        waiter = self._node._waiter()
        waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in waiters:
                waiters.remove(waiter)

    def _hear(self, what: int) -> None:
        if what == READABLE:
            wake(self._readers)
        elif what == WRITABLE:
            wake(self._room)
        else:
            self._wake_all()
        if self._callbacks is not None:
            self._node._queue(self._deliver)

    def _wake_all(self) -> None:
        for waiters in (self._readers, self._room, self._over):
            wake(waiters)


def wake(waiters: list[asyncio.Future[None]]) -> None:
    """Lets all go on who wait there."""
    for waiter in waiters:
        # Ctrl-C cancels between any two lines, so that a look would not help.
        with suppress(asyncio.InvalidStateError):
            waiter.set_result(None)
    waiters.clear()
