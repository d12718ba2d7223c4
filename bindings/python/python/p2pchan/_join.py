"""`python -m p2pchan join`: standard input and output, connected to everybody with the same phrase.

As `p2pchan join` of the command line, with the options that a first try needs, and with the name of who
says it before each message. One thread sends each line of standard input to all remotes that are open then,
one for each remote prints what it says, and the main thread waits for whatever ends it, a signal too.

These are threads and `p2pchan.sync`, since terminals and pipes block. All are daemons: one that cannot be
woken, such as that which reads a terminal, does not keep the process.
"""

import argparse
import ipaddress
import json
import logging
import os
import queue
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from . import Error, InvalidError, Message, SettingsError, TooBigError, sync
from ._log import log

if TYPE_CHECKING:
    from argparse import _SubParsersAction

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of a line: the default of `limits.message`, beyond which no peer takes it."""

STOP_DEADLINE = 5.0
"""Seconds that a stopped command may go on flushing."""

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

DESCRIPTION = """\
Connects standard input and output to everybody with the same phrase.

Each line of standard input goes to all remotes that are open then; the slowest sets the pace. Nothing is
read before a remote is open. What they say is printed, one message a line, after the first digits of the
id of who says it. Who comes and goes, and what was opened, stands on standard error.
"""

EPILOG = """\
examples:
  python -m p2pchan join "my phrase" --bootstrap public
  python -m p2pchan join "my phrase" --listen 127.0.0.1:8099
  python -m p2pchan join "my phrase" --seed 127.0.0.1:8099
  seq 1 1000 | python -m p2pchan join "my phrase" --seed 127.0.0.1:8099 --until 1

At the end of standard input it goes on printing what comes. With --until it flushes, ends and exits.

exit codes: 0 done, 1 failed, 2 wrong command line, setting or phrase, 3 nobody found within --timeout,
129, 130, 143 stopped by a signal. A second signal stops at once.
"""


def add_to(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Makes `join` one of the commands."""
    parser = commands.add_parser(
        "join",
        help="connect standard input and output to everybody with the same phrase",
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "phrase",
        metavar="PHRASE",
        nargs="?",
        default=os.environ.get("P2PCHAN_PHRASE"),
        help="what is shared; better in the environment as P2PCHAN_PHRASE, where others cannot read it",
    )
    several: dict[str, Any] = {"metavar": "ADDRESS", "action": "append", "default": []}
    add("--bootstrap", **several, help="ask the BitTorrent DHT through this node, or `public` ones")
    add("--seed", **several, help="dial this peer, HOST:PORT")
    add("--listen", **several, help="accept connections here, IP:PORT [default: any port of all addresses]")
    add(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=key_and_value,
        help="change any setting of docs/settings.md; wins over the options",
    )
    add(
        "--until",
        metavar="NUMBER",
        type=positive,
        help="wait for so many remotes before reading standard input, and exit at its end",
    )
    add(
        "--timeout",
        metavar="SECONDS",
        type=positive,
        help="exit with code 3 if so many remotes (1 without --until) are not open by then",
    )


def key_and_value(text: str) -> tuple[str, str]:
    """The two sides of KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as KEY=VALUE, such as limits.message=1MiB")
    return key, value


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write a whole number from 1 on")
    return int(text)


def settings(options: argparse.Namespace) -> dict[str, str]:
    """The settings that the options mean."""
    listen = options.listen or anywhere()
    named = {"listen": ",".join(listen)}
    if options.seed:
        named["discovery.seeds"] = ",".join(options.seed)
    if options.bootstrap:
        named["discovery.bittorrent.bootstrap"] = ",".join(options.bootstrap)
        named["discovery.bittorrent.address"] = beside(listen)
    if options.until:
        # Somebody may look at the first page meanwhile.
        named["timeouts.close"] = "1m"
    return named | dict(options.set)


def anywhere() -> list[str]:
    """Any free port of all addresses that this machine has: many have no IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return ["0.0.0.0:0"]
    return ["0.0.0.0:0", "[::]:0"]


def beside(listen: list[str]) -> str:
    """The address of the UDP socket: that of the TCP socket, so that nothing more is opened than named."""
    for address in listen:
        with suppress(ValueError):
            return str(ipaddress.IPv4Address(address.rpartition("://")[2].rpartition(":")[0]))
    return "0.0.0.0"


class Lines:
    """A file that takes lines from many threads.

    Without Python's buffers, since a thread that cannot write would hold their lock at the exit.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._one_at_a_time = threading.Lock()

    def write(self, *lines: str) -> None:
        """Writes each, and a newline. Raises OSError, such as BrokenPipeError."""
        data = "".join(line + "\n" for line in lines).encode(errors="backslashreplace")
        with self._one_at_a_time:
            while data:
                data = data[os.write(self._descriptor, data) :]


class Telling(logging.Handler):
    """Leads the log to standard error, as one line among the others."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(f"{record.levelname.lower()}: {record.getMessage()}")


class End(NamedTuple):
    """How it ends: the exit code, and what to say."""

    code: int
    why: str = ""


class Failure(Exception):
    """Why it ends early."""

    def __init__(self, why: str, code: int = 1) -> None:
        super().__init__(why)
        self.code = code


def run(options: argparse.Namespace) -> int:
    """Joins, and returns the exit code."""
    ends: queue.SimpleQueue[End] = queue.SimpleQueue()
    errors = Lines(sys.stderr.fileno())

    def tell(text: str) -> None:
        with suppress(OSError):
            errors.write("p2pchan: " + printable(text))

    log.addHandler(Telling(tell))
    log.propagate = False
    listen_for_signals(ends)
    try:
        end = converse(options, ends, tell)
    except (InvalidError, SettingsError, TypeError) as error:
        end = End(2, str(error))
    except Error as error:
        end = End(1, str(error))
    if end.why:
        tell(end.why)
    return end.code


def listen_for_signals(ends: "queue.SimpleQueue[End]") -> None:
    """The first ends it cleanly, the second at once."""

    def stop(number: int, _: object) -> None:
        for name in SIGNALS:
            signal.signal(name, lambda number, _: os._exit(128 + number))
        ends.put(End(128 + number))

    for name in SIGNALS:
        signal.signal(name, stop)


def converse(
    options: argparse.Namespace, ends: "queue.SimpleQueue[End]", tell: Callable[[str], None]
) -> End:
    if not options.phrase:
        raise InvalidError("a phrase is missing; write it behind join, or set P2PCHAN_PHRASE")
    # Threads that begin before the end is waited for leave signals to this one, which has to hear of them.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    node = sync.Node(settings(options)).start()
    try:
        tell(f"this node is {node.id}")
        node.discover(options.phrase)
        for line in opened(node):
            tell(line)
        room = Room(node, options, ends, tell)
        start(room.take_remotes)
        start(room.read_input)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        end = ends.get()
    finally:
        stopping = start(node.stop)
    stopped = end.code > 128
    stopping.join(STOP_DEADLINE if stopped else None)
    if not stopped:
        room.join()
    return end


def start(task: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=task, args=arguments, daemon=True)
    thread.start()
    return thread


def opened(node: sync.Node) -> Iterator[str]:
    """What there is to say about the sockets of the node."""
    for each in node.status()["transport"]["sockets"]:
        user = each["used_by"]
        yield ("listening on" if user == "listen" else f"{user} uses") + f" {each['address']}"


class Room:
    """All remotes that are open, with one thread for each: `limits.remotes` bounds them."""

    def __init__(
        self,
        node: sync.Node,
        options: argparse.Namespace,
        ends: "queue.SimpleQueue[End]",
        tell: Callable[[str], None],
    ) -> None:
        self._node = node
        self._wanted: int = options.until or 1
        self._timeout: int | None = options.timeout
        self._ends_with_input: bool = options.until is not None
        self._ends = ends
        self._tell = tell
        self._output = Lines(sys.stdout.fileno())
        self._changed = threading.Condition()
        self._open: list[sync.Remote] = []
        self._readers: dict[sync.Remote, threading.Thread] = {}
        self._lost = 0

    def take_remotes(self) -> None:
        """Reads every remote that opens, until the node has stopped."""
        for remote in self._node:
            with self._changed:
                self._open.append(remote)
                self._readers[remote] = start(self._read, remote)
                self._changed.notify_all()

    def join(self) -> None:
        """Until all that came is printed. Of a node that has stopped."""
        with self._changed:
            readers = list(self._readers.values())
        for reader in readers:
            reader.join()

    def _read(self, remote: sync.Remote) -> None:
        """Prints what a remote says."""
        name, why, lost = remote.peer[:8], "the peer has ended", 0
        self._tell(f"remote {name} is open at {remote.address}")
        try:
            while batch := remote.recv_many():
                self._output.write(*(f"{name}: {line(message)}" for message in batch))
            remote.end()
        except BrokenPipeError:
            # A reader that has enough, such as `head`.
            self._ends.put(End(0))
        except Error as error:
            why, lost = str(error), 1
        except OSError as error:
            self._ends.put(End(1, f"cannot write to standard output: {error}"))
        self._tell(f"remote {name} has ended: {why}")
        with self._changed:
            self._lost += lost
            self._forget(remote)
            del self._readers[remote]

    def read_input(self) -> None:
        """Delivers standard input; then, with --until, all is ended."""
        try:
            self._wait_for(self._wanted, self._timeout)
            # With a buffer of its own: that of sys.stdin would be locked at the exit.
            with open(0, "rb", closefd=False) as lines:
                self._deliver(lines)
        except Failure as failure:
            self._ends.put(End(failure.code, str(failure)))
        except OSError as error:
            self._ends.put(End(1, f"cannot read standard input: {error}"))

    def _deliver(self, lines: Any) -> None:
        number = 0
        try:
            while text := lines.readline(LONGEST_LINE + 1):
                number += 1
                while not self._say(text, number):
                    pass
        except Failure:
            self._flush()
            raise
        self._tell(f"end of input after {number} lines")
        if self._ends_with_input:
            self._flush()
            if self._lost:
                raise Failure("a remote was lost before it took everything")
            self._ends.put(End(0))

    def _say(self, text: bytes, number: int) -> bool:
        """Whether anybody took the line. One that nobody took, as the last has left, waits for the next."""
        message = content(text, number)
        if self._ends_with_input and not self._open:
            raise Failure(f"no remote is left to take line {number} and what follows")
        taken = False
        for remote in self._wait_for(1):
            try:
                remote.send(message)
                taken = True
            except TooBigError as error:
                raise Failure(f"line {number} to {remote.peer[:8]}: {error}") from None
            except Error:
                # Whoever reads it knows how it ends.
                with self._changed:
                    self._forget(remote)
        return taken

    def _flush(self) -> None:
        """Ends all remotes, and waits until they have taken everything."""
        with self._changed:
            readers = list(self._readers.items())
        for remote, _ in readers:
            with suppress(Error):
                remote.finish()
        for _, reader in readers:
            reader.join()

    def _wait_for(self, count: int, timeout: float | None = None) -> list[sync.Remote]:
        """Those that are open, once they are so many."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._open) >= count, timeout):
                found = len(self._open)
                raise Failure(f"{found} of {count} remotes opened within {timeout} s", code=3)
            return self._open.copy()

    def _forget(self, remote: sync.Remote) -> None:
        if remote in self._open:
            self._open.remove(remote)


def content(text: bytes, number: int) -> str | bytes:
    """A line as a message: text, or bytes if it is not UTF-8."""
    if len(text) > LONGEST_LINE and not text.endswith(b"\n"):
        raise Failure(
            f"line {number} is longer than {LONGEST_LINE} bytes; it and what follows were not sent"
        )
    text = text.removesuffix(b"\n")
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text


def line(message: Message) -> str:
    """A message as it is printed: on one line, so that nobody can speak in the name of another."""
    if isinstance(message, bytes):
        return printable(message.decode(errors="backslashreplace"))
    if isinstance(message, str):
        return printable(message)
    return printable(json.dumps(message, ensure_ascii=False))


def printable(text: str) -> str:
    """What a peer wrote must not command the terminal, nor change the order in which others are shown."""
    if text.isprintable():
        return text
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", escaped, text)


def escaped(character: "re.Match[str]") -> str:
    return character[0].encode("unicode_escape").decode()
