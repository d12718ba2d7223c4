"""p2pchan without an event loop and without any setting tuned: each call waits until it is done."""

from contextlib import contextmanager

from ours_async import TOPIC
from p2pchan import sync


@contextmanager
def accept(announce, _):
    with sync.Node(listen="tcp://127.0.0.1:0") as node:
        node.discover_topic(TOPIC)
        announce(node.addresses[0])
        with node.next_remote() as remote:
            yield remote


@contextmanager
def dial(address, _):
    with sync.Node() as node:
        node.discover_topic(TOPIC)
        with node.connect(address) as remote:
            yield remote
