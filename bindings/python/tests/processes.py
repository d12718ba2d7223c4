"""Processes that a test starts, what they print, and the command line of p2pchan if it is built."""

import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import pytest
from conftest import DEADLINE

PYTHON = [sys.executable, "-W", "error"]
"""Python with all warnings. Its development mode also complains of a machine that is slow."""

JOIN = [*PYTHON, "-m", "p2pchan", "join"]

ROOT = Path(__file__).parents[3]


def command_line() -> str:
    """The program `p2pchan`, which `bindings/python/check` builds."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "debug" / "p2pchan"
    if not program.exists():
        pytest.skip(f"{program} is not there; build it: cargo build -p p2pchan-cli --bin p2pchan")
    return str(program)


class Lines:
    """The lines of a pipe, as a thread reads them."""

    def __init__(self, pipe: IO[str]) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.seen: list[str] = []
        self.reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self.reader.start()

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def so_far(self) -> list[str]:
        """All that has come."""
        with suppress(queue.Empty):
            while (line := self._lines.get_nowait()) is not None:
                self.seen.append(line)
            # The end is found again.
            self._lines.put(None)
        return self.seen

    def next(self) -> str | None:
        """The next line; None at the end."""
        line = self._lines.get(timeout=DEADLINE)
        if line is not None:
            self.seen.append(line)
        return line

    def until(self, words: str) -> str:
        """The next line with these words in it."""
        while (line := self.next()) is not None:
            if words in line:
                return line
        raise AssertionError(f"no {words!r} in {self.seen}")

    def rest(self) -> list[str]:
        """All that comes until the end."""
        return list(iter(self.next, None))


class Process:
    """A process that is killed at the end of the `with`."""

    def __init__(self, *command: str, **environment: str) -> None:
        without = {key: value for key, value in os.environ.items() if not key.startswith("P2PCHAN_")}
        pipe = subprocess.PIPE
        self.child = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8", env=without | environment
        )
        assert self.child.stdin and self.child.stdout and self.child.stderr
        self.input = self.child.stdin
        self.output, self.errors = Lines(self.child.stdout), Lines(self.child.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
        with suppress(BrokenPipeError):
            self.input.close()
        for lines in (self.output, self.errors):
            lines.reader.join()

    def say(self, *lines: str) -> None:
        for line in lines:
            self.input.write(line + "\n")
        self.input.flush()

    def hang_up(self) -> None:
        """The end of its input."""
        self.input.close()

    def wait(self) -> int:
        """Its exit code."""
        return self.child.wait(DEADLINE)
