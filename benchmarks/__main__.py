"""The command line: `python -m benchmarks ladder hot-key`, or `make bench ARGS="..."`."""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import report
from benchmarks.alone import one_at_a_time
from benchmarks.options import Options
from benchmarks.stand import DEFAULT_HOME, ROOT

Scenario = Callable[[Options], list[dict[str, Any]]]

RESULTS = ROOT / "benchmarks" / "results"
RATES = "200,500,1000,2000,3000,4000"


# In the order in which `all` runs them; module names are theirs with underscores.
SCENARIOS = ("ladder", "hot-key", "in-flight", "outages", "bad-neighbours", "peer")
WORKFLOWS = ("workflows", "sleepers", "conversation")
TOOLS = (
    "profile",
    "micro",
    "core",
    "parked",
    "past",
    "redis-feed",
    "ledger",
    "comings",
    "against",
    "features",
    "instructions",
    "million",
)
LIVES = ("upgrades", "rescales", "standby")


def scenario(name: str) -> Scenario:
    """Return what runs the scenario of that name."""
    run: Scenario = importlib.import_module(f"benchmarks.{name.replace('-', '_')}").run
    return run


def main() -> int:
    """Run what was asked for, one after the other; print tables, write JSON."""
    arguments = _parser().parse_args()
    names = list(arguments.scenario)
    if "all" in names:
        names = [name for name in SCENARIOS if name not in {"peer", "bad-neighbours"}]
    if arguments.peer and "peer" not in names:
        names.append("peer")
    console = Console(stderr=True)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.0f} s[/]  {text}", highlight=False)

    options = Options(
        home=arguments.home.resolve(),
        seconds=arguments.seconds,
        warm_up_seconds=arguments.warm_up,
        rates=tuple(sorted(float(rate) for rate in arguments.rates.split(","))),
        backlog=arguments.backlog,
        repeats=arguments.repeats,
        peer=arguments.peer or "restate",
        peer_workers=arguments.peer_workers,
        workflow_rate=arguments.workflow_rate,
        sleepers=arguments.sleepers,
        instances=arguments.instances,
        conversations=arguments.conversations,
        calls=arguments.calls,
        against=arguments.against,
        say=say,
    )
    run: dict[str, Any] = {"conditions": report.conditions(), "results": {}}
    answers = Console(file=sys.stderr if arguments.output == "json" else sys.stdout, width=240)
    with one_at_a_time(options.home):
        for name in names:
            results = scenario(name)(options)
            run["results"][name] = results
            report.show(answers, name, results)
            report.write(arguments.file, run)
    if arguments.output == "json":
        print(json.dumps(report.finite(run), indent=2))
    say(f"written to {arguments.file}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    known = [*SCENARIOS, *WORKFLOWS, *LIVES, *TOOLS, "all"]
    parser.add_argument("scenario", nargs="*", default=["all"], choices=known)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each open-loop step")
    parser.add_argument(
        "--warm-up", type=float, default=60.0, help="seconds under load, unmeasured"
    )
    parser.add_argument("--rates", default=RATES, help="events/s, with commas")
    parser.add_argument("--backlog", type=int, default=60_000, help="events sent at once")
    parser.add_argument("--repeats", type=int, default=3, help="of each kill, and of A B pairs")
    parser.add_argument("--peer", choices=["restate"], help="compare with it too")
    parser.add_argument("--peer-workers", type=int, default=1, help="processes of its agent")
    parser.add_argument("--workflow-rate", type=float, default=5.0, help="workflows/s, open loop")
    parser.add_argument("--sleepers", type=int, default=100_000, help="workflows asleep")
    parser.add_argument("--instances", type=int, default=1_000_000, help="of 1 KB, in `million`")
    parser.add_argument("--conversations", type=int, default=10, help="side by side")
    parser.add_argument("--calls", type=int, default=100, help="of the model, in a conversation")
    parser.add_argument(
        "--against", type=Path, help="another checkout, for `against` and `instructions`"
    )
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME)
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--file", type=Path, default=RESULTS / f"{stamp}.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
