"""What may travel as JSON, exactly; and what may not, by its place."""

import enum
import math
import sys
from typing import Any

import p2pchan
import pytest
from conftest import Pair, run
from p2pchan import _errors, _native

EXACT = [
    2**63 - 1,
    -(2**63),
    2**64 - 1,
    2**64,
    -(10**400),
    0.1,
    -0.0,
    5e-324,
    sys.float_info.max,
    1e16,
    1 / 3,
    123456789012345.67,
    False,
    [],
    {},
    {"": None},
    {"\u00e4\"\\\n\x00": "\u2028\U0001f600\x7f"},
]


def test_numbers_and_text_in_json_are_exact() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            await here.send(EXACT)
            arrived = await there.recv()
            assert repr(arrived) == repr(EXACT), "the types too, and the sign of zero"

    run(test)


class Colour(enum.IntEnum):
    RED = 2**70

    def __repr__(self) -> str:
        return "not a number"


def test_subclasses_travel_as_what_they_are_made_of() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            await here.send([Colour.RED, (1, 2)])
            assert await there.recv() == [2**70, [1, 2]]

    run(test)


def wrong() -> list[tuple[Any, type[Exception], str]]:
    itself: list[Any] = []
    itself.append(itself)
    return [
        (None, TypeError, "None cannot travel by itself"),
        ({"a": [1, 2, 3, {4}]}, TypeError, r'value\["a"\]\[3\] is a set; JSON has none'),
        (object(), TypeError, "value is an object"),
        ([math.nan], TypeError, r"value\[0\] is NaN; JSON has only finite"),
        ({"x": {"y": -math.inf}}, TypeError, r'value\["x"\]\["y"\] is -inf'),
        ([{3: 1}], TypeError, r"value\[0\] has a key that is an int"),
        ([b"bytes"], TypeError, r"value\[0\] is a bytes"),
        (itself, ValueError, "deeper than 127"),
        ("\ud800", ValueError, "surrogates"),
    ]


def test_what_is_not_json_is_refused_by_its_place_and_nothing_is_sent() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            for value, kind, words in wrong():
                with pytest.raises(kind, match=words):
                    await here.send(value)
            await here.send("the first")
            assert await there.recv() == "the first"

    run(test)


def test_of_a_batch_those_before_the_wrong_one_are_sent() -> None:
    async def test() -> None:
        async with Pair() as (here, there):
            with pytest.raises(TypeError, match="a set"):
                await here.send_many([1, 2, {3}, 4])
            await here.send(5)
            assert [await there.recv() for _ in range(3)] == [1, 2, 5]

    run(test)


def test_values_nested_as_deeply_as_is_allowed_arrive() -> None:
    async def test() -> None:
        value: Any = 1
        for _ in range(127):
            value = [value]
        async with Pair() as (here, there):
            await here.send(value)
            assert await there.recv() == value

    run(test)


def test_a_message_that_is_too_big_is_refused() -> None:
    async def test() -> None:
        async with Pair(limits={"message": "64KiB"}) as (here, there):
            with pytest.raises(p2pchan.TooBigError, match="65536") as raised:
                await here.send(bytes(70_000))
            assert raised.value.code == "TOO_BIG" and isinstance(raised.value, ValueError)
            await here.send(b"small")
            assert await there.recv() == b"small"

    run(test)


def test_every_kind_of_error_has_a_class() -> None:
    assert set(_errors.CLASSES) == set(_native.codes())
    for code, kind in _errors.CLASSES.items():
        error = _errors.from_code(code, "why")
        assert (type(error), error.code, str(error)) == (kind, code, "why")
        assert getattr(p2pchan, kind.__name__) is kind
