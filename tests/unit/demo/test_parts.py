"""The demo's small parts: traffic, kills, the ledger of calls, latencies and outages."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from headgate.demo.calls import Call, CallCounts, count_calls, keep_ledger, read_calls
from headgate.demo.kills import Kill, Killed, KillSpellingError, Victim, parse_kill
from headgate.demo.latency import Outage, outages, percentiles
from headgate.demo.play import AFTER_KILL_SECONDS, Score
from headgate.demo.sgd import AGENT, read_dialogues
from headgate.demo.traffic import interleaved, named
from headgate.sdk import Agent
from headgate.sdk.run import run_inline
from headgate.v1 import agent_pb2 as pb

DIALOGUES = read_dialogues(AGENT.parent / "data")


def test_interleaving_keeps_each_dialogues_order_and_loses_nothing() -> None:
    plain = interleaved(DIALOGUES[:1], seed=1)
    events = interleaved(DIALOGUES, seed=1)
    assert len({event.id for event in events}) == len(events) > len(plain)
    assert [event for event in events if event.key == plain[0].key] == plain
    # Interleaved indeed: not one dialogue after the other.
    changes = sum(a.key != b.key for a, b in pairwise(events))
    assert changes > len(DIALOGUES) * 2


def test_a_seed_tells_the_interleaving() -> None:
    assert interleaved(DIALOGUES, seed=3) == interleaved(DIALOGUES, seed=3)
    assert interleaved(DIALOGUES, seed=3) != interleaved(DIALOGUES, seed=4)


def test_repeated_dialogues_have_names_of_their_own() -> None:
    names = [each["dialogue_id"] for each in named(DIALOGUES, 3, "-a")]
    assert len(set(names)) == 3 * len(DIALOGUES)
    assert all("-a" in name for name in names)


def test_kills_make_the_traffic_last_until_they_are_over() -> None:
    score = Score(DIALOGUES, seed=1, rate=50, kills=[Kill(Victim.WORKER, 5.0)])
    events = interleaved(score.named_dialogues(), seed=1)
    assert len(events) >= 50 * (5.0 + AFTER_KILL_SECONDS)
    assert len(Score(DIALOGUES, seed=1).named_dialogues()) == len(DIALOGUES)
    assert len(Score(DIALOGUES, seed=1, repeat=2).named_dialogues()) == 2 * len(DIALOGUES)


@pytest.mark.parametrize("text", ["worker", "worker@", "worker@5", "nobody@5s", "@5s", ""])
def test_a_kill_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(KillSpellingError, match="KIND@TIME"):
        parse_kill(text)


def test_a_ledger_notes_each_call_once_and_outlives_a_cut(tmp_path: Path) -> None:
    ledger = tmp_path / "calls.jsonl"
    agent = Agent("echo")

    @agent.on("*")
    def answer(turn: object, event: object) -> None:
        assert len(read_calls(ledger)) == 1, "noted before the handler runs, and once for a batch"

    keep_ledger(agent, ledger)
    request = pb.TurnRequest(
        agent_type="echo", key="7", base=b"\x01", idempotency_key="k",
        events=[pb.Event(id="a", type="t"), pb.Event(id="b", type="t")],
    )  # fmt: skip
    assert run_inline(agent, request).HasField("completed")
    with ledger.open("ab") as file:
        file.write(b'{"address": "echo/')  # what a kill leaves of a line
    [call] = read_calls(ledger)
    assert (call.address, call.base, call.idempotency_key) == ("echo/7", "01", "k")


def test_calls_are_told_apart_by_what_the_journal_had() -> None:
    first = Call("a/1", "00", "k", 10_000)
    lost = Call("a/1", "00", "k", 15_000)  # no outcome yet: its answer was lost
    same_millisecond = Call("a/1", "00", "k", 20_999)
    paid = Call("a/1", "00", "k", 21_000)
    other = Call("a/1", "01", "l", 30_000)
    journal = {("a/1", "00"): 20, ("a/1", "01"): 40}
    calls = [first, lost, same_millisecond, paid, other]
    assert count_calls(calls, journal) == CallCounts(calls=5, paid_twice=1, repeated=2)


def test_an_outage_is_the_longest_gap_that_a_kill_caused() -> None:
    # 500 ms long ago; killed at 10,000: a moment more, then 3 s of nothing; later a quiet minute.
    times = [8_000, 8_500, 9_990, 10_010, 13_010, 13_020, 40_000, 100_000]
    killed = [Killed(Victim.WORKER, 5.0, 10_000, 1)]
    assert outages(killed, times[:-2]) == [Outage("worker", 5.0, 3.0)]
    assert outages(killed, times) == [Outage("worker", 5.0, 26.98)], "began within the blamed time"


def test_each_kill_has_its_own_outage() -> None:
    times = [*range(0, 10_000, 10), *range(12_000, 15_000, 10), *range(16_000, 20_000, 10)]
    killed = [Killed(Victim.WORKER, 9.9, 9_995, 1), Killed(Victim.AGENT, 15.0, 14_995, 2)]
    assert outages(killed, times) == [Outage("worker", 9.9, 2.01), Outage("agent", 15.0, 1.01)]


def test_percentiles_of_little() -> None:
    assert percentiles([]).p99 == 0
    assert (percentiles([5]).p50, percentiles([5]).p99) == (5, 5)


def test_the_ledger_is_appended_to_and_never_rewritten(tmp_path: Path) -> None:
    ledger = tmp_path / "calls.jsonl"
    for _ in range(2):  # a service that was killed and started again
        keep_ledger(Agent("echo"), ledger)
        descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, b"x\n")
        os.close(descriptor)
    assert ledger.read_bytes() == b"x\nx\n"
