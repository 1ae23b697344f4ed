"""Conversations of 100 calls, whose history grows to 200,000 tokens: a call's cost, early and late.

Headgate's is `agents/chat` as it is; beside it Temporal's, written as one would at first, and with
the same window. The model is a local one that costs nothing. What is counted: bytes between the
runtime and the agent or worker, bytes to the model, latency, CPU of all that is not the model.
"""

import asyncio
import os
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import cpu
from benchmarks.figures import spread
from benchmarks.load import Load, Offer
from benchmarks.measure import DRAIN_SECONDS, Result
from benchmarks.options import Options
from benchmarks.scripted_model import ScriptedModel
from benchmarks.stand import ROOT, JobPlan, RunningJob, Stand
from benchmarks.temporal.server import Temporal, install
from benchmarks.temporal.talk import Talks
from benchmarks.wiretap import Wiretap
from headgate.config.agents import PolicyConfig

# As many as agents/chat shows the model, so that no more need travel.
WINDOW = 40
# About 2,000 tokens of English: four characters each.
CHARACTERS = 8_000
# Between two messages of a conversation: longer than an answer takes, as people are.
PAUSE_SECONDS = 0.5
PARTS = 10
PLAN = JobPlan(
    "conversation",
    "chat",
    ROOT / "agents" / "chat" / "agent.py",
    0.0,
    "low-latency",
    policy=PolicyConfig(max_batch=1, log_window=WINDOW),
    arguments=(),
    event_type="chat.message",
)


@dataclass
class Meter:
    """What has been spent and sent between two looks."""

    processes: cpu.Processes
    tap: Wiretap
    model: ScriptedModel
    # Headgate connects to its agent; Temporal's worker connects to the server.
    leads_to_worker: bool
    looks: list[tuple[float, cpu.CpuSample, int, int, int]] = field(default_factory=list)

    def look(self) -> None:
        """Take all the counters down."""
        passed, spent = self.tap.passed(), cpu.sample(self.processes)
        to, back = (
            (passed.there, passed.back) if self.leads_to_worker else (passed.back, passed.there)
        )
        self.looks.append((time.time(), spent, to, back, self.model.taken_bytes))

    def rows(self, who: str, calls: int, took: list[list[float]]) -> list[Result]:
        """Return a row for each part, of which the latencies are given."""
        rows = []
        for part, (before, after) in enumerate(zip(self.looks, self.looks[1:], strict=False)):
            made = max(len(took[part]), 1)
            spent = {name: s * 1000 / made for name, s in after[1].since(before[1]).items()}
            first, last = calls * part // PARTS + 1, calls * (part + 1) // PARTS
            rows.append(
                {
                    "what": f"{who}, calls {first} to {last}",
                    "of": who,
                    "calls": len(took[part]),
                    "latency_ms": spread(took[part]),
                    "kb_to_worker": (after[2] - before[2]) / made / 1e3,
                    "kb_from_worker": (after[3] - before[3]) / made / 1e3,
                    "kb_to_model": (after[4] - before[4]) / made / 1e3,
                    "cpu_ms_per_turn": sum(spent.values()),
                    "cpu_ms_per_turn_by_process": spent,
                    **after[1].surroundings(before[1], after[0] - before[0]),
                    "load_average": os.getloadavg()[0],
                }
            )
        return rows


def run(options: Options) -> list[Result]:
    """Talk to Headgate's agent, then to Temporal's workflows."""
    server = install(options.say)
    with ScriptedModel() as model:
        results = _ours(options, model)
        for window in (WINDOW, 0):
            results += _theirs(options, model, server, window)
    return results


def _ours(options: Options, model: ScriptedModel) -> list[Result]:
    settings = {**os.environ, "CHAT_BASE_URL": model.url, "CHAT_MODEL": "scripted"}
    with (
        Wiretap() as tap,
        Stand(options.home, 1, options.say) as stand,
        stand.job(PLAN, settings, tap.lead) as job,
    ):
        rate = options.conversations / PAUSE_SECONDS
        options.say(f"conversation: warming up for {options.warm_up_seconds:.0f} s")
        _talk(options, job, int(rate * options.warm_up_seconds)).result()
        job.journal.await_quiet(DRAIN_SECONDS)
        options.say(f"conversation: headgate, {options.calls} calls")
        meter = Meter(stand.processes, tap, model, leads_to_worker=True)
        job.journal.mark()
        count = options.conversations * options.calls
        load, first = _talk(options, job, count), time.time()
        meter.look()
        for part in range(1, PARTS + 1):
            # Shortly before the next part's first message, when the last one's answer is there.
            end = first + options.calls * part / PARTS * PAUSE_SECONDS - 0.2 / rate
            time.sleep(max(end - time.time(), 0.0))
            meter.look()
        load.result()
        decided = job.journal.collect(count, DRAIN_SECONDS)
        if sum(len(d.sent_ms) for d in decided if d.completed) != count:
            message = "a conversation was not finished"
            raise RuntimeError(message)
        took: list[list[float]] = [[] for _ in range(PARTS)]
        for each in decided:
            for at in each.sent_ms:
                place = sum(at >= look[0] * 1000 for look in meter.looks[1:])
                took[min(place, PARTS - 1)].append(float(each.appended_ms - at))
        return meter.rows("headgate", options.calls, took)


def _talk(options: Options, job: RunningJob, count: int) -> Load:
    kafka, rate = job.config.kafka, options.conversations / PAUSE_SECONDS
    return Load(
        Offer(
            kafka.bootstrap,
            job.plan.topic,
            kafka.partitions,
            count,
            rate,
            options.conversations,
            f"{uuid.uuid4().hex}-",
            characters=CHARACTERS,
        )
    )


def _theirs(options: Options, model: ScriptedModel, server: Path, window: int) -> list[Result]:
    who = f"temporal, newest {window} messages" if window else "temporal, all messages"
    options.say(f"conversation: {who}, {options.calls} calls")
    settings = {"MODEL_URL": model.url}
    folder = options.home / "temporal"
    took: list[list[float]] = []
    with Wiretap() as tap, Temporal(server, folder, settings, tap.lead) as temporal:
        meter = Meter(temporal.processes, tap, model, leads_to_worker=False)

        def note(answers: list[float]) -> None:
            took.append(answers)
            meter.look()

        def talks(calls: int) -> Talks:
            return Talks(temporal.target, options.conversations, calls, window, PAUSE_SECONDS)

        asyncio.run(talks(PARTS).run(CHARACTERS, 1, lambda _: None))
        meter.look()
        talk = asyncio.run(talks(options.calls).run(CHARACTERS, PARTS, note))
    outcome = {
        "what": f"{who}, in all",
        "ended": talk.ended,
        "history_events": talk.history_events,
        "history_mb": talk.history_bytes / 1e6,
        "failures": list(talk.failures),
    }
    return [*meter.rows(who, options.calls, took), outcome]
