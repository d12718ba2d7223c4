"""The programs in examples/python, as real processes."""

import signal
from pathlib import Path

import pytest
from conftest import SUBJECT, network
from processes import PYTHON, ROOT, Process

EXAMPLES = ROOT / "examples/python"
CHAT = [*PYTHON, str(EXAMPLES / "chat.py")]


@pytest.mark.parametrize("name", [path.name for path in EXAMPLES.glob("*.py")])
def test_the_tutorial_shows_the_program_as_it_is(name: str) -> None:
    program = (EXAMPLES / name).read_text(encoding="utf-8")
    tutorial = (ROOT / "docs/tutorial-python.md").read_text(encoding="utf-8")
    assert f"```python\n{program}```" in tutorial


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


def test_programs_that_share_a_folder_find_each_other_there(tmp_path: Path) -> None:
    command = [*PYTHON, str(EXAMPLES / "discovery.py"), str(tmp_path), SUBJECT, "127.0.0.1:0"]
    with Process(*command) as ann, Process(*command) as ben:
        for person in (ann, ben):
            assert (person.output.next() or "").endswith(" says: Hello, dude!")
            assert person.wait() == 0
            assert person.errors.rest() == []
    assert list(tmp_path.iterdir()) == [], "they have withdrawn"
