"""Half an hour of steady load while something is killed every 30 s: `make soak`.

At the end: what was lost, duplicated or reordered, whether Redis and the history store agree, how
long each kind of kill stopped the turns, and each process's memory over time.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import report
from benchmarks.alone import one_at_a_time
from benchmarks.figures import spread
from benchmarks.load import Load, Offer, keys_in_turn
from benchmarks.soak_beside import history_differs, redis_differs
from benchmarks.soak_kills import Killing, outages, total
from benchmarks.soak_memory import MemoryOverTime, rows
from benchmarks.soak_watch import Watching
from benchmarks.stand import DEFAULT_HOME, ECHO, SCRIPT, JobPlan, processes_of, to_toml
from benchmarks.zookeeper import ZooKeeper
from headgate.config.redis import RedisConfig
from headgate.kafka.span import Spans
from headgate.local.process import Family
from headgate.local.rest import FlinkUnreachableError
from headgate.local.stack import LocalStack
from headgate.local.submit import submit

RESULTS = DEFAULT_HOME.parents[1] / "benchmarks" / "results"
PLAN = JobPlan("soak", "echo", ECHO, 20.0)
KEYS = 1_000
# One works, one stands by: what is lost of the first is taken over by a warm one.
TASK_MANAGERS = 2
SAY_SECONDS = 10.0
POLL_SECONDS = 0.5
# Nothing new for so long after the last kill: it hangs, and what is missing is lost.
STALL_SECONDS = 180.0
# Duplicates may come after the last event's output: the second checkpoint has begun later.
SETTLING_CHECKPOINTS = 2


class Soak:
    """One soak on a stack of its own."""

    def __init__(self, arguments: argparse.Namespace, say: Callable[[str], None]) -> None:
        self._arguments = arguments
        self._say = say
        self._home: Path = arguments.home.resolve() / "soak"
        self._open = ExitStack()

    def run(self) -> dict[str, Any]:
        """Run it and return what came of it."""
        with self._open:
            self._start()
            return self._soak()

    def _start(self) -> None:
        opening = self._open
        family = opening.enter_context(Family())
        keeper = ZooKeeper(family, self._home / "zookeeper")
        settings = keeper.flink_settings(self._home / "ha")
        self.stack = LocalStack(
            self._home / "stack", TASK_MANAGERS, flink_settings=settings, say=self._say
        )
        self.stack.home.mkdir(parents=True, exist_ok=True)
        self.stack.erase()
        keeper.erase()
        shutil.rmtree(self._home / "ha", ignore_errors=True)
        keeper.start()
        opening.enter_context(self.stack)
        endpoint = self.stack.agents.start("echo", ECHO, ("--delay-ms", str(PLAN.delay_ms)))
        made = PLAN.config(self.stack.kafka.bootstrap, endpoint)
        redis = self.stack.start_redis()
        settings_of_redis = RedisConfig(
            url=redis.url, keep_entries=10_000, past=timedelta(seconds=10)
        )
        self.config = made.model_copy(update={"redis": settings_of_redis})
        file = self.stack.home / "soak.toml"
        file.write_text(to_toml(self.config), encoding="utf-8")
        self.job = submit(self.stack.flink, SCRIPT, ["--config", str(file)])
        self.stack.flink.rest.await_running(self.job)
        self.history = self.stack.start_history(file)
        self.stack.start_redis_service("feed", file)
        self.watching = Watching(self.config, KEYS)
        opening.callback(self.watching.close)

    def _soak(self) -> dict[str, Any]:
        count = int(self._arguments.minutes * 60 * self._arguments.rate)
        kafka = self.config.kafka
        memory = MemoryOverTime(self._processes)
        killing = Killing(self.stack, self._arguments.every, self._say)
        offer = Offer(
            kafka.bootstrap, PLAN.topic, kafka.partitions, count, self._arguments.rate, KEYS
        )
        began = time.monotonic()
        load = Load(offer)
        memory.start()
        killing.start()
        try:
            until = began + self._arguments.minutes * 60
            while time.monotonic() < until:
                killing.check()
                self._progress(began, count)
                time.sleep(min(SAY_SECONDS, max(0.0, until - time.monotonic())))
        finally:
            killing.stop()
            memory.stop()
        sent = load.result()
        problem = self._await_through(began, count)
        seconds = time.monotonic() - began
        if not problem:
            self._settle()
        found = self._judge(count, killing, memory)
        if problem:
            found["findings"].insert(0, problem)
        what = f"{seconds / 60:.1f} min, {self._arguments.rate:g}/s"
        found["verdict"] = {"what": what, **found["verdict"], "late_ms_p99": sent.late_ms_p99}
        return found

    def _judge(self, count: int, killing: Killing, memory: MemoryOverTime) -> dict[str, Any]:
        watching = self.watching
        lost = watching.outputs.lost(self._counts(count))
        not_taken = watching.taken.lost(self._ends())
        kills = outages(killing.struck, sorted(watching.decided_ms))
        addresses = map(str, self._counts(count))
        ends = {a: (watching.turns.count(a), watching.outputs.count(a)) for a in addresses}
        self._say("comparing Redis and the history store with the outbox")
        self.history.await_serving()
        verdict = {
            "events": count,
            "turns": watching.turns.arrived(),
            "kills": total(kills),
            "lost": lost,
            "not_taken": not_taken,
            "duplicated": watching.duplicated,
            "reordered": watching.reordered,
            "wrong_states": len(watching.wrong_states),
            "dead_letters": watching.letters,
            "redis_differs": asyncio.run(redis_differs(self.config.redis, ends)),
            "history_differs": history_differs(self.history.endpoint, ends),
            "latency_ms": spread(list(map(float, watching.latency_ms))),
            "load_average": os.getloadavg()[0],
        }
        return {
            "verdict": verdict,
            "findings": watching.findings,
            "kills": kills,
            "memory": rows(memory.samples),
            "memory_samples": memory.samples,
        }

    def _counts(self, count: int) -> dict[Any, int]:
        """Return how many events each instance was sent."""
        keys = keys_in_turn(KEYS, "k")
        return {f"echo/{key}": len(range(n, count, KEYS)) for n, key in enumerate(keys)}

    def _ends(self) -> dict[Any, int]:
        with Spans(self.config.kafka.bootstrap, is_read_committed=False) as spans:
            return {
                number: spans.end(PLAN.topic, number)
                for number in range(self.config.kafka.partitions)
            }

    def _await_through(self, began: float, count: int) -> str:
        watching = self.watching
        spoke = 0.0
        while watching.outputs.arrived() < count or watching.taken.arrived() < count:
            if time.monotonic() - watching.moved > STALL_SECONDS:
                return f"nothing has come for {STALL_SECONDS:.0f} s"
            if time.monotonic() - spoke > SAY_SECONDS:
                spoke = time.monotonic()
                self._progress(began, count)
            time.sleep(POLL_SECONDS)
        return ""

    def _settle(self) -> None:
        first = None
        deadline = time.monotonic() + STALL_SECONDS
        while time.monotonic() < deadline:
            try:
                counts = self.stack.flink.rest.checkpoints(self.job)["counts"]
            except FlinkUnreachableError:
                time.sleep(POLL_SECONDS)
                continue
            now = int(counts["completed"])
            first = now if first is None else first
            if now >= first + SETTLING_CHECKPOINTS:
                return
            time.sleep(POLL_SECONDS)

    def _progress(self, began: float, count: int) -> None:
        watching = self.watching
        due = min(count, int((time.monotonic() - began) * self._arguments.rate))
        self._say(
            f"{due:,} of {count:,} sent, {watching.outputs.arrived():,} answered; "
            f"{watching.duplicated} duplicated, {watching.reordered} reordered, "
            f"{watching.outputs.gaps()} gaps"
        )

    def _processes(self) -> dict[str, list[int]]:
        beside = self.stack.beside.pids().items()
        return {
            **processes_of(self.stack),
            **{name: [] if pid is None else [pid] for name, pid in beside},
            "this program": [os.getpid()],
        }


def main() -> int:
    """Soak, print tables, write JSON; the exit code is 1 if anything was wrong."""
    arguments = _parser().parse_args()
    console = Console(stderr=True)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(
            f"[dim]{time.monotonic() - started:6.0f} s[/]  {text}", highlight=False, soft_wrap=True
        )

    with one_at_a_time(arguments.home.resolve()):
        found = {"conditions": report.conditions(), **Soak(arguments, say).run()}
    report.write(arguments.file, found)
    answers = Console(file=sys.stderr if arguments.output == "json" else sys.stdout, width=200)
    report.show(answers, "verdict", [found["verdict"]])
    report.show(answers, "kills", found["kills"])
    report.show(answers, "resident memory", found["memory"])
    for finding in found["findings"]:
        answers.print(finding, highlight=False, style="red")
    if arguments.output == "json":
        print(json.dumps(report.finite(found), indent=2))
    say(f"written to {arguments.file}")
    return 0 if is_sound(found) else 1


def is_sound(found: dict[str, Any]) -> bool:
    """Tell whether nothing is wrong."""
    verdict = found["verdict"]
    wrong = ("lost", "not_taken", "duplicated", "reordered", "wrong_states", "dead_letters")
    return not found["findings"] and not any(
        verdict[name] for name in (*wrong, "redis_differs", "history_differs")
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=500.0, help="events/s")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two kills")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME)
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--file", type=Path, default=RESULTS / f"soak-{stamp}.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
