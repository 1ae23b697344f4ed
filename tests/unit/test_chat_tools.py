"""Tools of the chat agent: what a model is told of them, and what it is told of its calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from headgate.sdk import Park, RetryableError, TerminalError
from tests import reference_agents

module = reference_agents.load("chat", "tools")
Tools = module.Tools

made: list[str] = []
tools = Tools()


@tools.add
def stock(article: str, size: int = 0, warehouses: list[str] | None = None) -> dict[str, Any]:
    """How many of an article are in stock."""
    if article == "none":
        message = "no such article"
        raise LookupError(message)
    return {"article": article, "size": size, "warehouses": warehouses, "count": 3}


@tools.add
async def book(kind: Literal["letter", "parcel"], step_key: str) -> str:
    made.append(step_key)
    return f"booked a {kind}"


@tools.add
def long() -> str:
    return "x" * 100_000


@tools.add
def decide(how: str) -> None:
    raise {"later": RetryableError, "never": TerminalError, "stop": Park}[how](how)


async def run(name: str, arguments: str) -> Any:
    text = await tools.run(name, arguments, "key-1")
    return json.loads(text) if text.startswith("{") else text


def test_a_model_is_told_names_texts_and_parameters() -> None:
    described = {each["function"]["name"]: each["function"] for each in tools.schemas()}
    assert described["stock"] == {
        "name": "stock",
        "description": "How many of an article are in stock.",
        "parameters": {
            "type": "object",
            "properties": {
                "article": {"type": "string"},
                "size": {"type": "integer"},
                "warehouses": {
                    "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]
                },
            },
            "required": ["article"],
            "additionalProperties": False,
        },
    }
    assert described["book"]["parameters"]["properties"] == {"kind": {"enum": ["letter", "parcel"]}}


async def test_a_call_is_made_with_its_arguments() -> None:
    assert await run("stock", '{"article": "cup", "warehouses": ["A"]}') == {
        "article": "cup",
        "size": 0,
        "warehouses": ["A"],
        "count": 3,
    }


async def test_an_effect_gets_a_key_that_the_model_cannot_give() -> None:
    assert await run("book", '{"kind": "letter"}') == "booked a letter"
    assert made == ["key-1"]
    told = await run("book", '{"kind": "letter", "step_key": "mine"}')
    assert told == {"error": "step_key: no such argument"}
    assert made == ["key-1"]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("sell", "{}", "there is no tool 'sell'; there are: stock, book, long, decide"),
        ("stock", '{"article": ', "the arguments are not JSON: "),
        ("stock", "[1]", "the arguments are not a JSON object"),
        ("stock", "", "article: missing"),
        ("stock", '{"article": 3}', "article: expected str, found 3"),
        ("stock", '{"article": "a", "size": true}', "size: expected int, found True"),
        ("stock", '{"article": "a", "warehouses": [1]}', "warehouses[0]: expected str, found 1"),
        ("stock", '{"article": "a", "color": "red"}', "color: no such argument"),
        (
            "book",
            '{"kind": "pallet"}',
            "kind: expected one of ('letter', 'parcel'), found 'pallet'",
        ),
        ("stock", '{"article": "none"}', "LookupError: no such article"),
    ],
)
async def test_a_failure_is_told_to_the_model(name: str, arguments: str, told: str) -> None:
    assert (await run(name, arguments))["error"].startswith(told)


@pytest.mark.parametrize(
    ("how", "error"), [("later", RetryableError), ("never", TerminalError), ("stop", Park)]
)
async def test_an_author_decides_about_the_turn(how: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await run("decide", json.dumps({"how": how}))


async def test_a_long_result_is_cut_and_says_so() -> None:
    text = await tools.run("long", "", "k")
    assert len(text) < module.RESULT_CHARACTERS + 50
    assert text.endswith("[cut: 100000 characters]")


def test_what_cannot_be_described_is_refused_when_it_is_added() -> None:
    def by_path(path: Path) -> None: ...
    def by_anything(**more: str) -> None: ...
    def by_silence(path) -> None: ...  # type: ignore[no-untyped-def]

    for function in (by_path, by_anything, by_silence):
        with pytest.raises(TypeError):
            Tools().add(function)


def test_the_sample_is_a_set_of_tools() -> None:
    # It asks for its neighbour by its own name, as it does beside the agent.
    sys.modules["tools"] = module
    sample = reference_agents.load("chat", "sample_tools")
    assert [each["function"]["name"] for each in sample.tools.schemas()] == ["delivery_days"]
