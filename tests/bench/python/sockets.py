"""Blocking sockets over raw TCP, in Python: four bytes of length, then the message. Not encrypted.

For round trips: each message is one write, and what has come is read into one buffer, which is the least that
Python can do.
"""

import socket
from contextlib import contextmanager

HEAD = 4
# Bytes of a read at least.
MOST = 64 << 10


class Link:
    def __init__(self, connection):
        self._socket = connection
        self._read = b""

    def send(self, message):
        self._socket.sendall(len(message).to_bytes(HEAD, "little") + message)

    def recv(self):
        read = self._read
        while len(read) < HEAD or len(read) < HEAD + int.from_bytes(read[:HEAD], "little"):
            more = self._socket.recv(MOST)
            if not more:
                raise EOFError("the other end has gone")
            read = read + more if read else more
        end = HEAD + int.from_bytes(read[:HEAD], "little")
        self._read = read[end:]
        return read[HEAD:end]


@contextmanager
def accept(announce, _):
    with socket.create_server(("127.0.0.1", 0)) as server:
        announce("{}:{}".format(*server.getsockname()))
        connection, _ = server.accept()
    with over(connection) as link:
        yield link


@contextmanager
def dial(address, _):
    host, port = address.split(":")
    with over(socket.create_connection((host, int(port)))) as link:
        yield link


@contextmanager
def over(connection):
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Link(connection)
