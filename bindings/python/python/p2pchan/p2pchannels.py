"""p2pchan in the manner of p2pchannels, a module for Node.js: programs for it need few changes, or none.

Everything is a call that returns at once, and a function for what happens; there is no loop to run, and
the program goes on until `close` or Ctrl-C::

    from p2pchan import P2PChannels

    p2p_channels = P2PChannels()
    p2p_channels.listen(8099)                   # where others connect
    p2p_channels.add_discovery_service(P2PChannels.BitTorrentDHT(55055))
    p2p_channels.discover("My Cool Service 1.0")

    def on_remote(remote):
        remote.on("data", print)
        remote.on("end", lambda: print("Connection closed."))
        remote.send({"yo": "ppl"})

    p2p_channels.on("remote", on_remote)

Names are those of Python, and those of p2pchannels too: `addDiscoveryService`, `stopDiscover`.

**Threads.** Each `P2PChannels` has a thread of its own, which calls all functions that are given to `on`,
one at a time. It keeps the process alive as long as it is open. A function should not block for long, as
the others wait for it; the network does not. Everything may be called from every thread.

**Services of your own** are objects with a method `start(p2p_channels)`. It begins to look for all of
`p2p_channels.subjects`, and minds the events `addDiscoverSubject` and `removeDiscoverySubject`. What it
finds it emits as the event `discovery`, with an IP address, a port and the subject, from whichever thread::

    from p2pchan import P2PChannels

    class Friends(P2PChannels.EventEmitter):
        def start(self, p2p_channels):
            for subject in p2p_channels.subjects:
                self.look_up(subject)
            p2p_channels.on("addDiscoverSubject", self.look_up)

        def look_up(self, subject):
            self.emit("discovery", "192.0.2.7", 8099, subject)

    def on_remote(remote):
        remote.on("data", print)
        remote.send("Hello, dude!")

    p2p_channels = P2PChannels()
    p2p_channels.add_discovery_service(Friends())
    p2p_channels.discover("My Cool Service 1.0")
    p2p_channels.on("remote", on_remote)

Programs with an event loop, or that want settings, back-pressure or status, use `p2pchan.Node`.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, Protocol, Self, TypeVar

from ._calls import Off
from ._ctrl_c import close_at_ctrl_c
from ._discovery import DiscoveryService, Topic
from ._emitter import EventEmitter
from ._errors import ClosedError, Error, InvalidError, WouldBlockError
from ._log import log
from ._node import Node
from ._remote import Remote as NodeRemote

__all__ = ["BitTorrentDHT", "EventEmitter", "P2PChannels", "Remote", "Service"]

Result = TypeVar("Result")

MOST_FOUND = 1024
"""Addresses for one subject that a service found and the node has not looked at: as many as it knows."""


class Service(Protocol):
    """What `add_discovery_service` takes; one that is an `EventEmitter` may emit `discovery`."""

    def start(self, p2p_channels: "P2PChannels", /) -> object: ...


class BitTorrentDHT:
    """Finds others through the BitTorrent DHT, from a UDP port; 0 is any free one.

    It begins with the well-known nodes, or with those of `bootstrap`, such as ["127.0.0.1:6881"].
    """

    def __init__(self, port: int = 0, *, bootstrap: Sequence[str] | str = "public") -> None:
        self._settings = {
            "discovery.bittorrent.bootstrap": bootstrap if isinstance(bootstrap, str) else list(bootstrap),
            "discovery.bittorrent.port": port,
        }

    def start(self, p2p_channels: "P2PChannels", /) -> None:
        """Called by `add_discovery_service`. Raises SettingsError or NetworkError naming what is wrong."""
        p2p_channels._update(self._settings)


class Found(DiscoveryService):
    """What services of the program have found, as the node asks for it."""

    name = "p2pchannels"

    def __init__(self) -> None:
        self._found: dict[str, asyncio.Queue[str]] = {}

    def discover(self, subject: str) -> None:
        self._found[subject] = asyncio.Queue(MOST_FOUND)

    def forget(self, subject: str) -> None:
        self._found.pop(subject, None)

    def add(self, subject: str, address: str) -> None:
        queue = self._found.get(subject)
        # Beyond the bound a service finds it again later.
        if queue is not None and not queue.full():
            queue.put_nowait(address)

    async def look_up(self, topic: Topic) -> AsyncIterator[str]:
        queue = self._found.get(topic.subject or "")
        while queue is not None:
            yield await queue.get()


class Remote:
    """A live channel to one peer."""

    def __init__(self, channels: "P2PChannels", remote: NodeRemote) -> None:
        """Made by P2PChannels."""
        self._channels = channels
        self._remote = remote

    @property
    def id(self) -> str:
        """Who it is, which the peer has proved: 64 hexadecimal digits."""
        return self._remote.peer

    @property
    def subject(self) -> str:
        """The subject that both have."""
        return self._remote.subject

    @property
    def address(self) -> str:
        """Where the peer is."""
        return self._remote.address

    def send(self, message: Any) -> None:
        """Sends bytes, text, or a value that is JSON.

        Waits while the send buffer is full; but within a function that was given to `on` it raises
        WouldBlockError then, and nothing was sent. Raises TypeError for what is not JSON, TooBigError, or
        why the remote has ended.
        """
        if not self._channels._is_own_thread():
            self._channels._wait(self._remote.send(message))
        elif not self._remote._native.try_send(message):
            raise WouldBlockError("the send buffer is full; send less, or from a thread of your own, which waits")

    def on(self, event: str, call: Callable[..., object]) -> Off:
        """Calls a function for each message (`"data"`), or once without arguments at the end (`"end"`).

        A remote whose messages no function takes stops its peer. Returns a function that removes it again.
        """
        return self._channels._call(self._remote.on, event, call)

    def end(self) -> None:
        """Says that nothing more follows; what was sent goes out. `"end"` comes once the peer has ended too."""
        self._channels._call(self._remote.finish)

    def __repr__(self) -> str:
        return f"<p2pchan.p2pchannels.Remote {self.id[:8]} at {self.address}>"


class P2PChannels(EventEmitter):
    """Finds others that share a subject, and makes channels to them.

    Opens nothing until it is told to by `listen` or a discovery service. `close` ends it, as does leaving
    a `with`. Ctrl-C does too, if Python's own handler of it was in place and it was made in the main thread.
    """

    BitTorrentDHT = BitTorrentDHT
    EventEmitter = EventEmitter

    EVENTS = ("remote", "addDiscoverSubject", "removeDiscoverySubject")

    def __init__(self) -> None:
        self.subjects: list[str] = []
        """What is being discovered."""
        self._found = Found()
        self._remotes: set[Remote] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking = False
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._closed = False
        # Nothing is submitted after the end. A signal may come meanwhile, in the same thread.
        self._submitting = threading.RLock()
        self._started: Future[Node] = Future()
        self._thread = threading.Thread(target=self._run, name="p2pchannels")
        self._thread.start()
        self._node = self._started.result()
        close_at_ctrl_c(self)

    @property
    def id(self) -> str:
        """Who others see: 64 hexadecimal digits."""
        return self._node.id

    @property
    def addresses(self) -> list[str]:
        """Where it accepts connections."""
        return self._node.addresses

    @property
    def remotes(self) -> list[Remote]:
        """Those that are open."""
        return list(self._remotes)

    def listen(self, port: int, address: str = "0.0.0.0") -> None:
        """Accepts connections at this port, of all addresses of the machine or of one; 0 is any free one.

        Without it only others that listen can be reached. Raises NetworkError if the port is taken.
        """
        host = f"[{address}]" if ":" in address else address
        self._update({"listen": f"{host}:{port}"})

    def add_discovery_service(self, service: Service) -> None:
        """Starts a service, `BitTorrentDHT` or one of your own; what that finds is connected to."""
        listen = getattr(service, "on", None)
        if listen is not None:
            listen("discovery", self._discovered)
        service.start(self)

    def discover(self, subject: str) -> bool:
        """Announces a subject and looks for others who have it, now and with services that come later;
        whether it is new. Raises InvalidError for one that is none."""
        new = self._call(self._add_subject, subject)
        if new:
            self.emit("addDiscoverSubject", subject)
        return new

    def stop_discover(self, subject: str) -> bool:
        """Withdraws a subject, and looks no more; whether it was there. Open remotes live on."""
        known = self._call(self._remove_subject, subject)
        if known:
            self.emit("removeDiscoverySubject", subject)
        return known

    def on(self, event: str, call: Callable[..., object]) -> Off:
        """Calls a function with each remote that opens (`"remote"`), those before the first such function
        too; with each subject that is discovered (`"addDiscoverSubject"`) or no more
        (`"removeDiscoverySubject"`). Returns a function that removes it again.
        """
        if event not in self.EVENTS:
            raise InvalidError(f"there is no event {event!r}; there are {', '.join(self.EVENTS)}")
        off = super().on(event, call)
        if event == "remote":
            self._call(self._take_remotes)
        return off

    def close(self) -> None:
        """Ends everything: announcements are withdrawn, what was sent goes out, remotes end.

        Returns when that is done; at once within a function that was given to `on`.
        """
        self.begin_to_close()
        if not self._is_own_thread():
            self._thread.join()

    def begin_to_close(self) -> None:
        """As `close`, and does not wait."""
        with self._submitting:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._closing.set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    addDiscoveryService = add_discovery_service
    stopDiscover = stop_discover

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        try:
            node = Node()
            node.add_discovery_service(self._found)
            await node.start()
        except BaseException as error:
            self._started.set_exception(error)
            return
        self._started.set_result(node)
        await self._closing.wait()
        await node.stop()

    # On the thread.

    def _add_subject(self, subject: str) -> bool:
        if subject in self.subjects:
            return False
        # Before the node asks for what was found.
        self._found.discover(subject)
        try:
            self._node.discover(subject)
        except Error:
            self._found.forget(subject)
            raise
        self.subjects.append(subject)
        return True

    def _remove_subject(self, subject: str) -> bool:
        if subject not in self.subjects:
            return False
        self.subjects.remove(subject)
        self._node.stop_discover(subject)
        self._found.forget(subject)
        return True

    def _take_remotes(self) -> None:
        if not self._taking:
            self._taking = True
            self._node.on("remote", self._opened)

    def _opened(self, opened: NodeRemote) -> None:
        remote = Remote(self, opened)
        # Kept until its end, as nobody else may keep it.
        self._remotes.add(remote)
        opened.on("end", lambda: self._remotes.discard(remote))
        self.emit("remote", remote)

    def _found_address(self, address: str, subject: str | None) -> None:
        for each in self.subjects if subject is None else [subject]:
            self._found.add(each, address)

    # From any thread.

    def _discovered(self, ip: str, port: int | str, subject: str | None = None) -> None:
        """An address that a service has found; for all subjects, if it names none."""
        address = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        self._call(self._found_address, address, subject)

    def _update(self, settings: dict[str, Any]) -> None:
        self._wait(self._node.update(settings))

    def _is_own_thread(self) -> bool:
        return threading.get_ident() == self._thread.ident

    def _call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The result of a function that runs on the thread."""
        if self._is_own_thread():
            return function(*arguments)

        async def call() -> Result:
            return function(*arguments)

        return self._submit(call())

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        """Until it is done; on the thread it goes on behind, and what is wrong is logged."""
        if not self._is_own_thread():
            self._submit(work)
            return
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("what a function began has failed", exc_info=task.exception())

    def _submit(self, work: Coroutine[Any, Any, Result]) -> Result:
        with self._submitting:
            if self._closed:
                work.close()
                raise ClosedError("it was closed; make a new P2PChannels")
            done = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return done.result()
        except CancelledError:
            raise ClosedError("it was closed meanwhile") from None
