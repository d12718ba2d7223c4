"""What nodes are, whoever waits for them.

A node hears what has happened by `_hear`, which calls nothing of the program's. What there is to call
is noted in `_due`, each remote and stream once, and called by `_make_calls`: on the event loop, or in the
thread that waits.
"""

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, Literal, TypeVar, overload
from weakref import WeakSet, WeakValueDictionary

from . import _native
from ._base_remote import BaseRemote
from ._calls import Calls, Off, call_each, check
from ._discovery import Named, Services
from ._errors import InvalidError
from ._events import NODE_EVENTS, Event, EventName, Feed
from ._log import tell_lines
from ._newcomers import Greeter, Refuse

# What the first member of an event says; see the native module.
REMOTE, READABLE, WRITABLE, ENDED, RESULT, FAILED, NEWCOMER, ASKED, CANCELLED, LOGGED = range(10)

AnyRemote = TypeVar("AnyRemote", bound=BaseRemote)


class BaseNode(Generic[AnyRemote]):
    """What can be asked of a node without waiting."""

    def __init__(
        self,
        settings: dict[str, Any],
        file: str | os.PathLike[str] | None,
        refuse: Refuse | None,
    ) -> None:
        self._greeter = Greeter(refuse)
        self._native = _native.NativeNode(settings, file, refuse is not None)
        self._services = Services(self)
        self._running = False
        self._ended = False
        # What the native part has told, so that nothing is lost if Ctrl-C comes while it is gone through.
        self._told: deque[tuple[int, Any, Any]] = deque()
        self._incoming: deque[AnyRemote] = deque()
        self._remote_came = False
        # Who waits for a remote at this moment.
        self._takers_now = 0
        self._remotes: WeakValueDictionary[int, AnyRemote] = WeakValueDictionary()
        # Those that have functions to call.
        self._kept: set[BaseRemote] = set()
        self._calls = Calls()
        # In order, each once: so there are as many as there are remotes and streams, and some.
        self._due: OrderedDict[Callable[[], None], None] = OrderedDict()
        # Whoever moves messages between a remote's readers and its functions.
        self._reading = threading.Lock()
        self._events = Feed(self._native.events)
        self._stats = Feed(self._native.stats)
        self._fed: dict[int, Feed] = {}
        _nodes.add(self)

    @property
    def id(self) -> str:
        """This node's identity: 64 hexadecimal digits."""
        return self._native.id

    @property
    def addresses(self) -> list[str]:
        """Where it accepts connections. 0.0.0.0 and [::] stand for all addresses of the machine."""
        return self._native.addresses

    def stop_discover(self, subject: str) -> None:
        """Withdraws a subject, and looks no more. Open remotes live on."""
        self._native.stop_discover(subject)

    def stop_discover_topic(self, topic: bytes) -> None:
        """As `stop_discover`, for `discover_topic`."""
        check_topic(topic)
        self._native.stop_discover_topic(topic)

    def status(self) -> dict[str, Any]:
        """All that the node has open and under way, at this moment; docs/status.md lists it."""
        return self._native.status()

    def explain(self, target: str) -> dict[str, Any]:
        """All that is known of a peer (its id, or 8 digits of it) or an address."""
        return self._native.explain(target)

    def remotes(self) -> list[AnyRemote]:
        """The remotes that are open and that somebody keeps."""
        return [remote for remote in self._remotes.values() if not remote._native.ended]

    def add_discovery_service(self, service: Named) -> None:
        """Lets a service of the program's own find others, beside those of the settings: an object with a
        `name` and some of the methods of `DiscoveryService`. Before the start; 16 at most.

        Raises InvalidError for a name that is not of 1 to 64 bytes, or after the start; RefusedError
        beyond 16.
        """
        self._services.add(self._native, service, self._check_call)

    @overload
    def on(self, event: Literal["remote"], call: Callable[[AnyRemote], object]) -> Off: ...
    @overload
    def on(self, event: Literal["stats"], call: Callable[[dict[str, Any]], object]) -> Off: ...
    @overload
    def on(self, event: EventName, call: Callable[[Event], object]) -> Off: ...

    def on(self, event: str, call: Callable[..., object]) -> Off:
        """Calls a function whenever something happens; returns a function that removes it again.

        `"remote"`: with each remote that opens, also those that wait to be taken. `"stats"`: with the
        counters that have changed, at most once in `stats.interval`. Any name of `EventName`, such as
        `"unreachable"`: with an `Event`; docs/status.md lists them. Give it before the start to hear of
        all::

            node.on("remote", lambda remote: remote.on("data", print))
            node.on("unreachable", print)

        All functions of an event are called, in the order in which they were given; one that raises is
        logged (logger "p2pchan") and changes nothing. They must not block. Remotes go to functions or
        to `for`, not to both.

        With asyncio `call` may be a coroutine function. For each remote one runs, 4,096 at most: then
        further remotes wait as if nobody took them. Of events, and of statistics, the next comes when
        it has ended; meanwhile the newest 1,024 events are kept, and `"missed"` says how many were not.

        Raises InvalidError for another name, or "remote" while somebody waits for one.
        """
        check(event, NODE_EVENTS, call)
        self._check_call(call)
        if event == "remote" and self._takers_now:
            raise InvalidError('somebody waits for a remote of this node; take them with for, or on("remote")')
        with self._reading:
            added = self._calls.add(event, call)
            self._feed()
        if event == "remote":
            self._offer_soon()

        def off() -> None:
            with self._reading:
                self._calls.remove(event, added)
                self._feed()

        return off

    def _forked(self) -> None:
        """In a child: what came is the parent's, and locks that its threads hold are never given back."""
        self._reading = threading.Lock()
        for remote in self._remotes.values():
            remote._forget()
        for waiting in (self._told, self._incoming, self._due):
            waiting.clear()

    def _check_process(self) -> None:
        """Raises ForkedError in a child."""
        self._native.fileno()

    # What the two faces do in their own ways.

    def _new_remote(self, native: _native.NativeRemote) -> AnyRemote:
        raise NotImplementedError

    def _heard_remote(self, remote: AnyRemote, what: int) -> None:
        """Something has happened to a remote that somebody keeps."""
        raise NotImplementedError

    def _answered(self, request: int, what: int, answer: Any) -> None:
        raise NotImplementedError

    def _check_call(self, call: Callable[..., object]) -> None:
        """Whether functions may be given here and now, and this one."""
        raise NotImplementedError

    def _soon(self) -> None:
        """Lets `_make_calls` come."""
        raise NotImplementedError

    def _finish_each(self, event: str, coroutines: list[Coroutine[Any, Any, Any]], then: Callable[[], None]) -> None:
        """Runs what coroutine functions have returned to its end, and then goes on."""
        raise NotImplementedError

    def _finish_search(self, request: int, name: str, verb: str, result: Any) -> bool:
        """Runs what a discovery service has returned to its end, if that takes time; whether it does."""
        raise NotImplementedError

    def _cancel_search(self, request: int) -> None:
        """Nobody waits for it any more."""

    def _has_room(self) -> bool:
        """Whether another coroutine may begin."""
        return True

    # From the native part to whoever waits, and to functions.

    def _hear(self) -> bool:
        """Does what there is to do, and notes what there is to call; whether the node goes on."""
        goes_on = self._native.dispatch(self._told)
        while self._told:
            what, which, more = self._told.popleft()
            if what == REMOTE:
                remote = self._new_remote(which)
                self._remotes[remote._native.id] = remote
                self._incoming.append(remote)
                self._remote_came = True
            elif what < RESULT:
                known = self._remotes.get(which)
                if known is not None:
                    self._heard_remote(known, what)
            elif which in self._fed:
                self._queue(partial(self._hand_over, which))
            elif what == NEWCOMER:
                self._greeter.came(which)
                self._queue(self._greeter.greet)
            elif what == ASKED:
                self._services.ask(which, more)
                self._queue(self._serve)
            elif what == CANCELLED:
                self._services.cancel(which)
                self._cancel_search(which)
            elif what == LOGGED:
                self._queue(tell_lines)
            else:
                self._answered(which, what, more)
        if self._remote_came and self._calls["remote"]:
            # A remote that was asked for is out of the way by now.
            self._queue(self._offer)
        return goes_on

    def _queue(self, call: Callable[[], None]) -> None:
        """Lets it be called when it is its turn, once."""
        self._due[call] = None

    def _call_next(self) -> None:
        self._due.popitem(last=False)[0]()

    def _offer_soon(self) -> None:
        self._queue(self._offer)
        self._soon()

    def _serve(self) -> None:
        self._services.serve(self._finish_search)

    def _offer(self) -> None:
        """Hands remotes that have opened to the functions for them."""
        while self._has_room() and (calls := self._calls["remote"]):
            remote = self._take_remote()
            if remote is None:
                return
            coroutines = call_each("remote", calls, remote)
            if coroutines:
                self._finish_each("remote", coroutines, self._offer_soon)

    def _take_remote(self) -> AnyRemote | None:
        return self._incoming.popleft() if self._incoming else None

    def _refuse_beyond_limit(self) -> None:
        """After all calls: what is left is what nobody has taken."""
        if not self._remote_came or not self._incoming:
            return
        self._remote_came = False
        most = self._native.most_waiting()
        while len(self._incoming) > most:
            self._incoming.pop().refuse()

    def _feed(self) -> None:
        """Asks for events and statistics while there are functions for them."""
        if not self._running or self._ended:
            return
        events = set(self._calls.events())
        self._wait_for(self._stats, self._stats.want("stats" in events))
        self._wait_for(self._events, self._events.want(bool(events - {"remote", "stats", "stopped"})))

    def _wait_for(self, feed: Feed, request: int | None) -> None:
        if request is not None:
            self._fed[request] = feed

    def _hand_over(self, request: int) -> None:
        """Hands an item of a stream to the functions for it; then the next is asked for."""
        with self._reading:
            feed = self._fed.pop(request)
            item = feed.take(request)
        if item is None:
            return
        if feed is self._stats:
            event, argument = "stats", item
        else:
            argument = Event(*item)
            event = argument.name
        coroutines = call_each(event, self._calls[event], argument)
        if coroutines:
            self._finish_each(event, coroutines, lambda: self._ask_again(feed, request))
        else:
            self._ask_again(feed, request)

    def _ask_again(self, feed: Feed, request: int) -> None:
        with self._reading:
            self._wait_for(feed, feed.ask(request))

    def _tell_stopped(self) -> None:
        """The last call, after which no function is kept."""
        calls = self._calls["stopped"]
        self._calls.clear()
        coroutines = call_each("stopped", calls, Event("stopped", {}))
        if coroutines:
            self._finish_each("stopped", coroutines, lambda: None)

    def _keep(self, remote: BaseRemote) -> None:
        self._kept.add(remote)

    def _let_go(self, remote: BaseRemote) -> None:
        self._kept.discard(remote)


def check_topic(topic: bytes) -> None:
    if not isinstance(topic, bytes) or len(topic) != 32:
        raise InvalidError("a topic is 32 bytes; for a phrase use discover")


_nodes: WeakSet[BaseNode[Any]] = WeakSet()


def _forked() -> None:
    _native.forked()
    for node in list(_nodes):
        node._forked()


os.register_at_fork(after_in_child=_forked)
