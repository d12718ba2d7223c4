"""Ctrl-C for programs that live on in another thread, for `p2pchan.p2pchannels`."""

import signal
import threading
from types import FrameType
from typing import Protocol
from weakref import WeakSet


class Closing(Protocol):
    """What Ctrl-C closes."""

    def begin_to_close(self) -> None: ...


OPEN: WeakSet[Closing] = WeakSet()
"""Those that Ctrl-C closes."""


def close_at_ctrl_c(channels: Closing) -> None:
    """Python alone would wait for the thread for ever, as the main thread has nothing to do with it."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupted)
    if signal.getsignal(signal.SIGINT) is interrupted:
        OPEN.add(channels)


def interrupted(number: int, frame: FrameType | None) -> None:
    """Closes all, and does what Ctrl-C does to a program that has not come to its end yet."""
    closing = list(OPEN)
    OPEN.clear()
    for channels in closing:
        channels.begin_to_close()
    if not closing or threading.main_thread().is_alive():
        signal.default_int_handler(number, frame)
