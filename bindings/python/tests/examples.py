"""The examples in documentation: where they stand, and how one of them is run.

Run as a program it executes one example, so that whatever that does ends with the process::

    python examples.py FILE MODE ENTRANCE ADDRESS

Readers see the public DHT and addresses of the world; here they stand for a DHT and for a peer on this
machine, at ENTRANCE and ADDRESS: settings are exchanged where a node is made.
"""

import ast
import asyncio
import doctest
import inspect
import re
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import p2pchan
from p2pchan import _base, sync

SUBJECT = "My Cool Service 1.0"
"""What nodes and remotes discover that an example does not make by itself."""


class Example(NamedTuple):
    """A piece of Python in a document."""

    place: str
    code: str
    mode: str
    """program, fragment (for asyncio), plain (a fragment for `p2pchan.sync`), or session (`>>>`)."""

    def names(self) -> set[str]:
        """What it uses and does not make."""
        nodes = list(ast.walk(ast.parse(self.code))) if self.mode != "session" else []
        names = [node for node in nodes if isinstance(node, ast.Name)]
        made = {name.id for name in names if not isinstance(name.ctx, ast.Load)}
        made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        return {name.id for name in names} - made

    def endless(self) -> bool:
        """Whether it goes on until it is stopped."""
        endless = r'\bin node\b|\bwhile\b|\.on\("(remote|data)"'
        return re.search(endless, self.code) is not None

    def subjects(self) -> set[str]:
        """What it discovers."""
        return {SUBJECT, *re.findall(r"\bdiscover\(\"([^\"]+)\"", self.code)}


def examples(root: Path) -> Iterator[Example]:
    """All that there are, but for the programs in examples/python, which are run by tests of their own."""
    programs = [path.read_text(encoding="utf-8") for path in (root / "examples/python").glob("*.py")]
    for name in ("README.md", "bindings/python/README.md", "docs/tutorial-python.md"):
        text = (root / name).read_text(encoding="utf-8")
        for match in re.finditer(r"^```(python|pycon)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            place = f"{name}:{line(text, match)}"
            if match[2] in programs:
                continue
            mode = "session" if match[1] == "pycon" else kind(match[2], "fragment")
            yield Example(place, match[2], mode)
    for path in sorted((root / "bindings/python/python/p2pchan").glob("*.py")):
        fragment = "plain" if "sync" in path.name or path.name == "p2pchannels.py" else "fragment"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    for code in blocks(inspect.cleandoc(text)):
                        yield Example(f"{path.name}:{node.lineno}", code, kind(code, fragment))


def line(text: str, match: "re.Match[str]") -> int:
    return text.count("\n", 0, match.start()) + 1


def kind(code: str, fragment: str) -> str:
    if code.startswith(">>>"):
        return "session"
    try:
        compile(code, "", "exec")
    except SyntaxError:
        # With `await` outside of functions.
        return "fragment"
    return "program" if re.search(r"^(import|from) p2pchan\b", code, re.MULTILINE) else fragment


def blocks(text: str) -> Iterator[str]:
    """What is indented behind a line that ends with two colons, and what begins with `>>>`."""
    for match in re.finditer(r"::\n\n((?:(?: {4}.*)?\n)+)", text + "\n"):
        yield textwrap.dedent(match[1]).strip() + "\n"
    for match in re.finditer(r"^>>> .*\n(?:.+\n)*", text + "\n", re.MULTILINE):
        yield match[0]


def flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Settings with dotted keys."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def redirect(entrance: str, address: str) -> None:
    """From now on nodes stay on this machine."""
    replaced = {
        "listen": "127.0.0.1:0",
        "discovery.seeds": address,
        "discovery.bittorrent.bootstrap": entrance,
        "discovery.bittorrent.port": "0",
    }
    made, updated = _base.BaseNode.__init__, p2pchan.Node.update
    heard = p2pchan.P2PChannels._discovered
    dialled, dialled_sync = p2pchan.Node.connect, sync.Node.connect

    def here(settings: Mapping[str, Any]) -> dict[str, Any]:
        named = {key: replaced.get(key, value) for key, value in flat(settings)}
        if any(key.startswith("discovery.bittorrent") for key in named):
            named["discovery.bittorrent.bootstrap"] = entrance
            named["discovery.bittorrent.address"] = "127.0.0.1"
            named["discovery.lookup_interval"] = "1s"
        return named

    def make(self: Any, settings: dict[str, Any], *more: Any) -> None:
        made(self, here(settings), *more)

    async def update(self: p2pchan.Node, settings: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        await updated(self, here({**(settings or {}), **more}))

    async def connect(self: p2pchan.Node, _: str) -> p2pchan.Remote:
        return await dialled(self, address)

    def connect_sync(self: sync.Node, _: str, timeout: float | None = None) -> sync.Remote:
        return dialled_sync(self, address, timeout)

    def found(self: p2pchan.P2PChannels, ip: str, port: int | str, subject: str | None = None) -> None:
        for each in address.split(","):
            there, at = each.split(":")
            heard(self, there, at, subject)

    p2pchan.P2PChannels._discovered = found  # type: ignore[method-assign]
    _base.BaseNode.__init__ = make  # type: ignore[method-assign,assignment]
    p2pchan.Node.update = update  # type: ignore[method-assign]
    p2pchan.Node.connect = connect  # type: ignore[method-assign,assignment]
    sync.Node.connect = connect_sync  # type: ignore[method-assign,assignment]


NAMES = {name: getattr(p2pchan, name) for name in p2pchan.__all__}


def interrupted(call: Callable[[], object]) -> None:
    """From now on Ctrl-C does this."""
    signal.signal(signal.SIGINT, lambda *_: call())


async def run_fragment(example: Example, path: str, address: str) -> None:
    """With a node and a remote, if it uses them."""
    names: dict[str, Any] = {**NAMES, "asyncio": asyncio, "p2pchan": p2pchan, "sync": sync}
    used = example.names() & {"node", "remote"}
    async with p2pchan.Node(discovery={"seeds": address}) as node:
        if used:
            node.discover(SUBJECT)
            names["node"] = node
        if "remote" in used:
            names["remote"] = await anext(node)
        body = asyncio.create_task(run_body(example, path, names))
        loop = asyncio.get_running_loop()
        interrupted(lambda: loop.call_soon_threadsafe(body.cancel))
        try:
            await body
        except asyncio.CancelledError as stopped:
            check_stopped(stopped)
        interrupted(lambda: None)


async def run_body(example: Example, path: str, names: dict[str, Any]) -> None:
    code = compile(example.code, path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if code.co_flags & inspect.CO_COROUTINE:
        await result
    if example.endless():
        # Functions are called until it is stopped.
        await asyncio.Event().wait()


def run_plain(example: Example, path: str, address: str) -> None:
    """The same for `p2pchan.sync`."""
    names: dict[str, Any] = {**NAMES, "Node": sync.Node, "p2pchan": p2pchan, "sync": sync}
    used = example.names() & {"node", "remote"}
    with sync.Node(discovery={"seeds": address}) as node:
        if used:
            node.discover(SUBJECT)
            names["node"] = node
        if "remote" in used:
            names["remote"] = node.next_remote()
        run_program(example.code, path, names)


def run_program(code: str, path: str, names: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        exec(compile(code, path, "exec"), names)
    except KeyboardInterrupt as stopped:
        check_stopped(stopped)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # It has ended; else it lives on, and minds Ctrl-C by itself.
        interrupted(lambda: None)


def check_stopped(error: BaseException) -> None:
    """Raises what had gone wrong already when it was stopped."""
    context = error.__context__
    if isinstance(context, KeyboardInterrupt | asyncio.CancelledError):
        check_stopped(context)
    elif context is not None:
        raise context from None


def run_session(example: Example) -> None:
    test = doctest.DocTestParser().get_doctest(
        example.code, {**NAMES, "p2pchan": p2pchan, "sync": sync}, example.place, None, 0
    )
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    sys.exit(doctest.DocTestRunner(optionflags=options).run(test).failed > 0)


def main() -> None:
    path, mode, entrance, address = sys.argv[1:5]
    interrupted(lambda: None)
    redirect(entrance, address)
    example = Example(path, Path(path).read_text(encoding="utf-8"), mode)
    match mode:
        case "fragment":
            asyncio.run(run_fragment(example, path, address))
        case "plain":
            run_plain(example, path, address)
        case "session":
            run_session(example)
        case _:
            settings = ["listen=0.0.0.0:0", "discovery.bittorrent.bootstrap=public"]
            sys.argv = [path, SUBJECT, *settings]
            run_program(example.code, path, {"__name__": "__main__"})


if __name__ == "__main__":
    main()
