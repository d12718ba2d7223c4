"""Who gets in: the program's own function, secrets, topics and limits."""

import logging
import threading
from typing import Any

import p2pchan
import pytest
from conftest import DEADLINE, SUBJECT, listening, run
from p2pchan import Newcomer, sync


def test_a_function_is_asked_about_newcomers_and_refuses_those_it_does_not_want(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: list[Newcomer] = []
    answers: list[Any] = [True, ZeroDivisionError("on purpose"), False]

    def refuse(newcomer: Newcomer) -> Any:
        asked.append(newcomer)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def test() -> None:
        async with listening(refuse=refuse) as near, p2pchan.Node() as far:
            near.discover(SUBJECT)
            far.discover(SUBJECT)
            for _ in range(2):
                with pytest.raises(p2pchan.RefusedError):
                    await far.connect(near.addresses[0])
            there = await far.connect(near.addresses[0])
            assert (await anext(near)).peer == far.id
            assert {newcomer.peer for newcomer in asked} == {far.id}
            assert asked[0].subject == SUBJECT and SUBJECT not in repr(asked[0])
            assert asked[0].address.startswith("tcp://127.0.0.1:") and there.peer == near.id

    with caplog.at_level(logging.ERROR, "p2pchan"):
        run(test)
    assert "refuse raised" in caplog.text and "on purpose" in caplog.text and not answers


def test_a_function_that_cannot_answer_at_once_is_not_taken() -> None:
    async def later(newcomer: Newcomer) -> bool:
        return False

    for node in (p2pchan.Node, sync.Node):
        with pytest.raises(p2pchan.InvalidError, match="plain one"):
            node(refuse=later)
        with pytest.raises(TypeError, match="cannot be called"):
            node(refuse=True)  # type: ignore[arg-type]


def test_newcomers_are_refused_without_an_event_loop() -> None:
    near = sync.Node(listen="tcp://127.0.0.1:0", refuse=lambda newcomer: newcomer.subject != SUBJECT)
    with near, sync.Node() as far:
        for node in (near, far):
            node.discover("another subject")

        async def connect() -> None:
            async with p2pchan.Node() as other:
                other.discover("another subject")
                with pytest.raises(p2pchan.RefusedError):
                    await other.connect(near.addresses[0])

        connecting = threading.Thread(target=run, args=(connect,))
        connecting.start()
        while connecting.is_alive():
            near.run(0.01)
        connecting.join(DEADLINE)
        assert near.status()["totals"]["refused"] == 1


def test_only_those_with_the_same_secret_get_in() -> None:
    async def test() -> None:
        async with listening() as near, p2pchan.Node() as wrong, p2pchan.Node() as right:
            near.discover(SUBJECT, "the secret")
            wrong.discover(SUBJECT, "another secret")
            right.discover(SUBJECT, secret="the secret")
            with pytest.raises(p2pchan.AuthError):
                await wrong.connect(near.addresses[0])
            await (await right.connect(near.addresses[0])).send("hello")
            assert await (await anext(near)).recv() == "hello"
            with pytest.raises(p2pchan.InvalidError, match="secret"):
                near.discover(SUBJECT)

    run(test)


def test_topics_are_32_bytes_and_meet_like_phrases() -> None:
    async def test() -> None:
        async with listening() as near, p2pchan.Node() as far:
            topic = bytes(range(32))
            for node in (near, far):
                discovery = node.discover_topic(topic)
                assert discovery.subject == topic.hex()
            there = await far.connect(near.addresses[0])
            assert there.subject == topic.hex()
            wrong: Any
            for wrong in (b"short", topic.hex(), bytearray(32)):
                with pytest.raises(p2pchan.InvalidError, match="32 bytes"):
                    near.discover_topic(wrong)
            discovery.stop()
            assert far.status()["subjects"] == []

    run(test)


def test_remotes_that_nobody_takes_are_refused_beyond_the_limit() -> None:
    async def test() -> None:
        async with listening(limits={"waiting": 2}) as near:
            near.discover(SUBJECT)
            peers = [await p2pchan.Node().start() for _ in range(4)]
            remotes = []
            for peer in peers:
                peer.discover(SUBJECT)
                remotes.append(await peer.connect(near.addresses[0]))
            for remote in remotes[2:]:
                with pytest.raises(p2pchan.RefusedError):
                    await remote.recv()
            assert [(await anext(near)).peer for _ in range(2)] == [peer.id for peer in peers[:2]]
            for remote in remotes[:2]:
                assert not remote.ended
            for peer in peers:
                await peer.stop()

    run(test)
