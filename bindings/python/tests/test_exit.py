"""Interpreters that end while nodes live: in time, with the right status, and without a word."""

import re
import signal
import subprocess
import sys

import pytest
from conftest import DEADLINE

# What asyncio programs begin with: two nodes and the remotes between them, which nobody stops.
ASYNC = """
import asyncio, atexit, gc, logging, os, signal, sys, threading
import p2pchan
from p2pchan import sync

# That nobody searches is meant.
logging.getLogger("p2pchan").setLevel(logging.ERROR)

async def live():
    global near, far, here, there
    near, far = [await p2pchan.Node(listen="tcp://127.0.0.1:0").start() for _ in range(2)]
    for node in (near, far):
        node.discover_topic(bytes(32))
    there = await far.connect(near.addresses[0])
    here = await anext(near)
    await here.send("never read")

def ready():
    print("ready", flush=True)
"""

# The same without an event loop.
SYNC = """
import logging, os, sys, threading, time
import p2pchan
from p2pchan import sync

# That nobody searches is meant.
logging.getLogger("p2pchan").setLevel(logging.ERROR)

near, far = [sync.Node(listen="tcp://127.0.0.1:0").start() for _ in range(2)]
for node in (near, far):
    node.discover_topic(bytes(32))
there = far.connect(near.addresses[0], 60)
here = near.next_remote(60)
here.send("never read")

def ready():
    print("ready", flush=True)
"""

QUIET = {
    "main returns": (
        ASYNC + "asyncio.run(live())",
        0,
    ),
    "os._exit": (
        ASYNC
        + """
async def main():
    await live()
    os._exit(5)

asyncio.run(main())
""",
        5,
    ),
    "a loop that was closed without stopping the node": (
        ASYNC
        + """
loop = asyncio.new_event_loop()
loop.run_until_complete(live())
loop.close()
del near, here
gc.collect()
""",
        0,
    ),
    "a node that outlives its loop, and another loop after it": (
        ASYNC
        + """
asyncio.run(live())
first = near, far, here, there
asyncio.run(live())
""",
        0,
    ),
    "a task that waits when its loop is closed": (
        ASYNC
        + """
async def main():
    await live()
    await there.recv()
    global waiting
    waiting = asyncio.create_task(there.recv())
    await asyncio.sleep(0)

asyncio.run(main())
""",
        0,
    ),
    "nodes and remotes in a cycle at shutdown": (
        ASYNC
        + """
class Knot:
    pass

async def main():
    await live()
    knot = Knot()
    knot.all = [knot, near, far, here, there]
    gc.disable()

asyncio.run(main())
""",
        0,
    ),
    "a node that was never started": (
        ASYNC + "node = p2pchan.Node(listen='tcp://127.0.0.1:0'); other = sync.Node()",
        0,
    ),
    "a loop in a daemon thread": (
        ASYNC
        + """
ran = threading.Event()

async def main():
    await live()
    await there.recv()
    ran.set()
    await there.recv()

threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
ran.wait()
""",
        0,
    ),
    "main ends, with p2pchan.sync": (
        SYNC,
        0,
    ),
    "a daemon thread that waits in recv": (
        SYNC
        + """
began = threading.Event()

def read():
    there.recv()
    began.set()
    there.recv()

threading.Thread(target=read, daemon=True).start()
began.wait()
""",
        0,
    ),
    "daemon threads that wait for the same node": (
        SYNC
        + """
began = threading.Barrier(4)

def wait(how):
    began.wait()
    how()

for how in (there.recv, far.next_remote, lambda: list(far)):
    threading.Thread(target=wait, args=(how,), daemon=True).start()
began.wait()
""",
        0,
    ),
    "daemon threads that send and read long messages without an end": (
        SYNC
        + """
began = threading.Event()

def send():
    while True:
        here.send(bytes(1_000_000))

def read():
    there.recv()
    while True:
        there.recv()
        began.set()

for how in (send, send, read, read):
    threading.Thread(target=how, daemon=True).start()
began.wait()
""",
        0,
    ),
    "a daemon thread that calls functions": (
        SYNC
        + """
called = threading.Event()
there.on("data", lambda message: called.set())
there.on("end", lambda: print("ended"))
far.on("stopped", lambda event: print("stopped"))
threading.Thread(target=far.run, daemon=True).start()
called.wait()
""",
        0,
    ),
    "functions in a loop that was left": (
        ASYNC
        + """
async def main():
    called = asyncio.Event()
    await live()

    async def call(message):
        called.set()
        await asyncio.sleep(60)

    there.on("data", call)
    there.on("end", lambda: print("ended"))
    await called.wait()

asyncio.run(main())
""",
        0,
    ),
    "a node that atexit stops": (
        SYNC
        + """
import atexit
atexit.register(near.stop)
atexit.register(far.stop)
""",
        0,
    ),
    "an exit within with": (
        SYNC
        + """
with sync.Node(listen="tcp://127.0.0.1:0") as node, there:
    sys.exit(3)
""",
        3,
    ),
    "a thread that another one waits for at the end": (
        SYNC
        + """
threading.Thread(target=lambda: list(near)).start()
near.stop()
""",
        0,
    ),
}

# What shows that something went wrong beside what the program says.
NOISE = ("Fatal", "panicked", "Exception ignored", "destroyed", "never awaited", "Warning", "FATAL")

INTERPRETERS = {"plain": [], "dev": ["-X", "dev", "-W", "error"]}


@pytest.mark.parametrize("flags", INTERPRETERS)
@pytest.mark.parametrize("ending", QUIET)
def test_an_interpreter_with_live_nodes_ends_quietly(ending: str, flags: str) -> None:
    code, status = QUIET[ending]
    command = [sys.executable, *INTERPRETERS[flags], "-c", code]
    ended = subprocess.run(command, timeout=DEADLINE, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "", "")


LOUD = {
    "an exception in main": (
        ASYNC
        + """
async def main():
    await live()
    raise LookupError("of the program")

asyncio.run(main())
""",
        "LookupError: of the program",
    ),
    "an exception in a sync program": (
        SYNC + "raise LookupError('of the program')",
        "LookupError: of the program",
    ),
    "an exception within with": (
        SYNC
        + """
with sync.Node(listen="tcp://127.0.0.1:0") as node, here, there:
    raise LookupError("of the program")
""",
        "LookupError: of the program",
    ),
}


@pytest.mark.parametrize("flags", INTERPRETERS)
@pytest.mark.parametrize("ending", LOUD)
def test_of_an_exception_nothing_but_its_traceback_is_shown(ending: str, flags: str) -> None:
    code, words = LOUD[ending]
    command = [sys.executable, *INTERPRETERS[flags], "-c", code]
    ended = subprocess.run(command, timeout=DEADLINE, capture_output=True, text=True)
    assert ended.returncode == 1
    assert_one_traceback(ended.stderr, words)


EXIT_IN_A_TASK = (
    ASYNC
    + """
async def leave():
    await there.recv()
    sys.exit(3)

async def main():
    await live()
    leaving = asyncio.create_task(leave())
    await here.recv()

asyncio.run(main())
"""
)


@pytest.mark.parametrize("flags", INTERPRETERS)
def test_an_exit_in_a_task_ends_the_interpreter(flags: str) -> None:
    command = [sys.executable, *INTERPRETERS[flags], "-c", EXIT_IN_A_TASK]
    ended = subprocess.run(command, timeout=DEADLINE, capture_output=True, text=True)
    assert ended.returncode == 3
    # asyncio shows the exit, whatever the task waited for.
    for noise in NOISE:
        assert noise not in ended.stderr, ended.stderr


INTERRUPTED = {
    "asyncio": ASYNC
    + """
async def main():
    await live()
    await there.recv()
    ready()
    await there.recv()

asyncio.run(main())
""",
    "asyncio with a node that is stopped": ASYNC
    + """
async def main():
    async with p2pchan.Node(listen="tcp://127.0.0.1:0") as node:
        await live()
        ready()
        await anext(node)

asyncio.run(main())
""",
    "sync": SYNC + "there.recv(); ready(); there.recv()",
    "sync with several threads": SYNC
    + """
threading.Thread(target=lambda: list(far), daemon=True).start()
ready()
there.recv(); there.recv()
""",
}


@pytest.mark.parametrize("flags", INTERPRETERS)
@pytest.mark.parametrize("ending", INTERRUPTED)
def test_ctrl_c_ends_an_interpreter_that_waits(ending: str, flags: str) -> None:
    command = [sys.executable, *INTERPRETERS[flags], "-c", INTERRUPTED[ending]]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        try:
            _, stderr = child.communicate(timeout=DEADLINE)
        finally:
            child.kill()
    assert child.returncode in (-signal.SIGINT, 130), stderr
    assert_one_traceback(stderr, "KeyboardInterrupt")


def assert_one_traceback(stderr: str, last: str) -> None:
    """It is that of the program, and chained ones of the same; nothing was ignored or destroyed."""
    assert stderr.splitlines()[-1] == last, stderr
    for noise in NOISE:
        assert noise not in stderr, stderr
    heads = re.findall("^Traceback", stderr, re.MULTILINE)
    chained = stderr.count("During handling of the above") + stderr.count("was the direct cause")
    assert len(heads) == 1 + chained, stderr
