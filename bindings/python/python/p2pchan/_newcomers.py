"""Who would get a remote, and whether the program wants them."""

import inspect
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ._errors import InvalidError
from ._log import log
from ._native import NativeNewcomer

# Newcomers that nobody has been asked about: more wait only while a function takes its time.
NEWCOMERS = 1024


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who has proved a subject and would get a remote."""

    peer: str
    """Who: 64 hexadecimal digits."""

    address: str
    """The address that was dialled, or the one that the peer dialled from."""

    subject: str = field(repr=False)
    """For which subject: the phrase, or a raw topic as 64 hexadecimal digits."""


Refuse: TypeAlias = Callable[[Newcomer], object]
"""A function that refuses a newcomer with True or anything else that counts as true."""


class Greeter:
    """Asks the function for newcomers."""

    def __init__(self, refuse: Refuse | None) -> None:
        if refuse is not None and not callable(refuse):
            raise TypeError(f"refuse is a {type(refuse).__name__}, which cannot be called; give a function")
        if inspect.iscoroutinefunction(refuse):
            raise InvalidError("refuse is a coroutine function; give a plain one, which answers at once")
        self._refuse = refuse
        self._waiting: deque[NativeNewcomer] = deque()

    def came(self, newcomer: NativeNewcomer) -> None:
        # One that is forgotten is refused.
        if len(self._waiting) < NEWCOMERS:
            self._waiting.append(newcomer)

    def greet(self) -> None:
        while self._waiting:
            native = self._waiting.popleft()
            native.answer(self._refuses(Newcomer(native.peer, native.address, native.subject)))

    def _refuses(self, newcomer: Newcomer) -> bool:
        try:
            answer: Any = self._refuse is not None and self._refuse(newcomer)
            if isinstance(answer, Coroutine):
                answer.close()
                raise InvalidError("it returned a coroutine, which nobody runs")
            return bool(answer)
        except Exception as error:
            log.error("refuse raised, so %s is refused", newcomer.peer[:8], exc_info=error)
            return True
