"""Dialogues through the job while TaskManager, worker, Kafka, the history service, Redis and its
feeder are killed: as of every turn of every dialogue the history answers what a plain run has,
every snapshot is what a fold of all turns makes, and Redis has the last. On the real slice where it
is here, else on our own dialogues.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import pytest

from headgate.core.identity import address_of
from headgate.demo.kills import Kill, Victim
from headgate.demo.play import Score, play
from headgate.demo.sgd import run_sequentially
from headgate.demo.stage import AGENT_NAME, Stage
from headgate.history.client import HistoryClient
from headgate.local.redis import NoRedisServerError, program
from headgate.sdk.testing import Stored
from headgate.testing.folding import stored_of
from headgate.v1.agent_pb2 import State
from headgate.v1.turn_pb2 import HistoryRecord
from headgate.view import View
from tests.integration.dialogues import DATA, DIALOGUES, RATE

pytestmark = [pytest.mark.flink, pytest.mark.chaos, pytest.mark.slow]

SNAPSHOTS = 100
KILL_EACH_SECONDS = 4.0
CLOSED_SECONDS = 60.0


class Mortal(Protocol):
    def kill(self) -> int | None: ...


@contextmanager
def killed_again_and_again(*services: Mortal) -> Iterator[None]:
    """Kill a service every few seconds; each has been killed at least once at the end."""
    ended = threading.Event()

    def run() -> None:
        for service in itertools.cycle(services):
            if ended.wait(KILL_EACH_SECONDS / len(services)):
                return
            service.kill()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for service in services:
            service.kill()


def parsed(values: Mapping[str, bytes], logs: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {name: json.loads(raw) for name, raw in values.items()}
    shown |= {name: [json.loads(item) for item in items] for name, items in logs.items() if items}
    return shown


def of_state(state: State) -> dict[str, Any]:
    return parsed(state.values, {name: log.items for name, log in state.logs.items()})


def of_stored(stored: Stored) -> dict[str, Any]:
    return parsed(stored.values, stored.logs)


def test_as_of_every_turn_it_is_the_plain_run(stage: Stage) -> None:
    score = Score(
        DIALOGUES,
        seed=11,
        rate=RATE,
        run="-history",
        kills=(Kill(Victim.WORKER, 1.0), Kill(Victim.TASKMANAGER, 3.0), Kill(Victim.KAFKA, 6.0)),
    )
    dialogues = score.named_dialogues()
    plain = {
        f"{key}/{turn.turn_index}": turn.stored
        for key, turns in run_sequentially(dialogues, DATA / "schema.json").items()
        for turn in turns
    }
    addresses = [address_of(AGENT_NAME, each["dialogue_id"]) for each in dialogues]
    service = stage.stack.start_history(stage.config_path)
    redis = [*redis_of(stage)]
    with killed_again_and_again(service, *redis):
        report = play(stage, score)
        assert report.complaints() == []
    service.await_serving()
    with HistoryClient(service.endpoint) as asked:
        last_us = await_closed(asked, addresses, set(plain))
        asked_turns = {each: asked.state(each).turn for each in addresses}
        seen = as_of_turns(asked, addresses, plain)
        # What a turn took before its last event has its state in between, which no turn ends.
        assert {address_of(AGENT_NAME, event.rpartition("/")[0]) for event in seen} == {*addresses}
        assert_snapshots(asked, addresses, last_us)
    if redis:
        asyncio.run(assert_in_redis(stage, asked_turns, plain))


def redis_of(stage: Stage) -> Iterator[Mortal]:
    """A Redis that is fed, where one is installed."""
    try:
        program()
    except NoRedisServerError:
        return
    yield stage.stack.start_redis()
    yield stage.stack.start_redis_service("feed", stage.config_path)


async def assert_in_redis(
    stage: Stage, turns: Mapping[str, int], plain: Mapping[str, Stored]
) -> None:
    """Redis has the last turn of each dialogue, and what it left."""
    last: dict[str, Stored] = {}
    for event, stored in plain.items():
        last[address_of(AGENT_NAME, event.rpartition("/")[0])] = stored
    async with View(stage.stack.start_redis().url) as view:
        for address, turn in turns.items():
            seen = await view.get(address, at_least=turn, wait_seconds=CLOSED_SECONDS)
            assert seen.turn == turn
            assert parsed(seen.values, seen.lists) == of_stored(last[address])


def await_closed(asked: HistoryClient, addresses: list[str], events: set[str]) -> int:
    """Wait until the last turn is in the store and closed; return its time."""
    # The job has settled: all that was sent is in turns of before now.
    now_us = time.time_ns() // 1_000
    next(asked.snapshot(at_us=now_us, wait_seconds=CLOSED_SECONDS))
    taken: set[str] = set()
    last_us = 0
    for address in addresses:
        for turn in asked.turns(address):
            taken |= {ref.id for ref in turn.record.outcome.taken}
            last_us = max(last_us, turn.record.at_us)
    assert taken == events
    return last_us


def as_of_turns(
    asked: HistoryClient, addresses: list[str], plain: Mapping[str, Stored]
) -> set[str]:
    """Compare the state as of each turn; return the events that ended one."""
    seen: set[str] = set()
    for address in addresses:
        for told in asked.turns(address):
            outcome = told.record.outcome
            if not outcome.taken:
                continue
            event = outcome.taken[-1].id
            expected = of_stored(plain[event])
            assert of_state(asked.state(address, turn=outcome.turn).state) == expected
            assert of_state(asked.state(address, at_us=told.record.at_us).state) == expected
            seen.add(event)
    return seen


def assert_snapshots(asked: HistoryClient, addresses: list[str], last_us: int) -> None:
    """Compare snapshots at random moments with a fold of all turns until then."""
    histories: dict[str, list[HistoryRecord]] = {
        address: [turn.record for turn in asked.turns(address)] for address in addresses
    }
    first_us = min(turn.at_us for turns in histories.values() for turn in turns)
    chance = random.Random(5)  # noqa: S311 - moments
    for _ in range(SNAPSHOTS):
        at_us = chance.randrange(first_us, last_us + 1)
        found = {
            address_of(each.agent_type, each.key): of_state(each.state)
            for each in asked.snapshot(at_us=at_us)
        }
        expected = {}
        for address, turns in histories.items():
            until = [turn for turn in turns if turn.at_us <= at_us]
            if until:
                expected[address] = of_stored(stored_of(until))
        # The warm-up's dialogues are there as well.
        assert {address: found[address] for address in expected} == expected
        assert not found.keys() & (histories.keys() - expected.keys())
