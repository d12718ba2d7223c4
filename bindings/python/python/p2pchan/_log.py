"""The log of the library, led to `logging.getLogger("p2pchan")`."""

import logging

from . import _native

log = logging.getLogger("p2pchan")

# The library's levels, from 1 on. The last is finer than those of Python.
LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, 5)


def choose_level() -> None:
    """Lets the library keep as much as the logger wants at this moment."""
    wanted = log.getEffectiveLevel()
    _native.log_level(sum(level >= wanted for level in LEVELS))


def tell_lines() -> None:
    """Logs what the library has said since the last time."""
    lines, lost = _native.log_lines()
    for level, line in lines:
        log.log(LEVELS[level - 1], "%s", line)
    if lost:
        log.warning("%s lines of the log were lost", lost)
