"""A node, for asyncio."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Self
from weakref import ref

from ._base import FAILED, RESULT, BaseNode, check_topic
from ._calls import log_raised
from ._errors import ClosedError, InvalidError, RefusedError
from ._events import Event
from ._log import choose_level
from ._native import NativeRemote
from ._newcomers import Refuse
from ._remote import Remote, wake
from ._searches import CALLS, Searches
from ._waiting import Discovery, Stream


class Node(BaseNode[Remote]):
    """One identity, with its listeners, discovery services and remotes.

    Settings are those of docs/settings.md: as keywords, or in a mapping; a dot in a key is a dict in a
    dict. `settings_file` names a TOML file, above which the others stand::

        node = Node(listen="0.0.0.0:0", limits={"remotes": 16})
        node = Node({"listen": "0.0.0.0:0", "limits.remotes": 16})

    `refuse` is asked about everybody who has proved a subject, and would get a remote: a plain function
    of a `Newcomer`, called on the loop, which refuses with True, or by raising::

        node = Node(listen="0.0.0.0:0", refuse=lambda newcomer: newcomer.peer in unwanted)

    `async with` starts and stops it; `async for` gives its remotes. It belongs to the event loop that
    starts it. A node that is forgotten ends.

    Raises SettingsError naming the key and the value; NetworkError for a file that cannot be read.
    """

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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fd = -1
        self._takers: list[asyncio.Future[None]] = []
        self._requests: dict[int, asyncio.Future[Remote | None]] = {}
        self._stopping: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Future[Any]] = set()
        self._searches = Searches(self._services)

    async def start(self) -> Self:
        """Opens what the settings name, and nothing else.

        Raises SettingsError or NetworkError naming what cannot be opened; then nothing is left open.
        """
        if self._loop is not None:
            raise InvalidError("a node is started once; make a new one")
        choose_level()
        loop, request = asyncio.get_running_loop(), self._native.start()
        self._loop, self._fd = loop, self._native.fileno()
        loop.add_reader(self._fd, _Turn(self, loop, self._fd))
        try:
            await self._answer(request)
        except BaseException:
            self._native.stop()
            self._finish()
            raise
        self._running = True
        self._feed()
        return self

    async def stop(self) -> None:
        """Ends everything: announcements are withdrawn, what was sent goes out, remotes end.

        Returns when sockets and tasks are gone. If it is cancelled, the node goes on stopping.
        """
        self._native.stop()
        if self._loop is None:
            self._ended = True
        while not self._ended:
            waiter = self._waiter()
            self._stopping.append(waiter)
            await waiter

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __aiter__(self) -> Self:
        """The remotes that open, until the node has stopped.

        As many as `limits.waiting` wait to be taken; then newcomers are refused.
        """
        return self

    async def __anext__(self) -> Remote:
        if self._calls["remote"]:
            raise InvalidError('the remotes of this node go to on("remote"); remove those functions first')
        while not self._incoming:
            if self._ended:
                raise StopAsyncIteration
            waiter = self._waiter()
            self._takers.append(waiter)
            self._takers_now += 1
            try:
                await waiter
            finally:
                self._takers_now -= 1
                if waiter in self._takers:
                    self._takers.remove(waiter)
        return self._incoming.popleft()

    def discover(self, subject: str, secret: str | None = None) -> "Discovery":
        """Announces a subject, and looks for others who have it. Their remotes come from the node.

        With a secret only those who have the same one get a remote: whoever guessed the subject can
        find this node, and not connect. Discovering a subject again is the same discovery.

        Raises InvalidError for a subject that is none, or that is discovered with another secret;
        RefusedError beyond `limits.subjects`.
        """
        self._check_loop()
        return Discovery(self, subject, self._native.discover(subject, secret))

    def discover_topic(self, topic: bytes) -> "Discovery":
        """As `discover`, for 32 bytes that are as strong as a key."""
        check_topic(topic)
        self._check_loop()
        return Discovery(self, topic, self._native.discover_topic(topic))

    async def connect(self, address: str) -> Remote:
        """Dials an address such as "tcp://192.0.2.7:8099" now, and offers all subjects of this node.

        If it is cancelled, the remote that may come of it is given by `async for`, as those for
        further common subjects are.

        Raises ClosedError if the peer is connected already, SettingsError if no subject is discovered,
        AuthError if none is common; TimeoutError, NetworkError and so on if it cannot be reached.
        """
        remote = await self._answer(self._native.connect(address))
        if remote is None:
            raise RefusedError("this node has no place for another remote; end some")
        return remote

    async def update(self, settings: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Changes settings while the node runs; None returns to the default.

        Everything is checked first: if it raises, all is as it was. If it is cancelled, the update
        goes on all the same.
        """
        await self._answer(self._native.update({**(settings or {}), **more}))

    async def reload(self) -> None:
        """Reads the settings file again. What the program has set stays above it."""
        await self._answer(self._native.reload())

    def events(self) -> Stream[Event]:
        """What is open, and then what happens, until the node has stopped; docs/status.md lists it::

            async for event in node.events():
                print(event.name, event.detail)

        Each call gives a stream of its own, which ends when it is forgotten. Of events that are not
        taken in time the newest 1,024 are kept; `missed` says how many were not.
        """
        self._check_loop()
        return Stream(self, self._native.events(), lambda item: Event(*item))

    def stats(self) -> Stream[dict[str, Any]]:
        """The counters of docs/status.md: first all, then those that have changed.

        One item at most in `stats.interval` (1 s), and none while nothing changes. Nothing is counted
        up unless somebody waits for the next item.
        """
        self._check_loop()
        return Stream(self, self._native.stats(), dict)

    def __repr__(self) -> str:
        state = "not started" if self._loop is None else "stopped" if self._ended else self.id[:8]
        return f"<p2pchan.Node {state}>"

    def _waiter(self) -> "asyncio.Future[Any]":
        return self._check_loop().create_future()

    def _check_loop(self) -> asyncio.AbstractEventLoop:
        self._check_process()
        if self._loop is None:
            raise InvalidError("the node was not started; start it first")
        # Without a loop there is none of that name.
        if asyncio._get_running_loop() is not self._loop:
            raise InvalidError("the node belongs to another event loop, the one that started it")
        return self._loop

    def _answer(self, request: int) -> "asyncio.Future[Remote | None]":
        answer = self._waiter()
        if self._ended:
            answer.set_exception(ClosedError("the node has stopped"))
        else:
            self._requests[request] = answer
        return answer

    def _dispatch(self) -> None:
        """Does what there is to do, and wakes whoever waits for it."""
        goes_on = self._hear()
        if not goes_on:
            self._finish()
            self._queue(self._tell_stopped)
        try:
            self._make_calls()
        finally:
            self._refuse_beyond_limit()

    def _make_calls(self) -> None:
        try:
            while self._due:
                self._call_next()
        finally:
            if self._due:
                # Ctrl-C, or a function that exits.
                self._soon()

    def _soon(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon(self._make_calls)

    def _new_remote(self, native: NativeRemote) -> Remote:
        wake(self._takers)
        return Remote(native, self)

    def _heard_remote(self, remote: Remote, what: int) -> None:
        remote._hear(what)

    def _answered(self, request: int, what: int, answer: Any) -> None:
        future = self._requests.pop(request, None)
        if future is None:
            return
        remote = self._remotes.get(answer) if what == RESULT and answer is not None else None
        # Ctrl-C cancels between any two lines, so that a look would not help.
        with suppress(asyncio.InvalidStateError):
            if what == FAILED:
                future.set_exception(answer)
            else:
                future.set_result(remote)
                if remote is not None and remote in self._incoming:
                    self._incoming.remove(remote)

    def _check_call(self, call: Callable[..., object]) -> None:
        if self._loop is not None:
            self._check_loop()

    def _has_room(self) -> bool:
        return len(self._tasks) < CALLS

    def _finish_each(
        self, event: str, coroutines: list[Coroutine[Any, Any, Any]], then: Callable[[], None]
    ) -> None:
        running = len(coroutines)

        def ended(task: asyncio.Future[Any]) -> None:
            nonlocal running
            running -= 1
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log_raised(event, error)
            if not running:
                then()

        for coroutine in coroutines:
            task = asyncio.ensure_future(coroutine)
            self._tasks.add(task)
            task.add_done_callback(ended)

    def _finish_search(self, request: int, name: str, verb: str, result: Any) -> bool:
        return self._searches.take(request, name, verb, result)

    def _cancel_search(self, request: int) -> None:
        self._searches.cancel(request)

    def _finish(self) -> None:
        """Nothing else comes."""
        if self._ended:
            return
        self._ended = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        for remote in list(self._remotes.values()):
            remote._wake_all()
        for request in list(self._requests):
            self._answered(request, FAILED, ClosedError("the node has stopped"))
        self._searches.cancel_all()
        wake(self._takers)
        wake(self._stopping)


class _Turn:
    """What the loop calls. It does not keep the node, so that one that is forgotten ends."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        searches = node._searches

        def forget(_: object) -> None:
            if not loop.is_closed():
                loop.remove_reader(fd)
                searches.cancel_all()

        self._node = ref(node, forget)

    def __call__(self) -> None:
        node = self._node()
        if node is not None:
            node._dispatch()
