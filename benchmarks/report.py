"""Tables for people, JSON for machines, and under which conditions the figures came about."""

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Result
from benchmarks.stand import ROOT


def conditions() -> Result:
    """Return what the figures depend on: machine, versions, commit, command, load."""
    return {
        "command": " ".join(["python -m", _module(), *sys.argv[1:]]),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "is_modified": bool(_git("status", "--porcelain", "--", "src", "agents", "flink-conf")),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "flink": version("apache-flink"),
        "load_average": list(os.getloadavg()),
    }


def show(console: Console, title: str, results: Sequence[Result]) -> None:
    """Print the table of a scenario: its columns are what its results have."""
    if not results:
        return
    table = Table(title=title, title_justify="left")
    columns = [column for column in COLUMNS if any(column[1](r) is not None for r in results)]
    for name, _ in columns:
        table.add_column(name, justify="left" if name == "what" else "right")
    for result in results:
        table.add_row(*(_text(read(result)) for _, read in columns))
    console.print(table)


def write(file: Path, run: Result) -> None:
    """Write the whole run as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(finite(run), indent=2) + "\n", encoding="utf-8")


def _at(*path: str) -> Any:
    def read(result: Any) -> Any:
        for name in path:
            if not isinstance(result, dict) or name not in result:
                return None
            result = result[name]
        return result

    return read


def _three(*path: str) -> Any:
    def read(result: Result) -> str | None:
        found = _at(*path)(result)
        if found is None or math.isnan(found["p50"]):
            return None
        return " / ".join(_text(found[name]) for name in ("p50", "p90", "p99"))

    return read


def _parts(result: Result) -> str | None:
    found = result.get("parts_ms")
    if not found or math.isnan(found["call"]["p50"]):
        return None
    return " + ".join(_text(found[name]["p50"]) for name in ("to_call", "call", "to_journal"))


def _used_by(process: str) -> Any:
    """Of a turn, or of a step where those are counted."""
    turn = _at("cpu_ms_per_turn_by_process", process)
    step = _at("cpu_ms_per_step_by_process", process)
    return lambda result: step(result) if turn(result) is None else turn(result)


def _ratio(name: str) -> Any:
    """Of lives their mean with its standard error; where there is one only, that."""

    def read(result: Result) -> Any:
        found = result.get(name)
        if not isinstance(found, dict):
            return found
        return f"{found['mean']:.3f} ± {found['error']:.3f} ({found['lives']} lives)"

    return read


COLUMNS: list[tuple[str, Any]] = [
    ("what", _at("what")),
    ("profile", _at("profile")),
    ("turns/s", _at("turns_per_second")),
    ("events/s", _at("events_per_second")),
    ("CPU-ms/turn written", _at("write_cpu_ms_per_turn")),
    ("as-of read ms p50", _at("read_ms_p50")),
    ("p99", _at("read_ms_p99")),
    ("snapshot s", _at("snapshot_seconds", "p50")),
    ("updates/s", _at("updates_per_second")),
    ("CPU-ms/update: feeder", _at("feeder_cpu_ms_per_update")),
    ("Redis", _at("redis_cpu_ms_per_update")),
    ("kills", _at("kills")),
    ("lag ms p50", _at("lag_ms_p50")),
    ("p99", _at("lag_ms_p99")),
    ("workflows/s", _at("workflows_per_second")),
    ("steps/s", _at("steps_per_second")),
    ("latency ms p50/90/99", _three("latency_ms")),
    ("to call + call + to journal, p50", _parts),
    ("CPU-ms/turn", _at("cpu_ms_per_turn")),
    ("JVMs compile", _at("compilers_ms_per_turn")),
    ("CPU-ms/step", _at("cpu_ms_per_step")),
    ("Kafka", _used_by("kafka")),
    ("JobM", _used_by("jobmanager")),
    ("TaskM", _used_by("taskmanager")),
    ("worker", _used_by("worker")),
    ("agent", _used_by("agent")),
    ("server", _used_by("server")),
    ("kB to worker/call", _at("kb_to_worker")),
    ("from", _at("kb_from_worker")),
    ("kB to model/call", _at("kb_to_model")),
    ("ended", _at("ended")),
    ("history events", _at("history_events")),
    ("history MB", _at("history_mb")),
    ("cores at rest", _at("resting_cores")),
    ("MB: Kafka", _at("resident_mb", "kafka")),
    ("JobM", _at("resident_mb", "jobmanager")),
    ("TaskM", _at("resident_mb", "taskmanager")),
    ("worker", _at("resident_mb", "worker")),
    ("agent", _at("resident_mb", "agent")),
    ("cores", _at("cores")),
    ("samples", _at("samples")),
    ("us/turn", _at("us_per_turn")),
    ("CPU us, RocksDB", _at("rocksdb_cpu_us")),
    ("CPU us, heap", _at("hashmap_cpu_us")),
    ("ratio", _ratio("ratio")),
    ("1,000 instructions", _at("thousand_instructions")),
    ("L1 misses", _at("first_level_misses")),
    ("LL misses", _at("last_level_misses")),
    ("mispredicted", _at("mispredicted")),
    ("of CPU", _ratio("cpu_ratio")),
    ("of turns/s", _ratio("turns_ratio")),
    ("restarts", _at("restarts")),
    ("last/first quarter", _at("last_to_first_quarter")),
    ("in flight", _at("in_flight")),
    ("worker cores", _at("worker_cores")),
    ("checkpoints", _at("checkpoints", "count")),
    ("ms p50/90/max", _at("checkpoints", "text")),
    ("MB written p50", _at("written_mb", "p50")),
    ("max", _at("written_mb", "max")),
    ("state MB", _at("state_mb")),
    ("bytes over the user's", _at("bytes_over_users")),
    ("s to submit", _at("submit_seconds")),
    ("s to run", _at("running_seconds")),
    ("s to turns", _at("first_turns_seconds")),
    ("list s p50/90/99", _three("list_seconds")),
    ("outage s min", _at("outage_seconds", "min")),
    ("median", _at("outage_seconds", "median")),
    ("max", _at("outage_seconds", "max")),
    ("runs", _at("outage_seconds", "runs")),
    ("missing", _at("missing")),
    ("events", _at("events")),
    ("turns", _at("turns")),
    ("lost", _at("lost")),
    ("in no turn", _at("not_taken")),
    ("duplicated", _at("duplicated")),
    ("reordered", _at("reordered")),
    ("wrong states", _at("wrong_states")),
    ("dead letters", _at("dead_letters")),
    ("Redis differs", _at("redis_differs")),
    ("history differs", _at("history_differs")),
    ("MB, first third", _at("mb", "first")),
    ("middle", _at("mb", "middle")),
    ("last", _at("mb", "last")),
    ("most", _at("mb", "max")),
    ("MB/hour", _at("mb", "per_hour")),
    ("others' cores", _at("cores_of_others")),
    ("stolen", _at("cores_stolen")),
    ("load avg", _at("load_average")),
]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return "-"
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def finite(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def _module() -> str:
    """Return what was run: the package, or one of its modules."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec else "benchmarks"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
