"""Functions that are called when something happens: which they are, and what becomes of their errors."""

import difflib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeAlias

from ._errors import InvalidError
from ._log import log

Off: TypeAlias = Callable[[], None]
"""What `on` returns: called, it removes the function again. A second call does nothing."""


class Call:
    """One function that was given to `on`; the same one may be given twice."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


class Calls:
    """The functions for each event, in the order in which they were given."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        # Tuples, which do not change while somebody goes through one.
        self._calls: dict[str, tuple[Call, ...]] = {}

    def __getitem__(self, event: str) -> tuple[Call, ...]:
        return self._calls.get(event, ())

    def __bool__(self) -> bool:
        return bool(self._calls)

    def events(self) -> Iterable[str]:
        """Those for which there is a function."""
        return self._calls.keys()

    def add(self, event: str, function: Callable[..., Any]) -> Call:
        call = Call(function)
        self._calls[event] = (*self[event], call)
        return call

    def remove(self, event: str, call: Call) -> None:
        left = tuple(other for other in self[event] if other is not call)
        if left:
            self._calls[event] = left
        else:
            self._calls.pop(event, None)

    def clear(self) -> None:
        self._calls.clear()


def check(event: str, events: Iterable[str], function: Any) -> None:
    """Whether there is such an event, and whether the function is one."""
    names = list(events)
    if event not in names:
        near = difflib.get_close_matches(event, names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InvalidError(f"there is no event {event!r}; {hint}there are: {', '.join(names)}")
    if not callable(function):
        raise TypeError(f"a {type(function).__name__} cannot be called; give on({event!r}) a function")


def call_each(event: str, calls: Iterable[Call], *arguments: Any) -> list[Coroutine[Any, Any, Any]]:
    """Calls all. One that raises is logged, and harms nobody. Gives what coroutine functions return."""
    coroutines: list[Coroutine[Any, Any, Any]] = []
    for call in calls:
        try:
            result = call.function(*arguments)
        except Exception as error:
            log_raised(event, error)
        else:
            if result is not None and isinstance(result, Coroutine):
                coroutines.append(result)
    return coroutines


def log_raised(event: str, error: BaseException) -> None:
    log.error("a function that was given to on(%r) raised", event, exc_info=error)
