"""Headgate and Restate on the same work, in turns (A B A B), in the same run, with ratios.

Same work: 20 ms of waiting, then a state update, over 5,000 keys, durable before the answer counts.
While one is measured the other is up and idle; what it uses then is in its result.
"""

import sys
import time
from typing import Any

from benchmarks import client_load, cpu
from benchmarks.figures import median
from benchmarks.ladder import CALL_MS, KEYS, LOW_LATENCY_RATE, plan
from benchmarks.measure import Result, backlog, open_loop, warm_up
from benchmarks.options import Options
from benchmarks.restate.install import install
from benchmarks.restate.server import Restate
from benchmarks.stand import RunningJob, Stand

CLOSED = (64, 256)
OPEN_RATE = 500.0
OPEN_CONNECTIONS = 256


def run(options: Options) -> list[Result]:
    """Measure saturation and the latency at 500/s of both, interleaved."""
    folder = options.home / "peer"
    installed = install(folder, options.say)
    results: list[Result] = []
    with (
        Stand(options.home, 1, options.say) as stand,
        Restate(installed, folder, CALL_MS, options.peer_workers) as restate,
    ):
        with stand.job(plan("peer", 0)) as job:
            warm_up(stand, job, 1_000, options.warm_up_seconds, KEYS)
            _load(restate, options.warm_up_seconds / 3, CLOSED[0])
            for number in range(options.repeats):
                options.say(f"peer: saturation, round {number + 1} of {options.repeats}")
                results += _saturation(stand, job, restate, options)
        with stand.job(plan("peer-low", OPEN_RATE)) as job:
            warm_up(stand, job, OPEN_RATE, options.warm_up_seconds / 3, KEYS)
            for number in range(options.repeats):
                options.say(f"peer: {OPEN_RATE:.0f}/s, round {number + 1} of {options.repeats}")
                results += _latency(stand, job, restate, options)
    return results + _ratios(results)


def _saturation(stand: Stand, job: RunningJob, restate: Restate, options: Options) -> list[Result]:
    idle = cpu.sample(restate.processes)
    began = time.monotonic()
    ours = backlog(stand, job, options.backlog, KEYS)
    other = _idle(cpu.sample(restate.processes).since(idle), began)
    results: list[Result] = [{"what": "headgate saturation", **ours, "idle_peer_cores": other}]
    for concurrency in CLOSED:
        found = _measure(stand, restate, options.seconds, concurrency)
        results.append({"what": f"restate c={concurrency}", **found})
    return results


def _latency(stand: Stand, job: RunningJob, restate: Restate, options: Options) -> list[Result]:
    ours = open_loop(stand, job, OPEN_RATE, options.seconds, KEYS)
    theirs = _measure(stand, restate, options.seconds, OPEN_CONNECTIONS, OPEN_RATE)
    name = f"{LOW_LATENCY_RATE}/s"
    return [{"what": f"headgate {name}", **ours}, {"what": f"restate {name}", **theirs}]


def _measure(
    stand: Stand, restate: Restate, seconds: float, concurrency: int, rate: float = 0.0
) -> Result:
    command = _command(restate, concurrency, rate)
    found = client_load.measure(command, seconds, restate.processes, stand.processes)
    return {"concurrency": concurrency, **found.result("turn", found.count)}


def _idle(spent: dict[str, float], since: float) -> float:
    return sum(spent.values()) / max(time.monotonic() - since, 0.001)


def _load(restate: Restate, seconds: float, concurrency: int) -> None:
    if seconds > 0:
        client_load.finish(client_load.start(_command(restate, concurrency, 0.0), seconds))


def _command(restate: Restate, concurrency: int, rate: float) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.restate.client"]
    command += ["--port", str(restate.ingress_port), "--concurrency", str(concurrency)]
    return [*command, "--rate", str(rate), "--keys", str(KEYS)]


def _ratios(results: list[Result]) -> list[Result]:
    """Compare medians over the rounds; with the peer's best saturation."""

    def middle(what: str, *path: str) -> float:
        values = []
        for result in results:
            if result["what"] == what:
                value: Any = result
                for name in path:
                    value = value[name]
                values.append(value)
        return median(values)

    best = max(CLOSED, key=lambda c: middle(f"restate c={c}", "turns_per_second"))
    peer = f"restate c={best}"
    name = f"{LOW_LATENCY_RATE}/s"
    ratios = {
        "turns/s": middle("headgate saturation", "turns_per_second")
        / middle(peer, "turns_per_second"),
        "CPU-ms per turn": middle("headgate saturation", "cpu_ms_per_turn")
        / middle(peer, "cpu_ms_per_turn"),
        f"p50 at {name}": middle(f"headgate {name}", "latency_ms", "p50")
        / middle(f"restate {name}", "latency_ms", "p50"),
        f"p99 at {name}": middle(f"headgate {name}", "latency_ms", "p99")
        / middle(f"restate {name}", "latency_ms", "p99"),
    }
    return [{"what": f"ratio {what}", "ratio": value} for what, value in ratios.items()]
