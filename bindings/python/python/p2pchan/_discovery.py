"""Discovery services that a program brings, and what a discovery is, whoever waits for it."""

import builtins
from collections import OrderedDict
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from weakref import ref

from ._errors import ClosedError, Error, InvalidError
from ._log import log
from ._native import NativeNode

if TYPE_CHECKING:
    from ._base import BaseNode

Addresses: TypeAlias = Iterable[str] | AsyncIterable[str] | Awaitable[Iterable[str]]
"""What a look-up may give: addresses at once, or each as soon as it is known."""

VERBS = ("announce", "look_up", "withdraw")


@dataclass(frozen=True, slots=True)
class Topic:
    """What a discovery service may know of a subject."""

    find_key: bytes
    """The 32 bytes to announce and look up in the service's network: the same for all who share the
    subject, another for each name of a service, and useless for guessing the subject's proof."""

    addresses: list[str]
    """Where this node accepts connections; empty if it does not listen. 0.0.0.0 and [::] stand for all
    addresses of the machine."""

    subject: str | None = field(repr=False)
    """The phrase; None for a raw topic. Never send it anywhere: use `find_key`."""


class Named(Protocol):
    """What every discovery service has. The rest may be missing: `announce`, `look_up`, `withdraw`."""

    @property
    def name(self) -> str: ...


class DiscoveryService:
    """A way to find others that share a subject, to be given to `add_discovery_service`.

    Subclass it and replace what there is to do; or give any other object that has a `name` and some of
    these methods. The methods for one topic are called one at a time, and those for different topics
    at once. With asyncio they may be coroutine functions, and are cancelled when nobody waits for them
    any more. Plain ones must not block the loop.

    What they raise is logged (logger "p2pchan") and told by the event `discovery_failed`; the node
    tries again later::

        class Bulletin(p2pchan.DiscoveryService):
            name = "bulletin"

            def __init__(self, board: dict[bytes, set[str]]) -> None:
                self.board = board

            async def announce(self, topic: p2pchan.Topic) -> None:
                self.board.setdefault(topic.find_key, set()).update(topic.addresses)

            async def look_up(self, topic: p2pchan.Topic) -> list[str]:
                return list(self.board.get(topic.find_key, ()))
    """

    name: str = ""
    """A short name, 1 to 64 bytes: the source of what it finds, in events and status."""

    def announce(self, topic: Topic) -> Awaitable[None] | None:
        """Tells others that this node can be reached at `topic.addresses`, and no longer at what was
        announced before. It has ended when the announcement stands."""
        return None

    def look_up(self, topic: Topic) -> Addresses:
        """Looks once. Gives addresses such as "192.0.2.7:8099": a list, or a generator, of which each is
        used at once. A service that is told of newcomers may go on as long as it likes."""
        return ()

    def withdraw(self, topic: Topic) -> Awaitable[None] | None:
        """Takes the announcement back, as far as the network lets it. Given `timeouts.close`."""
        return None


class GivenUp(Exception):
    """Nobody waits for what a discovery service is doing any more."""


class Services:
    """The discovery services of a node, and what they are asked for. It does not keep the node, which ends
    if it is forgotten, even while a service works."""

    def __init__(self, node: "BaseNode[Any]") -> None:
        self._node = ref(node)
        self._services: list[Any] = []
        # One for each service and subject at most.
        self._asked: OrderedDict[int, tuple[int, str, Topic]] = OrderedDict()

    def add(self, native: NativeNode, service: Named, check: Callable[[Callable[..., object]], None]) -> None:
        if not isinstance(service.name, str):
            raise InvalidError(f"the name of a discovery service is text, not {service.name!r}")
        verbs = [verb for verb in VERBS if getattr(service, verb, None) is not None]
        if not verbs:
            raise InvalidError(f"discovery service {service.name!r} has none of {', '.join(VERBS)}")
        for verb in verbs:
            check(getattr(service, verb))
        native.add_discovery_service(service.name, verbs)
        self._services.append(service)

    def ask(self, request: int, asked: tuple[int, str, str | None, bytes, list[str]]) -> None:
        place, verb, subject, find_key, addresses = asked
        self._asked[request] = place, verb, Topic(find_key, addresses, subject)

    def cancel(self, request: int) -> None:
        self._asked.pop(request, None)

    def serve(self, finish: Callable[[int, str, str, Any], bool]) -> None:
        """Calls the services for what they are asked for. What takes time is given to `finish`, which
        says whether it took it."""
        while self._asked:
            try:
                request, (place, verb, topic) = self._asked.popitem(last=False)
            except KeyError:
                # Another thread has heard that it is cancelled.
                return
            service = self._services[place]
            try:
                result = getattr(service, verb)(topic)
                if finish(request, service.name, verb, result):
                    continue
                if verb == "look_up":
                    self.found_all(request, result)
            except GivenUp:
                pass
            except Exception as error:
                self.failed(request, service.name, verb, error)
            else:
                self.done(request, None)

    def found_all(self, request: int, addresses: Iterable[str] | None) -> None:
        """Reports what a look-up gave.

        Raises InvalidError for the last that is no address, after the others were reported.
        """
        wrong: Error | None = None
        for address in check_addresses(addresses):
            wrong = self.found(request, address) or wrong
        if wrong is not None:
            raise wrong

    def found(self, request: int, address: str) -> Error | None:
        """Reports an address; the error if it is none. Somebody else may have written it, so the others
        count all the same."""
        node = self._node()
        if node is None:
            raise GivenUp
        try:
            node._native.discovery_found(request, address)
        except InvalidError as error:
            return error
        except ClosedError:
            raise GivenUp from None
        return None

    def failed(self, request: int, name: str, verb: str, error: Exception) -> None:
        log.error("discovery service %r: %s raised", name, verb, exc_info=error)
        self.done(request, failure(error))

    def done(self, request: int, error: tuple[str, str] | None) -> None:
        """Answers a request, if anybody waits for it."""
        node = self._node()
        if node is not None:
            node._native.discovery_done(request, error)


def check_addresses(addresses: Any) -> Iterable[str]:
    if addresses is None:
        return ()
    if isinstance(addresses, str | bytes):
        raise InvalidError("look_up gave one text; it gives a list of addresses, or yields each")
    return addresses  # type: ignore[no-any-return]


def failure(error: Exception) -> tuple[str, str]:
    """The code and the words of an exception, as the node tells them."""
    if isinstance(error, Error):
        return error.code, str(error)
    if isinstance(error, builtins.TimeoutError):
        return "TIMEOUT", str(error) or "it took too long"
    if isinstance(error, OSError):
        return "IO", str(error)
    return "INTERNAL", f"{type(error).__name__}: {error}"


class BaseDiscovery:
    """What can be asked of a discovery without waiting."""

    def __init__(self, node: "BaseNode[Any]", subject: str | bytes) -> None:
        self._node: BaseNode[Any] = node
        self._subject = subject

    @property
    def subject(self) -> str:
        """The phrase, or a raw topic as 64 hexadecimal digits."""
        return self._subject if isinstance(self._subject, str) else self._subject.hex()

    def stop(self) -> None:
        """Withdraws the announcement, and looks no more. Open remotes live on."""
        if isinstance(self._subject, str):
            self._node.stop_discover(self._subject)
        else:
            self._node.stop_discover_topic(self._subject)
