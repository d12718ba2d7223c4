"""The library's log."""

import logging

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, Pair, run
from p2pchan import _base, _native, sync


def test_the_log_of_the_library_goes_to_the_logger_of_the_package(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> str:
        async with Pair() as (here, there):
            await here.send("a secret message")
            await there.recv()
            return here._node.addresses[0]

    with caplog.at_level(logging.DEBUG, "p2pchan"):
        address = run(test)
    lines = [record for record in caplog.records if record.name == "p2pchan"]
    assert f"listening on {address}" in [record.getMessage() for record in lines]
    # It warns that it finds nobody by itself.
    assert {record.levelno for record in lines} == {logging.DEBUG, logging.WARNING}
    assert SUBJECT not in caplog.text and "a secret message" not in caplog.text


def test_lines_that_the_logger_does_not_want_are_not_even_kept(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[None] = []
    monkeypatch.setattr(_base, "tell_lines", lambda: told.append(None))

    async def test() -> None:
        async with Pair() as (here, there):
            await here.send("hello")
            await there.recv()

    with caplog.at_level(logging.ERROR, "p2pchan"):
        run(test)
    assert not told and _native.log_lines() == ([], 0)


def test_lines_that_nobody_takes_are_counted_beyond_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    node = sync.Node(listen="tcp://127.0.0.1:0")

    def busy(event: p2pchan.Event) -> None:
        off()
        for _ in range(600):
            node.update(paused=True)
            node.update(paused=False)

    off = node.on("listening", busy)
    with caplog.at_level(logging.DEBUG, "p2pchan"), node:
        while not any("were lost" in record.getMessage() for record in caplog.records):
            assert node.run(DEADLINE / 10)
    assert len(caplog.records) <= 2 * 1024
