"""The exceptions: one class for each kind of error, which is the builtin one too where there is one."""

import builtins


class Error(Exception):
    """What goes wrong in p2pchan. Branch on the class or on `code`; the text is for people."""

    code = "INTERNAL"
    """The name of the kind, the same in all languages."""


class InvalidError(Error, ValueError):
    """An argument can never be right. Nothing changed; correct the call."""

    code = "INVALID"


class SettingsError(Error, ValueError):
    """A setting is unknown, of the wrong type or out of range. Nothing changed; correct it."""

    code = "SETTINGS"


class ClosedError(Error, ConnectionError):
    """The node or remote has ended. Open a new one."""

    code = "CLOSED"


class TimeoutError(Error, builtins.TimeoutError):
    """The other side or the network did not answer in time. Try again later."""

    code = "TIMEOUT"


class WouldBlockError(Error, BlockingIOError):
    """The send buffer is full; nothing was queued."""

    code = "WOULD_BLOCK"


class RefusedError(Error, ConnectionRefusedError):
    """The other side, or a list or limit of this node, does not want it."""

    code = "REFUSED"


class AuthError(Error, ConnectionError):
    """The peer could not prove its identity or a common subject."""

    code = "AUTH"


class ProtocolError(Error, ConnectionError):
    """The peer broke the protocol. Its fault, or a different version."""

    code = "PROTOCOL"


class TooBigError(Error, ValueError):
    """A message is larger than this node or the peer takes. Nothing was queued."""

    code = "TOO_BIG"


class NetworkError(Error, OSError):
    """The operating system refused: a port in use, an unreadable file, no route."""

    code = "IO"


class InCallbackError(Error, RuntimeError):
    """The call would wait for the callback that makes it. Call it from elsewhere."""

    code = "IN_CALLBACK"


class InternalError(Error, RuntimeError):
    """A defect of p2pchan. Please report it."""

    code = "INTERNAL"


class ForkedError(Error, RuntimeError):
    """The process was forked; the node belongs to the parent. Make a new one."""

    code = "FORKED"


CLASSES: dict[str, type[Error]] = {kind.code: kind for kind in Error.__subclasses__()}

# Tracebacks show where programs find them.
for _kind in (Error, *CLASSES.values()):
    _kind.__module__ = __package__ or ""


def from_code(code: str, message: str) -> Error:
    """The exception of a kind; one that a later core adds is an `Error` until it has a class."""
    error = CLASSES.get(code, Error)(message)
    error.code = code
    return error
