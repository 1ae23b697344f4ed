"""One run: publish, kill on schedule, wait until all is through, gather evidence, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headgate.demo import evidence, latency
from headgate.demo.calls import count_calls, read_calls
from headgate.demo.follow import Follower
from headgate.demo.kills import Executioner, Kill, Killed
from headgate.demo.report import Report
from headgate.demo.sgd import (
    Dialogue,
    gold_states,
    joint_goal_accuracy,
    predicted_state,
    run_sequentially,
)
from headgate.demo.stage import AGENT_NAME, TOPIC, Stage
from headgate.demo.states import Expected, check_states
from headgate.demo.traffic import DemoEvent, Traffic, interleaved, named
from headgate.demo.verify import Finding, Outbox, Published, check_history, check_outbox
from headgate.demo.warmup import warm_up
from headgate.errors import HeadgateError

POLL_SECONDS = 0.2
WARM_UP_DIALOGUES = 8  # enough keys for every subtask to have been asked
FOLLOWER_SECONDS = 30.0
# Nothing at all has come out for so long: it hangs. A failover of a cold TaskManager on a busy
# machine takes half a minute, a restart of Kafka ten seconds.
STALL_SECONDS = 120.0
# Duplicates may come after the last event's output: what is in flight ends with the next
# checkpoint, and the one after it has certainly begun later.
SETTLING_CHECKPOINTS = 2
# Traffic goes on for so long after the last kill, or its outage would have nothing to show.
AFTER_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Score:
    """What to play. `run` tells several runs on one stage apart: it ends each dialogue's name."""

    dialogues: Sequence[Dialogue]
    seed: int
    rate: float = 50.0
    kills: Sequence[Kill] = ()
    repeat: int | None = None
    run: str = ""

    def named_dialogues(self) -> list[Dialogue]:
        """The dialogues, as often as asked for, else as often as the kills need traffic."""
        return named(self.dialogues, self.repeat or self._needed(), self.run)

    def _needed(self) -> int:
        if not self.kills:
            return 1
        seconds = max(kill.at_seconds for kill in self.kills) + AFTER_KILL_SECONDS
        once = sum(turn["speaker"] == "USER" for d in self.dialogues for turn in d["turns"])
        return max(1, -int(-seconds * self.rate // max(1, once)))


@dataclass(slots=True)
class _Run:
    events: list[DemoEvent]
    say: Callable[[str], None]
    progress: Callable[[int, int], None]
    killed: list[Killed] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""


def play(
    stage: Stage,
    score: Score,
    *,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """Play a score on a stage that runs, and judge what came of it."""
    dialogues = score.named_dialogues()
    names = stage.config.topic_names
    run = _Run(interleaved(dialogues, score.seed), say, progress)
    bootstrap = stage.config.kafka.bootstrap
    follower = Follower(bootstrap, names.outbox, names.history, names.dead_letters)
    try:
        follower.await_ready(FOLLOWER_SECONDS)
        warm_up(stage, score.dialogues[:WARM_UP_DIALOGUES], follower)
        say(f"publishing {len(run.events)} events at {score.rate:g} a second, seed {score.seed}")
        _perform(stage, score, run, follower)
    finally:
        follower.stop()
    say("comparing with a plain run of the same agent")
    return _judge(stage, score, run, dialogues, follower)


def _perform(stage: Stage, score: Score, run: _Run, follower: Follower) -> None:
    traffic = Traffic(stage.config.kafka.bootstrap, TOPIC, run.events, score.rate)
    executioner = Executioner(stage.stack, AGENT_NAME, score.kills, run.say)
    began = time.monotonic()
    traffic.start()
    executioner.start()
    try:
        wanted = {event.id for event in run.events}
        seen, moved = None, time.monotonic()
        while True:
            through = follower.through(wanted)
            run.progress(through, len(wanted))
            traffic.check()
            if traffic.is_done and executioner.is_done and through == len(wanted):
                break
            state = (traffic.sent, follower.records, len(executioner.done))
            if state != seen:
                seen, moved = state, time.monotonic()
            elif time.monotonic() - moved > STALL_SECONDS:
                run.problem = _stalled(stage, len(wanted) - through)
                break
            time.sleep(POLL_SECONDS)
        if not run.problem:
            traffic.finish()
            run.seconds = time.monotonic() - began
            run.killed = executioner.finish()
            _settle(stage)
    finally:
        executioner.stop()
        run.killed = executioner.done


def _settle(stage: Stage) -> None:
    rest = stage.stack.flink.rest
    first, moved = _completed(stage), time.monotonic()
    while (now := _completed(stage)) < first + SETTLING_CHECKPOINTS:
        if time.monotonic() - moved > STALL_SECONDS:
            message = f"the job completes no checkpoint any more; it is {rest.state(stage.job)}"
            raise HeadgateError(message)
        first = min(first, now)  # a restarted JobManager counts anew
        time.sleep(POLL_SECONDS)


def _completed(stage: Stage) -> int:
    return int(stage.stack.flink.rest.checkpoints(stage.job)["counts"]["completed"])


def _stalled(stage: Stage, missing: int) -> str:
    rest = stage.stack.flink.rest
    causes = rest.exceptions(stage.job)
    cause = f": {causes[0].strip()[:1500]}" if causes else ""
    return (
        f"{missing} events are not through and nothing has moved for {STALL_SECONDS:.0f} s; the "
        f"job is {rest.state(stage.job)}{cause}"
    )


def _judge(
    stage: Stage, score: Score, run: _Run, dialogues: Sequence[Dialogue], follower: Follower
) -> Report:
    order: dict[str, list[str]] = {}
    for event in run.events:
        order.setdefault(f"{AGENT_NAME}/{event.key}", []).append(event.id)
    published = Published(order)
    history = evidence.read_history(stage.config, order)
    outbox = evidence.read_outbox(stage.config, order)
    journal = evidence.read_journal(stage.config, order)
    letters = evidence.read_dead_letters(stage.config, {event.id for event in run.events})
    expected: Expected = {
        f"{AGENT_NAME}/{key}": [(f"{key}/{turn.turn_index}", turn) for turn in turns]
        for key, turns in run_sequentially(dialogues, stage.schema).items()
    }
    states = check_states(expected, history, outbox)
    delivery = [*check_history(published, history), *check_outbox(published, outbox)]
    unsound = {(f.address, f.event) for f in delivery if f.kind in {"lost", "duplicated"}}
    answered = latency.to_outbox(history, follower.answered_ms)
    calls = [call for call in read_calls(stage.ledger) if call.address in order]
    return Report(
        seed=score.seed,
        dialogues=len(dialogues),
        events=published.count,
        turns=sum(record.outcome.WhichOneof("verdict") == "completed" for record in history),
        exactly_once=sum(
            (address, event) not in unsound for address, ids in order.items() for event in ids
        ),
        states=states,
        joint_goal_accuracy=_accuracy(dialogues, outbox),
        calls=count_calls(calls, journal.first_ms),
        journal=latency.percentiles(list(latency.to_journal(history).values())),
        outbox=latency.percentiles(list(answered.values())),
        outages=latency.outages(run.killed, journal.outcomes_ms),
        dead_letters=len(letters),
        seconds=run.seconds,
        findings=_sorted([*delivery, *states.findings]),
        problem=run.problem,
    )


def _accuracy(dialogues: Sequence[Dialogue], outbox: Sequence[Outbox]) -> float:
    told = {str(each.get("causationid", "")): each["data"] for each in outbox if "data" in each}
    wanted = [
        (f"{dialogue['dialogue_id']}/{index}", gold)
        for dialogue in dialogues
        for index, gold in zip(
            (n for n, turn in enumerate(dialogue["turns"]) if turn["speaker"] == "USER"),
            gold_states(dialogue),
            strict=True,
        )
    ]
    predicted = [predicted_state(told[name]) if name in told else {} for name, _ in wanted]
    return joint_goal_accuracy(predicted, [gold for _, gold in wanted])


def _sorted(findings: Sequence[Finding]) -> list[Finding]:
    kinds = ("lost", "duplicated", "out_of_order", "state")
    return sorted(findings, key=lambda f: (kinds.index(f.kind), f.address, f.event))
