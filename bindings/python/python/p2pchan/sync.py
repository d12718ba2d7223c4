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

import inspect
import math
import os
import select
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self

from ._base import FAILED, BaseNode, check_topic
from ._errors import ClosedError, InvalidError, RefusedError, TimeoutError
from ._events import Event
from ._log import choose_level, log
from ._native import NativeRemote
from ._newcomers import Refuse
from ._sync_remote import Remote
from ._sync_waiting import Answer, Discovery, Stream

__all__ = ["Discovery", "Node", "Remote", "Stream"]


class Node(BaseNode[Remote]):
    """As `p2pchan.Node`; `with` starts and stops it, `for` gives its remotes."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        /,
        *,
        settings_file: str | os.PathLike[str] | None = None,
        refuse: Refuse | None = None,
        **more: Any,
    ) -> None:
        super().__init__({**(settings or {}), **more}, settings_file, refuse)
        self._started = False
        self._poll = select.poll()
        self._requests: dict[int, Answer] = {}
        # One thread at a time does the work; the others wait for what it brings.
        self._changed = threading.Condition()
        self._turning = False
        # One thread at a time calls the program's functions, without the lock.
        self._calling = False

    def start(self) -> Self:
        """Opens what the settings name, and nothing else."""
        if self._started:
            raise InvalidError("a node is started once; make a new one")
        choose_level()
        request = self._native.start()
        self._started = True
        self._poll.register(self._native.fileno(), select.POLLIN)
        try:
            self._answered_by(self._ask(request), None)
        except BaseException:
            self._native.stop()
            self._ended = True
            raise
        self._running = True
        with self._reading:
            self._feed()
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
            if self._incoming and not remotes:
                remotes.append(self._incoming.popleft())
            return bool(remotes) or self._ended

        with self._changed:
            if self._calls["remote"]:
                raise InvalidError('the remotes of this node go to on("remote"); remove those functions first')
            self._takers_now += 1
        try:
            self._wait(came, timeout)
        finally:
            with self._changed:
                self._takers_now -= 1
        if not remotes:
            raise ClosedError("the node has stopped")
        return remotes[0]

    def discover(self, subject: str, secret: str | None = None) -> Discovery:
        """As `p2pchan.Node.discover`."""
        return Discovery(self, subject, self._native.discover(subject, secret))

    def discover_topic(self, topic: bytes) -> Discovery:
        """As `discover`, for 32 bytes that are as strong as a key."""
        check_topic(topic)
        return Discovery(self, topic, self._native.discover_topic(topic))

    def connect(self, address: str, timeout: float | None = None) -> Remote:
        """Dials an address now. After a timeout the remote that may come of it comes from the node."""
        remote = self._answered_by(self._ask(self._native.connect(address)), timeout)
        if remote is None:
            raise RefusedError("this node has no place for another remote; end some")
        return remote

    def update(self, settings: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Changes settings while the node runs; None returns to the default."""
        self._answered_by(self._ask(self._native.update({**(settings or {}), **more})), None)

    def reload(self) -> None:
        """Reads the settings file again."""
        self._answered_by(self._ask(self._native.reload()), None)

    def run(self, timeout: float | None = None) -> bool:
        """Calls the functions that were given to `on`, until the node has stopped or for so many
        seconds; whether the node goes on. 0 calls what is due at this moment::

            node.on("remote", lambda remote: remote.on("data", print))
            node.run(0.5)

        Every other call that waits does the same meanwhile. `stop` ends it, in a function or elsewhere.
        """
        try:
            self._wait(lambda: self._ended, timeout)
        except TimeoutError:
            pass
        return not self._ended

    def remotes(self) -> list[Remote]:
        """The remotes that are open and that somebody keeps."""
        with self._changed:
            return super().remotes()

    def events(self) -> Stream[Event]:
        """As `p2pchan.Node.events`, for `for`."""
        return Stream(self, self._native.events(), lambda item: Event(*item))

    def stats(self) -> Stream[dict[str, Any]]:
        """As `p2pchan.Node.stats`, for `for`."""
        return Stream(self, self._native.stats(), dict)

    def __repr__(self) -> str:
        state = "not started" if not self._started else "stopped" if self._ended else self.id[:8]
        return f"<p2pchan.sync.Node {state}>"

    def _ask(self, request: int) -> Answer:
        return self._requests.setdefault(request, Answer())

    def _answered_by(self, answer: Answer, timeout: float | None) -> Remote | None:
        self._wait(lambda: answer.done or self._ended, timeout)
        if answer.error is not None:
            raise answer.error
        if not answer.done:
            raise ClosedError("the node has stopped")
        return answer.remote

    def _wait(self, ready: Callable[[], bool], timeout: float | None) -> None:
        """Until it is ready, which is asked again whenever something has happened."""
        if not self._started:
            raise InvalidError("the node was not started; start it first")
        self._check_process()
        until = None if timeout is None else time.monotonic() + timeout
        looked = False
        with self._changed:
            while True:
                self._make_calls()
                self._refuse_beyond_limit()
                if ready():
                    return
                left = None if until is None else max(0.0, until - time.monotonic())
                # What is here already is seen even by those who do not want to wait.
                if left == 0 and (looked or self._turning):
                    raise TimeoutError(f"nothing came within {timeout} s")
                looked = True
                if self._turning:
                    self._changed.wait(left)
                else:
                    self._turn(left)

    def _turn(self, left: float | None) -> None:
        """Waits for something to do, and does it; the lock is free meanwhile."""
        self._turning = True
        self._changed.release()
        try:
            self._poll.poll(None if left is None else math.ceil(left * 1000))
        finally:
            self._changed.acquire()
            self._turning = False
            self._changed.notify_all()
        goes_on = self._hear()
        if not goes_on and not self._ended:
            self._ended = True
            self._queue(self._tell_stopped)

    def _make_calls(self) -> None:
        """Calls what there is to call, unless a thread does so already; the lock is free meanwhile."""
        if self._calling:
            return
        self._calling = True
        try:
            while self._due:
                self._changed.release()
                try:
                    self._call_next()
                finally:
                    self._changed.acquire()
        finally:
            self._calling = False

    def _forked(self) -> None:
        super()._forked()
        self._changed = threading.Condition()
        self._turning = self._calling = False

    def _soon(self) -> None:
        # For a thread that waits; who begins to wait looks by itself.
        if self._started and not self._ended:
            self._native.wake()

    def _new_remote(self, native: NativeRemote) -> Remote:
        return Remote(native, self)

    def _take_remote(self) -> Remote | None:
        # Others look for the one that they have asked for.
        with self._changed:
            return super()._take_remote()

    def _heard_remote(self, remote: Remote, what: int) -> None:
        if remote._callbacks is not None:
            self._queue(remote._deliver)

    def _answered(self, request: int, what: int, answer: Any) -> None:
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

    def _finish_search(self, request: int, name: str, verb: str, result: Any) -> bool:
        if isinstance(result, Coroutine):
            result.close()
            raise InvalidError("there is no event loop to run a coroutine; give a plain method")
        return False

    def _check_call(self, call: Callable[..., object]) -> None:
        if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
            raise InvalidError("there is no event loop to run a coroutine function; give a plain one, or use p2pchan.Node")

    def _finish_each(
        self, event: str, coroutines: list[Coroutine[Any, Any, Any]], then: Callable[[], None]
    ) -> None:
        for coroutine in coroutines:
            coroutine.close()
            log.error("a function that was given to on(%r) returned a coroutine, which nobody runs", event)
        then()
