"""The soak's judge agrees with the demo's, whatever is done to what comes."""

from __future__ import annotations

import doctest
import random
from collections.abc import Hashable
from types import ModuleType
from typing import Any

import pytest

from benchmarks import one_kilobyte, sequences, soak_kills, soak_memory
from benchmarks.sequences import Sequences
from headgate.demo.verify import Published, check_outbox

KEYS, EACH = 4, 30


def outputs_of(arriving: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [
        {"source": f"headgate:{key}", "id": f"{key}/{place}", "causationid": f"{key}/{number}"}
        for place, (key, number) in enumerate(arriving)
    ]


@pytest.mark.parametrize("seed", range(50))
def test_it_finds_what_the_demos_verifier_finds(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chosen faults
    keys = [f"echo/k{number}" for number in range(KEYS)]
    arriving = [(key, number) for number in range(EACH) for key in keys]
    for _ in range(chance.randrange(4)):
        arriving.pop(chance.randrange(len(arriving)))
    for _ in range(chance.randrange(4)):
        arriving.insert(chance.randrange(len(arriving)), chance.choice(arriving))
    for _ in range(chance.randrange(4)):
        arriving.insert(chance.randrange(len(arriving)), arriving.pop(chance.randrange(EACH)))

    seen = Sequences()
    for key, number in arriving:
        seen.see(key, number)
    counts: dict[Hashable, int] = dict.fromkeys(keys, EACH)
    lost = seen.lost(counts)

    published = Published({key: [f"{key}/{n}" for n in range(EACH)] for key in keys})
    found = check_outbox(published, outputs_of(arriving))
    assert lost == sum(each.kind == "lost" for each in found)
    # The demo's names an event that came three times once.
    assert (seen.duplicated > 0) == any(each.kind == "duplicated" for each in found)
    assert seen.duplicated == len(arriving) - len(set(arriving))
    assert seen.reordered == sum(each.kind == "out_of_order" for each in found)
    assert bool(seen.findings) == bool(lost or seen.duplicated or seen.reordered)


def test_what_comes_in_order_leaves_nothing_to_remember() -> None:
    seen = Sequences()
    for number in range(10_000):
        seen.see("a", number)
    assert (seen.count("a"), seen.gaps(), seen.lost({"a": 10_000})) == (10_000, 0, 0)


@pytest.mark.parametrize("module", [one_kilobyte, sequences, soak_kills, soak_memory])
def test_examples_say_what_happens(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)
