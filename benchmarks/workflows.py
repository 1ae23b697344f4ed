"""Durable workflows of Headgate, Restate and Temporal, in turns (A B C A B C), with ratios.

Same work: 3 or 9 steps one after the other, each of which waits 20 ms and is kept before the next
begins. While one is measured the others are up and idle; what they use then is in its result.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import client_load, cpu
from benchmarks.figures import median
from benchmarks.ladder import CALL_MS
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.restate.install import install as install_restate
from benchmarks.restate.server import Restate
from benchmarks.stand import ROOT, JobPlan, Profile, RunningJob, Stand
from benchmarks.temporal.server import Temporal
from benchmarks.temporal.server import install as install_temporal
from benchmarks.workflow_load import backlog, open_loop

STEPS = (3, 9)
SCRIPT = ROOT / "benchmarks" / "n_steps.py"
# Of --seconds: each round has ten windows.
SHARE = 1 / 6
# A backlog's workflows have, with as many steps as there may be, a third of the bench's events.
BACKLOG_SHARE = 1 / 3
OPEN_CONNECTIONS = 256
PERCENTILES = ("p50", "p99")
COMPARED = {
    "workflows/s": ("saturation", "workflows_per_second"),
    "CPU-ms per step": ("saturation", "cpu_ms_per_step"),
    "p50": ("open", "p50"),
    "p99": ("open", "p99"),
}


@dataclass(frozen=True)
class Peer:
    """Another system: the command of its load, its processes, and how many of its clients' requests
    under way are tried at saturation; the best is compared.
    """

    name: str
    command: list[str]
    processes: cpu.Processes
    concurrency: tuple[int, ...]

    def load(self, steps: int, concurrency: int, rate: float = 0.0) -> list[str]:
        """Return the command of a load; rate 0 is a closed loop."""
        wanted = ["--steps", str(steps), "--concurrency", str(concurrency), "--rate", str(rate)]
        return [*self.command, *wanted]


@dataclass(frozen=True)
class Field:
    """All that take part."""

    stand: Stand
    peers: tuple[Peer, ...]
    options: Options

    def measure(self, peer: Peer, steps: int, concurrency: int, rate: float = 0.0) -> Result:
        """Measure a peer while the others are idle."""

        def idle() -> dict[str, list[int]]:
            others = [self.stand.processes, *(p.processes for p in self.peers if p is not peer)]
            return {f"{n} {k}": pids for n, each in enumerate(others) for k, pids in each().items()}

        seconds = self.options.seconds * SHARE
        command = peer.load(steps, concurrency, rate)
        found = client_load.measure(command, seconds, peer.processes, idle)
        rates = {"workflows_per_second": found.work / found.seconds}
        return {**rates, **found.result("step", found.work * steps)}


def run(options: Options) -> list[Result]:
    """Measure saturation, then latencies at a rate that all three hold."""
    folder = options.home / "peer"
    installed, server = install_restate(folder, options.say), install_temporal(options.say)
    results: list[Result] = []
    delay = {"DELAY_MS": str(CALL_MS)}
    with (
        Stand(options.home, 1, options.say) as stand,
        Restate(installed, folder, CALL_MS, options.peer_workers) as restate,
        Temporal(server, options.home / "temporal", delay) as temporal,
    ):
        python = [sys.executable, "-m"]
        port = ["--port", str(restate.ingress_port)]
        peers = (
            Peer(
                "restate",
                [*python, "benchmarks.restate.client", *port],
                restate.processes,
                (256,),
            ),
            Peer(
                "temporal",
                [*python, "benchmarks.temporal.client", "--target", temporal.target],
                temporal.processes,
                (64,),
            ),
        )
        field = Field(stand, peers, options)
        with stand.job(_plan("workflows", "balanced")) as job:
            _warm_up(field, job, options.warm_up_seconds)
            for number in range(options.repeats):
                options.say(f"workflows: saturation, round {number + 1} of {options.repeats}")
                results += _saturation(field, job)
        with stand.job(_plan("workflows-low", "low-latency")) as job:
            _warm_up(field, job, options.warm_up_seconds / 3)
            for number in range(options.repeats):
                options.say(f"workflows: latency, round {number + 1} of {options.repeats}")
                results += _latency(field, job)
    return results + list(_ratios(results))


def _plan(label: str, profile: Profile) -> JobPlan:
    return JobPlan(label, "n-steps", SCRIPT, CALL_MS, profile)


def _warm_up(field: Field, job: RunningJob, seconds: float) -> None:
    if seconds <= 0:
        return
    field.options.say(f"warming up: {seconds:.0f} s, and a quarter of that for each peer")
    open_loop(field.stand, job, 100.0, seconds, STEPS[0])
    for peer in field.peers:
        command = peer.load(STEPS[0], peer.concurrency[0])
        client_load.finish(client_load.start(command, seconds / 4))


def _saturation(field: Field, job: RunningJob) -> Iterator[Result]:
    for steps in STEPS:
        count = int(field.options.backlog * BACKLOG_SHARE / steps)
        what = {"steps": steps, "kind": "saturation"}
        ours = backlog(field.stand, job, count, steps)
        yield {"what": f"headgate {steps} steps, backlog", "of": "headgate", **what, **ours}
        for peer in field.peers:
            for concurrency in peer.concurrency:
                theirs = field.measure(peer, steps, concurrency)
                name = f"{peer.name} {steps} steps, c={concurrency}"
                yield {"what": name, "of": peer.name, "c": concurrency, **what, **theirs}


def _latency(field: Field, job: RunningJob) -> Iterator[Result]:
    rate, seconds = field.options.workflow_rate, field.options.seconds * SHARE
    for steps in STEPS:
        what = {"steps": steps, "kind": "open"}
        title = f"{steps} steps, {rate:g}/s"
        ours = open_loop(field.stand, job, rate, seconds, steps)
        yield {"what": f"headgate {title}", "of": "headgate", **what, **ours}
        for peer in field.peers:
            theirs = field.measure(peer, steps, OPEN_CONNECTIONS, rate)
            yield {"what": f"{peer.name} {title}", "of": peer.name, **what, **theirs}


def _ratios(results: list[Result]) -> Iterator[Result]:
    """Compare medians over the rounds; at saturation with the peer's best number under way."""
    for steps in STEPS:
        for name, (kind, figure) in COMPARED.items():
            found: dict[tuple[str, int], list[Result]] = {}
            for each in results:
                if (each["steps"], each["kind"]) == (steps, kind):
                    found.setdefault((each["of"], each.get("c", 0)), []).append(each)
            ours = _middle(found.pop(("headgate", 0)), figure)
            for peer in sorted({of for of, _ in found}):
                runs = max(
                    (rows for (of, _), rows in found.items() if of == peer),
                    key=lambda rows: _middle(rows, "workflows_per_second"),
                )
                what = f"ratio headgate / {peer}, {steps} steps: {name}"
                yield {"what": what, "ratio": ours / _middle(runs, figure)}


def _middle(rows: list[Result], figure: str) -> float:
    return median(
        [row["latency_ms"][figure] if figure in PERCENTILES else row[figure] for row in rows]
    )
