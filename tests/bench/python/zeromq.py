"""ØMQ through pyzmq, over TCP. Not encrypted.

As its documentation advises, short messages are copied and long ones are handed over without a copy. Its
default high-water mark, 1000 messages, does for short ones: more made it no faster, and neither did PUSH and
PULL, which have no way back.
"""

from contextlib import contextmanager

import zmq

# pyzmq's own bound: it copies shorter messages whatever it is told.
LONG = zmq.COPY_THRESHOLD
# Bytes that a queue holds at most: 1000 long messages would fill the memory.
QUEUE = 16 << 20


class Link:
    def __init__(self, socket, size):
        if size < LONG:
            self.send, self.recv = socket.send, socket.recv
        else:
            self.send = lambda message: socket.send(message, copy=False)
            self.recv = lambda: socket.recv(copy=False).buffer


@contextmanager
def accept(announce, size):
    with pair(size) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        announce(f"tcp://127.0.0.1:{port}")
        yield Link(socket, size)


@contextmanager
def dial(address, size):
    with pair(size) as socket:
        socket.connect(address)
        yield Link(socket, size)


@contextmanager
def pair(size):
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.set_hwm(min(1000, QUEUE // size))
        yield socket
