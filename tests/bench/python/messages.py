"""The messages that are sent, and how the receiver knows that they arrived.

Summing them up as src/message.rs does would cost Python more than sending them. So both ends make the same
messages in advance, which are sent again and again, and the receiver compares each with the one that must come
next: short ones as a whole, of longer ones the length, the first 64 bytes and 64 more in a place that changes.
What is lost, doubled, reordered or changed ends the run. All systems in Python pay the same for it, some 50 ns
for each message.
"""

import operator
import random
from dataclasses import dataclass

END = b"end"
"""Ends a flood, and asks for the count; ends round trips too. Shorter than any message."""

# Bytes that the messages have together.
RING = 64 << 10
LINE = 64
# From here on comparing all bytes would be a part of the measurement.
LONG = 4 << 10
# Messages of one call, where there are many: as many as one call brings at most.
BATCH = 256


@dataclass(frozen=True)
class Amount:
    """How much is done."""

    size: int
    """Bytes of a message."""
    seconds: float
    """How long messages are sent."""


class Ring:
    """Messages of one size that are sent again and again."""

    def __init__(self, size):
        pattern = random.Random(size)
        self.size = size
        self.messages = [pattern.randbytes(size) for _ in range(max(2, RING // size))]
        self.batches = [self.messages[at : at + BATCH] for at in range(0, len(self.messages), BATCH)]
        self.differs = operator.ne if size < LONG else self._seems_to_differ
        self._twice = self.messages * 2
        self._place = 0

    def batch(self, begin, length):
        """What must come after so many messages, half a ring at most."""
        begin %= len(self.messages)
        return self._twice[begin : begin + length]

    def _seems_to_differ(self, message, expected):
        self._place = place = (self._place + 4099) % (self.size - LINE)
        return (
            len(message) != self.size
            or message[:LINE] != expected[:LINE]
            or message[place : place + LINE] != expected[place : place + LINE]
        )


def check_end(message):
    """What is not the message that had to come must be the end."""
    if message != END:
        raise ValueError(f"a message of {len(message)} bytes is not the one that had to come next")
