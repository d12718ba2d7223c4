"""`python -m p2pchan join`: real processes that talk with each other, and with the command line."""

import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, network
from p2pchan import sync
from processes import JOIN, Process, command_line


def listening(*options: str) -> Process:
    return Process(*JOIN, SUBJECT, "--listen", "tcp://127.0.0.1:0", *options)


def dialling(address: str, *options: str) -> Process:
    return Process(*JOIN, SUBJECT, "--seed", address, "--listen", "tcp://127.0.0.1:0", *options)


def address(process: Process) -> str:
    return process.errors.until("listening on").rpartition(" ")[2]


def identity(process: Process) -> str:
    return process.errors.until("this node is").rpartition(" ")[2]


def test_what_is_typed_in_one_is_printed_in_the_others_with_who_says_it() -> None:
    with listening() as ann:
        name, place = identity(ann)[:8], address(ann)
        with dialling(place) as ben, dialling(place) as cyd:
            for process in (ann, ben, cyd):
                process.errors.until("is open at")
            ann.errors.until("is open at")
            ann.say("Hello, dudes!", "", "\u00e4\u20ac\U0001f600")
            for process in (ben, cyd):
                heard = [process.output.next() for _ in range(3)]
                assert heard == [f"{name}: Hello, dudes!", f"{name}: ", f"{name}: \u00e4\u20ac\U0001f600"]
            ben.child.send_signal(signal.SIGTERM)
            assert "ended" in ann.errors.until("ended")
            ann.say("still here")
            assert cyd.output.next() == f"{name}: still here"


def test_a_pipe_arrives_whole_at_one_that_goes_on_after_the_end_of_its_own_input() -> None:
    with listening() as listener:
        listener.hang_up()
        with dialling(address(listener), "--until", "1") as sender:
            name = identity(sender)[:8]
            sender.say(*map(str, range(5_000)))
            sender.hang_up()
            heard = [listener.output.next() for _ in range(5_000)]
            assert heard == [f"{name}: {number}" for number in range(5_000)]
            assert sender.wait() == 0
        listener.errors.until("the peer has ended")
        assert listener.child.poll() is None


def test_a_peer_that_is_killed_before_it_took_everything_makes_it_fail() -> None:
    with listening() as receiver, dialling(address(receiver), "--until", "1") as sender:
        sender.errors.until("is open at")
        receiver.child.send_signal(signal.SIGSTOP)
        sender.say("never read")
        sender.hang_up()
        sender.errors.until("end of input after 1 lines")
        receiver.child.kill()
        assert sender.wait() == 1
        assert sender.errors.rest()[-1].endswith("lost before it took everything")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_and_says_so_in_the_exit_code(number: signal.Signals) -> None:
    with listening() as here, dialling(address(here)) as there:
        here.say("before the signal")
        assert (there.output.next() or "").endswith("before the signal")
        here.child.send_signal(number)
        assert here.wait() == 128 + number
        # It has said goodbye.
        there.errors.until("the peer has ended")
        assert not [line for line in here.errors.rest() if "Traceback" in line or "Fatal" in line]


def test_a_second_signal_ends_it_at_once() -> None:
    with listening() as here:
        address(here)
        # Both are there when it goes on.
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            here.child.send_signal(number)
        assert here.wait() == 128 + signal.SIGTERM


def test_a_reader_that_has_enough_is_no_failure() -> None:
    with listening() as speaker:
        reading, writing = os.pipe()
        os.close(reading)
        command = [*JOIN, SUBJECT, "--seed", address(speaker), "--listen", "tcp://127.0.0.1:0"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=writing, stderr=pipe) as here:
            os.close(writing)
            speaker.say("into the void")
            assert here.wait(DEADLINE) == 0
            assert here.stderr and b"Traceback" not in here.stderr.read()


def test_nobody_there_in_time_is_code_3() -> None:
    with listening("--timeout", "1") as alone:
        assert alone.wait() == 3
        assert alone.errors.rest()[-1] == "p2pchan: 0 of 1 remotes opened within 1 s"


WRONG = {
    "no phrase": ([], "a phrase is missing"),
    "an unknown setting": (["x", "--set", "listn=1"], "listn"),
    "a setting without a value": (["x", "--set", "listen"], "KEY=VALUE"),
    "a wrong address": (["x", "--listen", "8099"], "8099"),
    "a wrong number": (["x", "--until", "0"], "'0': write a whole number from 1 on"),
    "a phrase that is too long": (["x" * 257, "--listen", "127.0.0.1:0"], "256"),
    "an unknown option": (["x", "--sed", "127.0.0.1:1"], "--sed"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named_and_the_code_is_2(wrong: str) -> None:
    arguments, words = WRONG[wrong]
    with Process(*JOIN, *arguments) as process:
        assert process.wait() == 2
        told = "\n".join(process.errors.rest())
        assert words in told and "Traceback" not in told


def test_a_port_in_use_is_named_and_the_code_is_1() -> None:
    with listening() as first:
        place = address(first)
        with Process(*JOIN, "x", "--listen", place) as second:
            assert second.wait() == 1
            second.errors.until(place.rpartition("/")[2])


def test_a_line_that_is_too_long_is_named_and_those_before_it_arrive() -> None:
    with listening() as receiver:
        with dialling(address(receiver), "--set", "limits.message=1KiB") as sender:
            sender.say("short", "x" * 2000, "never sent")
            assert sender.wait() == 1
            assert re.search("line 2 to [0-9a-f]{8}: ", sender.errors.rest()[-1])
        assert (receiver.output.next() or "").endswith(": short")


def test_nobody_can_command_the_terminal_or_speak_in_the_name_of_another() -> None:
    with listening() as here, sync.Node(discovery={"seeds": [address(here)]}) as node:
        node.discover(SUBJECT)
        remote = node.next_remote(DEADLINE)
        for message in ("a\x1b[2J\nb: c\r", b"\xff\n", {"\u202e": ["\x07"]}, "\u00e4 \u2603\t|"):
            remote.send(message)
        name = node.id[:8]
        assert [here.output.next() for _ in range(4)] == [
            rf"{name}: a\x1b[2J\nb: c\r",
            rf"{name}: \xff\n",
            rf'{name}: {{"\u202e": ["\u0007"]}}',
            f"{name}: \u00e4 \u2603\t|",
        ]


def test_it_opens_what_it_tells_and_the_phrase_is_not_told() -> None:
    options = ["--listen", "127.0.0.1:0", "--bootstrap", "127.0.0.1:1"]
    with Process(*JOIN, *options, P2PCHAN_PHRASE=SUBJECT) as process:
        opened = [process.errors.until(words) for words in ("on tcp:", "on quic:", "bittorrent uses")]
        assert all("//127.0.0.1:" in line for line in opened)
        process.child.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert not [line for line in process.errors.seen + process.errors.rest() if SUBJECT in line]


def test_what_the_library_warns_of_is_told_once_and_as_one_of_its_lines() -> None:
    with listening() as here, dialling(address(here)) as there:
        here.errors.until("is open at")
        here.child.send_signal(signal.SIGINT)
        assert here.wait() == 130
        warnings = [line for line in here.errors.seen + here.errors.rest() if "no discovery service" in line]
        assert len(set(warnings)) == len(warnings) == 1 and warnings[0].startswith("p2pchan: warning: ")
        assert there.errors.until("is open at")


def test_it_talks_with_the_command_line_through_a_dht() -> None:
    program = command_line()
    with network() as entrance:
        common = [SUBJECT, "--listen", "127.0.0.1:0", "--bootstrap", entrance, "--until", "1"]
        with Process(program, "join", *common) as theirs, Process(*JOIN, *common) as ours:
            name = theirs.errors.until("this node is").rpartition(" ")[2][:8]
            theirs.say("from the command line")
            ours.say("from Python")
            assert ours.output.next() == f"{name}: from the command line"
            assert theirs.output.next() == "from Python"
            theirs.hang_up()
            ours.hang_up()
            assert (theirs.wait(), ours.wait()) == (0, 0)


def test_the_version_is_told() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "p2pchan", "--version"], stdout=subprocess.PIPE, text=True, timeout=DEADLINE
    )
    assert (told.returncode, told.stdout) == (0, f"p2pchan {version(p2pchan.__name__)}\n")


def test_without_a_command_it_tells_what_there_is() -> None:
    with Process(sys.executable, "-m", "p2pchan") as process:
        assert process.wait() == 2
        process.errors.until("join")
