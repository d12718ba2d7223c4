"""asyncio's own streams over raw TCP: four bytes of length, then the message. Not encrypted."""

import asyncio
from contextlib import asynccontextmanager


class Link:
    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    async def send(self, message):
        self._writer.write(len(message).to_bytes(4, "little"))
        self._writer.write(message)
        await self._writer.drain()

    async def recv(self):
        length = int.from_bytes(await self._reader.readexactly(4), "little")
        return await self._reader.readexactly(length)

    def __aiter__(self):
        return self

    __anext__ = recv


@asynccontextmanager
async def accept(announce):
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda *pair: accepted.set_result(pair), "127.0.0.1", 0)
    announce("{}:{}".format(*server.sockets[0].getsockname()))
    async with closing(*await accepted) as link:
        yield link
    server.close()


@asynccontextmanager
async def dial(address):
    host, port = address.split(":")
    async with closing(*await asyncio.open_connection(host, int(port))) as link:
        yield link


@asynccontextmanager
async def closing(reader, writer):
    try:
        yield Link(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
