"""The intent agent without its network: what it takes, remembers, emits and asks together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from headgate.sdk.testing import AgentTester
from tests import reference_agents

intent = reference_agents.load("intent")


class Recogniser:
    """Calls every utterance by its first word, and notes what was asked together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        self.batches.append(list(texts))
        return [(text.split()[0], 0.5) for text in texts]


def customers(recognise: Recogniser, **more: int) -> AgentTester[Any]:
    return AgentTester(intent.make_agent(recognise, **more))


def test_an_utterance_becomes_an_event_with_intent_and_score() -> None:
    result = customers(Recogniser()).send("17", "intent.utterance", {"text": "refund me"})
    [output] = result.outputs
    assert output.type == "intent.recognised"
    assert output.data == {"text": "refund me", "intent": "refund", "score": 0.5}


def test_the_last_intents_are_remembered_and_no_more() -> None:
    customer = customers(Recogniser())
    for number in range(intent.REMEMBERED + 3):
        result = customer.send("17", "intent.utterance", {"text": f"w{number} please"})
    assert result.state.utterances == intent.REMEMBERED + 3
    assert [wanted.intent for wanted in result.state.last] == [
        f"w{number}" for number in range(3, intent.REMEMBERED + 3)
    ]


@pytest.mark.parametrize(("size", "batches"), [(32, [3]), (2, [2, 1]), (1, [1, 1, 1])])
async def test_turns_of_several_keys_go_through_the_network_together(
    size: int, batches: list[int]
) -> None:
    recognise = Recogniser()
    shop = customers(recognise, max_batch=size)
    results = await asyncio.gather(
        *(shop.asend(key, "intent.utterance", {"text": f"{key} please"}) for key in "abc")
    )
    assert [result.outputs[0].data["intent"] for result in results] == ["a", "b", "c"]
    assert [len(batch) for batch in recognise.batches] == batches


@pytest.mark.parametrize("data", [None, "refund", [], {}, {"text": ""}, {"text": " "}, {"text": 3}])
def test_what_is_no_utterance_is_given_up_and_never_asked(data: Any) -> None:
    recognise = Recogniser()
    result = customers(recognise).send("17", "intent.utterance", data)
    assert result.failure is not None
    assert result.failure.code == "TERMINAL"
    assert recognise.batches == []
