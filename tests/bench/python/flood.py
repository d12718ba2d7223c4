"""One-way flood, as src/flood.rs: the dialling end sends for a while and then the sign that this was all; the
accepting end answers how many came, which stops the clock. The first flood of each connection warms up.

The loops are written out for each way to send and to receive, as programs would write them.
"""

import struct
from itertools import cycle
from time import perf_counter, process_time

from messages import END, Ring, check_end

# Until buffers and windows have grown, in seconds.
WARM_UP = 0.15
FLOODS = 2
# How many messages came, and seconds of processor time.
ANSWER = struct.Struct("<Qd")


# Plain calls.


def send(link, amount):
    ring = Ring(amount.size)
    for seconds in (WARM_UP, amount.seconds):
        began, processor = perf_counter(), process_time()
        sent = send_plain(link, ring, seconds)
        answer = link.recv()
        figures = result(sent, answer, amount.size, perf_counter() - began, process_time() - processor)
    return figures


def send_plain(link, ring, seconds):
    send, count, began = link.send, 0, perf_counter()
    while perf_counter() - began < seconds:
        for message in ring.messages:
            send(message)
        count += len(ring.messages)
    send(END)
    return count


def receive(link, amount):
    ring, processor = Ring(amount.size), process_time()
    for _ in range(FLOODS):
        count = receive_plain(link, ring)
        link.send(ANSWER.pack(count, process_time() - processor))
        processor = process_time()


def receive_plain(link, ring):
    recv, differs, count = link.recv, ring.differs, 0
    for expected in cycle(ring.messages):
        message = recv()
        if differs(message, expected):
            break
        count += 1
    check_end(message)
    return count


# The same for asyncio, in several ways.


async def send_async(link, amount, way):
    ring = Ring(amount.size)
    for seconds in (WARM_UP, amount.seconds):
        began, processor = perf_counter(), process_time()
        sent = await way[0](link, ring, seconds)
        answer = await link.recv()
        figures = result(sent, answer, amount.size, perf_counter() - began, process_time() - processor)
    return figures


async def send_each(link, ring, seconds):
    send, count, began = link.send, 0, perf_counter()
    while perf_counter() - began < seconds:
        for message in ring.messages:
            await send(message)
        count += len(ring.messages)
    await send(END)
    return count


async def send_batches(link, ring, seconds):
    count, began = 0, perf_counter()
    while perf_counter() - began < seconds:
        for batch in ring.batches:
            await link.send_many(batch)
        count += len(ring.messages)
    await link.send(END)
    return count


async def receive_async(link, amount, way):
    ring, processor = Ring(amount.size), process_time()
    for _ in range(FLOODS):
        count = await way[1](link, ring)
        await link.send(ANSWER.pack(count, process_time() - processor))
        processor = process_time()


async def receive_for(link, ring):
    differs, count, following = ring.differs, 0, cycle(ring.messages)
    async for message in link:
        if differs(message, next(following)):
            break
        count += 1
    check_end(message)
    return count


async def receive_each(link, ring):
    recv, differs, count = link.recv, ring.differs, 0
    for expected in cycle(ring.messages):
        message = await recv()
        if differs(message, expected):
            break
        count += 1
    check_end(message)
    return count


async def receive_batches(link, ring):
    count = 0
    while (batch := await link.recv_many()) == ring.batch(count, len(batch)):
        count += len(batch)
    check_end(batch.pop())
    if batch != ring.batch(count, len(batch)):
        raise ValueError("a batch is not the one that had to come next")
    return count + len(batch)


WAYS = {
    "async": (send_each, receive_for),
    "streams": (send_each, receive_for),
    "iroh": (send_each, receive_for),
    "await": (send_each, receive_each),
    "batch": (send_batches, receive_batches),
}
"""How each system sends and receives."""


def result(sent, answer, size, seconds, sending):
    """The figures of a flood, whose names are those of src/rounds.rs."""
    count, receiving = ANSWER.unpack(answer)
    if count != sent:
        raise ValueError(f"{sent} messages were sent and {count} arrived")
    gigabytes = count * size / 1e9
    return {
        "messages": count / seconds,
        "megabytes": gigabytes * 1e3 / seconds,
        "sending-processor": sending / gigabytes,
        "receiving-processor": receiving / gigabytes,
    }
