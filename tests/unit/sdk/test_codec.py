"""What a state may be made of, and that what does not fit is told plainly."""

import enum
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from headgate.sdk.annotations import compile_codec
from headgate.sdk.codec import from_json
from headgate.sdk.errors import DefinitionError, StateError


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int = 0


@dataclass
class Shape:
    points: list[Point] = field(default_factory=list)
    colour: Colour | None = None


@dataclass
class Tree:
    children: list["Tree"] = field(default_factory=list)


NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (str, "Grüße \U0001f600", '"Grüße \U0001f600"'),
        (int, 2**70, str(2**70)),
        (float, 0.5, "0.5"),
        (float, 1, "1"),
        (bool, True, "true"),
        (bytes, b"\x00\xff", '"AP8="'),
        (datetime, NOON, '"2024-05-01T12:00:00+00:00"'),
        (Colour, Colour.RED, '"red"'),
        (Literal["a", 1], 1, "1"),
        (str | None, None, "null"),
        (list[int], [1, 2], "[1,2]"),
        (dict[str, list[bytes]], {"a": [b""]}, '{"a":[""]}'),
        (Any, {"a": [1, None]}, '{"a":[1,null]}'),
        (Shape, Shape([Point(1)], Colour.RED), '{"points":[{"x":1,"y":0}],"colour":"red"}'),
    ],
)
def test_values_come_back_as_they_were(annotation: Any, value: Any, text: str) -> None:
    codec = compile_codec(annotation, "here")
    assert codec.to_bytes(value, "here").decode() == text
    assert codec.from_bytes(text.encode(), "here") == value


@pytest.mark.parametrize(
    ("annotation", "value", "told"),
    [
        (int, True, "here: expected int, found True"),
        (str, 5, "here: expected str, found 5"),
        (datetime, datetime(2024, 5, 1), "time zone"),  # noqa: DTZ001 - that is the point
        (float, float("nan"), "here: cannot be written as JSON"),
        (Any, {1, 2}, "here: cannot be written as JSON"),
        (str, "\ud800", "here: cannot be written as JSON"),
        (list[int], [1, "x"], "here[1]: expected int, found 'x'"),
        (dict[str, int], {1: 1}, "expected str as key, found 1"),
        (Shape, Shape([Point(1), Point("x")]), "here.points[1].x: expected int"),  # type: ignore[arg-type]
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    annotation: Any, value: Any, told: str
) -> None:
    with pytest.raises(StateError, match=r".*") as caught:
        compile_codec(annotation, "here").to_bytes(value, "here")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "text", "told"),
    [
        (int, "{", "here: stored bytes are not JSON"),
        (int, "\xff", "here: stored bytes are not JSON"),
        (int, '"5"', "here: expected int, found '5'"),
        (bytes, '"?"', "base64"),
        (datetime, '"noon"', "ISO 8601"),
        (Colour, '"blue"', "a value of Colour"),
        (Shape, '{"points":[{"y":1}]}', "here.points[0]: expected Point (Point.__init__() missing"),
    ],
)
def test_stored_bytes_that_do_not_fit_name_the_place(annotation: Any, text: str, told: str) -> None:
    with pytest.raises(StateError) as caught:
        compile_codec(annotation, "here").from_bytes(text.encode("latin-1"), "here")
    assert told in str(caught.value)


def test_fields_of_a_newer_revision_are_kept() -> None:
    codec = compile_codec(Shape, "here")
    shape = codec.from_bytes(b'{"points":[{"x":1,"z":9}],"weight":3}', "here")
    shape.points[0].x = 2
    assert json.loads(codec.to_bytes(shape, "here")) == {
        "points": [{"x": 2, "y": 0, "z": 9}],
        "colour": None,
        "weight": 3,
    }


@pytest.mark.parametrize("annotation", [set[int], dict[int, str], int | str, Tree, complex])
def test_types_without_a_codec_are_refused_when_defined(annotation: Any) -> None:
    with pytest.raises(DefinitionError, match="here"):
        compile_codec(annotation, "here")


@pytest.mark.parametrize(
    "data",
    [
        b"12",
        '{"a": ["\u00fc", null]}'.encode(),
        b" [1, 2]\n",
        b"\xef\xbb\xbf[1]",
        '"\u00fc"'.encode("utf-16"),
        '["a"]'.encode("utf-16-le"),
        "[1]".encode("utf-32-be"),
        b'"\xed\xa0\x80"',  # a lone surrogate
        b"1e400",
        b"",
        b"1 2",
        b"{",
        b"\xff\xff\xff\xff",
        b"[" * 100_000,
    ],
)
def test_json_is_read_as_the_standard_library_reads_it(data: bytes) -> None:
    def outcome(read: Any) -> Any:
        try:
            return read(data)
        except (ValueError, RecursionError) as error:
            return type(error), str(error)

    assert outcome(from_json) == outcome(json.loads)
