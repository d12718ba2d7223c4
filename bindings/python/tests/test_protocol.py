"""A peer that marks as JSON what is none."""

import asyncio
import ctypes
import os
from pathlib import Path
from typing import Any

import p2pchan
import pytest
from conftest import SUBJECT, listening, run

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[3] / "target"))
LIBRARY = TARGET / "debug" / "libp2pchan_ffi.so"
JSON = 1
# Half of a character: Unicode has none, and the C interface does not look that closely.
WRONG = b'["\\ud800"]'


class CRemote(ctypes.Structure):
    _fields_ = (("id", ctypes.c_uint64),)


OnRemote = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, CRemote, ctypes.c_void_p, ctypes.c_void_p
)


class CCallbacks(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("userdata", ctypes.c_void_p),
        ("on_remote", OnRemote),
        ("others", ctypes.c_void_p * 8),
    )


class Peer:
    """A node in C that sends these payloads, marked as JSON, to whomever it meets."""

    def __init__(self, address: str, payloads: list[bytes]) -> None:
        self.library = library = ctypes.CDLL(str(LIBRARY))
        self.node = ctypes.c_void_p()

        def on_remote(_: Any, node: int, remote: CRemote, *others: Any) -> None:
            for payload in payloads:
                library.p2pchan_remote_try_send(
                    ctypes.c_void_p(node), remote, JSON, payload, ctypes.c_size_t(len(payload))
                )

        self.callbacks = CCallbacks(ctypes.sizeof(CCallbacks), None, OnRemote(on_remote))
        library.p2pchan_settings_new.restype = ctypes.c_void_p
        settings = ctypes.c_void_p(library.p2pchan_settings_new())
        seeds = address.encode()
        assert library.p2pchan_settings_set(settings, b"discovery.seeds", seeds) == 0
        assert library.p2pchan_node_new(settings, ctypes.byref(self.callbacks), ctypes.byref(self.node)) == 0
        library.p2pchan_settings_free(settings)
        assert library.p2pchan_node_start(self.node) == 0
        assert library.p2pchan_discover(self.node, SUBJECT.encode(), None, None) == 0

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.library.p2pchan_node_free(self.node) == 0


pytestmark = pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} was not built")


def test_what_is_no_json_raises_where_it_stands_and_the_rest_can_be_read() -> None:
    async def test() -> None:
        async with listening() as node:
            node.discover(SUBJECT)
            with Peer(node.addresses[0], [b"[1]", WRONG, WRONG, b"[2]"]):
                remote = await anext(node)
                assert await remote.recv() == [1]
                for _ in range(2):
                    with pytest.raises(p2pchan.ProtocolError, match="marked as JSON what is none"):
                        await remote.recv()
                assert await remote.recv() == [2]

    run(test)


def test_what_is_no_json_ends_a_remote_with_functions() -> None:
    async def test() -> None:
        async with listening() as node:
            node.discover(SUBJECT)
            with Peer(node.addresses[0], [b"[1]", WRONG, b"[2]"]):
                remote = await anext(node)
                heard: list[p2pchan.Message] = []
                ended = asyncio.Event()
                remote.on("data", heard.append)
                remote.on("end", ended.set)
                await ended.wait()
                assert heard == [[1]] and isinstance(remote.reason, p2pchan.ProtocolError)

    run(test)
