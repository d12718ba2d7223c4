"""iroh through its package for Python: one QUIC stream.

Without its relays and its discovery (`preset_minimal`, no relay): both ends are on 127.0.0.1, and the dialling
end is told the address. It asks the router for ports all the same, so it is run where there is none
(../isolated).

A stream has no messages, so four bytes of length stand before each. Each write and each read wakes the event
loop from another thread; so what is sent while a write is under way is gathered for the next, and what has come
is read at once, which is the fastest way that was found. Its documentation names nothing that makes it faster.
"""

import asyncio
from contextlib import asynccontextmanager

from iroh import Endpoint, EndpointAddr, EndpointId, EndpointOptions, RelayMode, preset_minimal

ALPN = b"bench"
# Bytes of length before each message.
HEAD = 4
# Bytes of a read.
MOST = 64 << 10
# Bytes that wait to be written; more would only make the end of a flood long.
WAITING = 256 << 10


class Link:
    def __init__(self, stream):
        self._send = stream.send()
        self._recv = stream.recv()
        self._waiting = bytearray()
        self._writing = None
        self._read = b""
        self._at = 0

    async def send(self, message):
        self._waiting += len(message).to_bytes(HEAD, "little")
        self._waiting += message
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        while len(self._waiting) >= WAITING:
            await self.flush()

    async def flush(self):
        if self._writing is not None:
            await self._writing

    async def _write(self):
        gathered, self._waiting = self._waiting, bytearray()
        await self._send.write_all(bytes(gathered))
        self._writing = asyncio.create_task(self._write()) if self._waiting else None

    async def recv(self):
        begin = self._at + HEAD
        while True:
            length = int.from_bytes(self._read[self._at : begin], "little")
            end = begin + length
            if begin <= len(self._read) and end <= len(self._read):
                self._at = end
                return self._read[begin:end]
            more = await self._recv.read(MOST)
            if not more:
                raise EOFError("the other end has gone")
            self._read = self._read[self._at :] + more
            self._at, begin = 0, HEAD

    def __aiter__(self):
        return self

    __anext__ = recv


async def endpoint():
    return await Endpoint.bind(
        EndpointOptions(
            preset=preset_minimal(),
            bind_addr="127.0.0.1:0",
            alpns=[ALPN],
            relay_mode=RelayMode.disabled(),
        )
    )


@asynccontextmanager
async def accept(announce):
    node = await endpoint()
    announce(f"{node.bound_sockets()[0]}/{node.id()}")
    connection = await (await (await node.accept_next()).accept()).connect()
    stream = await connection.accept_bi()
    await stream.recv().read_exact(HEAD)
    link = Link(stream)
    yield link
    await link.flush()
    await connection.closed()
    await node.close()


@asynccontextmanager
async def dial(address):
    socket, name = address.split("/")
    node = await endpoint()
    address = EndpointAddr(EndpointId.from_string(name), None, [socket])
    connection = await node.connect(address, ALPN)
    stream = await connection.open_bi()
    # The other end learns of a stream with its first bytes.
    await stream.send().write_all(bytes(HEAD))
    link = Link(stream)
    yield link
    await link.flush()
    await stream.send().finish()
    await stream.send().stopped()
    connection.close(0, b"")
    await node.close()
