"""The programs in examples/python, as real processes."""

import signal
import sys

from conftest import SUBJECT, network
from processes import ROOT, Process

CHAT = [sys.executable, "-X", "dev", "-W", "error", str(ROOT / "examples/python/chat.py")]


def chat(entrance: str) -> Process:
    bootstrap = f"discovery.bittorrent.bootstrap={entrance}"
    only_here = "discovery.bittorrent.address=127.0.0.1"
    # Three that look at the same moment may each find one only, and look again later.
    often = "discovery.lookup_interval=1s"
    return Process(*CHAT, SUBJECT, "listen=127.0.0.1:0", bootstrap, only_here, often)


def test_lines_typed_in_one_chat_appear_in_the_others() -> None:
    with network() as entrance, chat(entrance) as ann, chat(entrance) as ben, chat(entrance) as cyd:
        for _ in range(2):
            for person in (ann, ben, cyd):
                assert (person.output.next() or "").startswith("+ ")
        ann.say("Hello, dudes!")
        for person in (ben, cyd):
            assert (person.output.next() or "").endswith(": Hello, dudes!")
        ann.hang_up()
        assert ann.wait() == 0
        for person in (ben, cyd):
            assert (person.output.next() or "").startswith("- ")
        ben.child.send_signal(signal.SIGINT)
        assert ben.wait() == 0
        assert (cyd.output.next() or "").startswith("- ")
        for person in (ann, ben):
            assert person.errors.rest() == []


def test_a_chat_that_is_told_nothing_says_what_it_takes() -> None:
    with Process(*CHAT) as process:
        assert process.wait() == 1
        assert process.errors.rest() == ["usage: chat.py SUBJECT [SETTING=VALUE]..."]
