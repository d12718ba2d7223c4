"""One end of a flood or a round trip by a program in Python, as src/in_python.rs starts it::

    endpoint.py SYSTEM flood|round-trip accept|dial SIZE MILLISECONDS [ADDRESS]

What is sent and how it is timed is that of src/flood.rs and src/round_trip.rs, so that the figures can be
put beside those of Rust. Each system is one module with functions `accept` and `dial`: `ours_async`,
`ours_plain`, `sockets`, `streams`, `zeromq`, and `over_iroh` in ../rivals/python. They are used as their
documentation advises, and nothing is tuned for p2pchan.
"""

import asyncio
import importlib
import json
import logging
import signal
import sys

import flood
import round_trip
from messages import Amount

# The systems without an event loop, and their modules.
PLAIN = {"plain": "ours_plain", "pyzmq": "zeromq", "sockets": "sockets"}
# The modules of the others; p2pchan's do for all ways to use it.
ASYNC = {"streams": "streams", "iroh": "over_iroh"}
# Nobody waits longer; an end whose peer is gone ends by itself.
LONGEST = 60


def announce(address):
    """Tells the parent where the other end finds this one."""
    print(json.dumps(address), flush=True)


def main():
    system, work, end, size, milliseconds, *address = sys.argv[1:]
    signal.alarm(LONGEST)
    amount = Amount(int(size), int(milliseconds) / 1e3)
    sys.path.append(f"{sys.path[0]}/../rivals/python")
    # It warns that nothing is discovered; here one end is told where the other one is.
    logging.getLogger("p2pchan").setLevel(logging.ERROR)
    if system in PLAIN:
        figures = run_plain(system, work, end, amount, *address)
    else:
        figures = asyncio.run(run_async(system, work, end, amount, *address))
    if figures:
        print(json.dumps(figures), flush=True)


def run_plain(system, work, end, amount, address=None):
    module = importlib.import_module(PLAIN[system])
    opened = module.accept(announce, amount.size) if end == "accept" else module.dial(address, amount.size)
    with opened as link:
        if work == "round-trip":
            return round_trip.echo(link) if end == "accept" else round_trip.ask(link, amount)
        return flood.receive(link, amount) if end == "accept" else flood.send(link, amount)


async def run_async(system, work, end, amount, address=None):
    module = importlib.import_module(ASYNC.get(system, "ours_async"))
    async with module.accept(announce) if end == "accept" else module.dial(address) as link:
        if work == "round-trip":
            if end == "accept":
                return await round_trip.echo_async(link)
            return await round_trip.ask_async(link, amount)
        way = flood.WAYS[system]
        if end == "accept":
            return await flood.receive_async(link, amount, way)
        return await flood.send_async(link, amount, way)


main()
