"""The same without an event loop: every call that waits blocks its thread, and minds Ctrl-C::

    from p2pchan import sync

    with sync.Node(listen="0.0.0.0:0", discovery={"seeds": ["192.0.2.7:8099"]}) as node:
        node.discover("My Cool Service 1.0")
        for remote in node:
            remote.send("Hello, dude!")
            for message in remote:
                print(message)

Names and exceptions are those of `p2pchan`. What may wait long takes a `timeout` in seconds, after which it
raises TimeoutError and nothing was sent or lost. Nodes and remotes may be used by several threads: one of
those that wait does the work for all.
"""

import os
import select
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from ._base import BATCH, FAILED, REMOTE, RESULT, BaseNode, BaseRemote, Message, check_topic
from ._errors import ClosedError, InvalidError, RefusedError, TimeoutError
from ._native import NativeRemote

__all__ = ["Discovery", "Node", "Remote"]


class Remote(BaseRemote):
    """As `p2pchan.Remote`; `for` gives its messages until the peer has ended."""

    __slots__ = ("_node",)

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
        for message in self._next(timeout):
            return message
        raise ClosedError("the peer has ended, and everything was read")

    def recv_many(self, most: int = BATCH, timeout: float | None = None) -> list[Message]:
        """All messages that are here, at least one and so many at most; none when the peer has ended."""
        if most < 1:
            raise ValueError(f"most is {most}; ask for one message at least")
        with self._node._reading:
            if self._ready:
                return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        return self._take(most, timeout)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        for message in self._next(None):
            return message
        raise StopIteration

    def end(self, timeout: float | None = None) -> None:
        """Ends the channel, and waits until the peer has ended and read everything."""
        self._native.abandon()
        self._node._wait(lambda: self._native.ended, timeout)
        self._native.check_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._native.abandon()
            return
        try:
            self.end()
        except ClosedError:
            pass

    def _next(self, timeout: float | None) -> list[Message]:
        """The next message; none when the peer has ended."""
        with self._node._reading:
            if self._ready:
                return [self._ready.popleft()]
        batch = self._take(BATCH, timeout)
        with self._node._reading:
            self._ready.extend(batch)
            return [self._ready.popleft()] if self._ready else []

    def _no_room(self) -> bool:
        """Lets the node tell when there is room again."""
        self._native.await_room()
        return False

    def _take(self, most: int, timeout: float | None) -> list[Message]:
        batches: list[list[Message]] = []

        def taken() -> bool:
            batch = self._native.recv_many(most)
            if batch is not None:
                batches.append(batch)
            return batch is not None

        self._node._wait(taken, timeout)
        return batches[0]


class _Answer:
    """What a request waits for."""

    def __init__(self) -> None:
        self.done = False
        self.remote: Remote | None = None
        self.error: BaseException | None = None


class Node(BaseNode[Remote]):
    """As `p2pchan.Node`; `with` starts and stops it, `for` gives its remotes."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        /,
        *,
        settings_file: str | os.PathLike[str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__({**(settings or {}), **more}, settings_file)
        self._started = False
        self._poll = select.poll()
        self._requests: dict[int, _Answer] = {}
        # One thread at a time does the work; the others wait for what it brings.
        self._changed = threading.Condition()
        self._turning = False
        self._reading = threading.Lock()

    def start(self) -> Self:
        """Opens what the settings name, and nothing else."""
        if self._started:
            raise InvalidError("a node is started once; make a new one")
        request = self._native.start()
        self._started = True
        self._poll.register(self._native.fileno(), select.POLLIN)
        try:
            self._answered(self._ask(request), None)
        except BaseException:
            self._native.stop()
            self._ended = True
            raise
        self._most_waiting = self._native.most_waiting()
        return self

    def stop(self) -> None:
        """Ends everything, and returns when sockets and tasks are gone."""
        self._native.stop()
        if self._started:
            self._wait(lambda: self._ended, None)
        self._ended = True

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Remote:
        try:
            return self.next_remote()
        except ClosedError:
            raise StopIteration from None

    def next_remote(self, timeout: float | None = None) -> Remote:
        """The next remote that opens. Raises ClosedError when the node has stopped."""
        remotes: list[Remote] = []

        def came() -> bool:
            if self._incoming:
                remotes.append(self._incoming.popleft())
            return bool(remotes) or self._ended

        self._wait(came, timeout)
        if not remotes:
            raise ClosedError("the node has stopped")
        return remotes[0]

    def discover(self, subject: str, secret: str | None = None) -> "Discovery":
        """As `p2pchan.Node.discover`."""
        return Discovery(self, subject, self._native.discover(subject, secret))

    def discover_topic(self, topic: bytes) -> "Discovery":
        """As `discover`, for 32 bytes that are as strong as a key."""
        check_topic(topic)
        return Discovery(self, topic, self._native.discover_topic(topic))

    def connect(self, address: str, timeout: float | None = None) -> Remote:
        """Dials an address now. After a timeout the remote that may come of it comes from the node."""
        remote = self._answered(self._ask(self._native.connect(address)), timeout)
        if remote is None:
            raise RefusedError("this node has no place for another remote; end some")
        return remote

    def update(self, settings: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Changes settings while the node runs; None returns to the default."""
        self._answered(self._ask(self._native.update({**(settings or {}), **more})), None)
        self._most_waiting = self._native.most_waiting()

    def reload(self) -> None:
        """Reads the settings file again."""
        self._answered(self._ask(self._native.reload()), None)
        self._most_waiting = self._native.most_waiting()

    def __repr__(self) -> str:
        state = "not started" if not self._started else "stopped" if self._ended else self.id[:8]
        return f"<p2pchan.sync.Node {state}>"

    def _ask(self, request: int) -> _Answer:
        return self._requests.setdefault(request, _Answer())

    def _answered(self, answer: _Answer, timeout: float | None) -> Remote | None:
        self._wait(lambda: answer.done or self._ended, timeout)
        if answer.error is not None:
            raise answer.error
        if not answer.done:
            raise ClosedError("the node has stopped")
        return answer.remote

    def _wait(self, ready: Callable[[], bool], timeout: float | None) -> None:
        """Until it is ready, which is asked again whenever something has happened."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not ready():
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"nothing came within {timeout} s")
                if self._turning:
                    self._changed.wait(left)
                else:
                    self._turn(left)

    def _turn(self, left: float | None) -> None:
        """Waits for something to do, and does it; the lock is free meanwhile."""
        self._turning = True
        self._changed.release()
        try:
            self._poll.poll(None if left is None else max(1, int(left * 1000)))
        finally:
            self._changed.acquire()
            self._turning = False
            self._changed.notify_all()
        self._dispatch()

    def _dispatch(self) -> None:
        goes_on, events = self._native.dispatch()
        for what, which, more in events:
            if what == REMOTE:
                self._incoming.append(Remote(which, self))
            elif what in (RESULT, FAILED):
                self._answer(which, what, more)
        self._refuse_beyond_limit()
        self._ended = self._ended or not goes_on

    def _answer(self, request: int, what: int, answer: Any) -> None:
        asked = self._requests.pop(request, None)
        if asked is None:
            return
        asked.done = True
        if what == FAILED:
            asked.error = answer
            return
        for remote in self._incoming:
            if remote._native.id == answer:
                asked.remote = remote
                self._incoming.remove(remote)
                return


class Discovery:
    """A subject that is being discovered; forgetting it changes nothing."""

    def __init__(self, node: Node, subject: str | bytes, request: int) -> None:
        """Made by the node."""
        self._node = node
        self._subject = subject
        self._flushed = node._ask(request)

    @property
    def subject(self) -> str:
        """The phrase, or a raw topic as 64 hexadecimal digits."""
        return self._subject if isinstance(self._subject, str) else self._subject.hex()

    def flushed(self, timeout: float | None = None) -> None:
        """Returns when the announcement stands, so that others can find this node."""
        self._node._answered(self._flushed, timeout)

    def stop(self) -> None:
        """Withdraws the announcement, and looks no more. Open remotes live on."""
        if isinstance(self._subject, str):
            self._node.stop_discover(self._subject)
        else:
            self._node.stop_discover_topic(self._subject)
