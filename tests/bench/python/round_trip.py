"""Round trip, as src/round_trip.rs: one message there and back, then the next."""

from itertools import cycle, islice
from time import perf_counter, perf_counter_ns

from messages import END, Ring

# Round trips that are not counted.
WARM_UP = 1000


def ask(link, amount):
    times, messages = [], cycle(Ring(amount.size).messages)
    for message in islice(messages, WARM_UP):
        once(link, message)
    began = perf_counter()
    while perf_counter() - began < amount.seconds:
        times.append(once(link, next(messages)))
    link.send(END)
    return result(times)


def once(link, message):
    began = perf_counter_ns()
    link.send(message)
    echo = link.recv()
    return check(message, echo, perf_counter_ns() - began)


def echo(link):
    while (message := link.recv()) != END:
        link.send(message)


async def ask_async(link, amount):
    times, messages = [], cycle(Ring(amount.size).messages)
    for message in islice(messages, WARM_UP):
        await once_async(link, message)
    began = perf_counter()
    while perf_counter() - began < amount.seconds:
        times.append(await once_async(link, next(messages)))
    await link.send(END)
    return result(times)


async def once_async(link, message):
    began = perf_counter_ns()
    await link.send(message)
    echo = await link.recv()
    return check(message, echo, perf_counter_ns() - began)


async def echo_async(link):
    while (message := await link.recv()) != END:
        await link.send(message)


def check(message, echo, time):
    if echo != message:
        raise ValueError("a message came back changed")
    return time


def result(times):
    """The figures of round trips, whose names are those of src/rounds.rs."""
    times.sort()
    return {"median": percentile(times, 50), "ninety-ninth": percentile(times, 99)}


def percentile(times, percent):
    """Microseconds that so many of a hundred of the sorted times do not exceed."""
    return times[max(0, -(-len(times) * percent // 100) - 1)] / 1e3
