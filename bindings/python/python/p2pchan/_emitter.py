"""What emits events in the manner of Node.js, for `p2pchan.p2pchannels`."""

from collections.abc import Callable
from typing import Any

from ._calls import Calls, Off


class EventEmitter:
    """Calls functions when something happens."""

    def on(self, event: str, call: Callable[..., object]) -> Off:
        """Calls a function whenever it happens; returns a function that removes it again."""
        listeners = self._listeners()
        added = listeners.add(event, call)
        return lambda: listeners.remove(event, added)

    def emit(self, event: str, *arguments: Any) -> bool:
        """Calls the functions for an event now, in this thread; whether there are any."""
        calls = self._listeners()[event]
        for call in calls:
            call.function(*arguments)
        return bool(calls)

    def _listeners(self) -> Calls:
        # Those who subclass it need not call the constructor.
        listeners: Calls = self.__dict__.setdefault("_calls", Calls())
        return listeners
