"""A million instances of 1 KB: what their checkpoints weigh and take, and how soon a job goes on
from one.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import spread
from benchmarks.journal import JournalReader
from benchmarks.ladder import SINGLE
from benchmarks.load import Load, Offer
from benchmarks.measure import DRAIN_SECONDS, Result
from benchmarks.memory import resident_mb
from benchmarks.one_kilobyte import text_of
from benchmarks.options import Options
from benchmarks.stand import ROOT, SCRIPT, JobPlan, Stand, to_toml
from headgate.config import Config
from headgate.local.submit import submit

PLAN = JobPlan("million", "one_kilobyte", ROOT / "benchmarks" / "one_kilobyte.py", 0.0)
# Sent at once; between two of them one sees how far it is.
PIECE = 50_000
PREFIX = "instance-"
# Asked after each start, of as many instances: those that lost what they had fail.
PROBES = 200
BODY, PROBE = '{"n":%d}', '{"probe":%d}'
# Few enough turns to say nothing of throughput: what a checkpoint costs when little has changed.
QUIET_RATE, QUIET_SECONDS = 100.0, 15.0
JOB_SECONDS = 600.0
USERS_BYTES = len(json.dumps(text_of("")))


def run(options: Options) -> list[Result]:
    """Fill, checkpoint, restore from a checkpoint, restore from a savepoint."""
    with Stand(options.home, 1, options.say) as stand:
        return _Million(stand, options).measure()


class _Million:
    def __init__(self, stand: Stand, options: Options) -> None:
        self._stand, self._stack = stand, stand.stack
        self._count, self._say = options.instances, options.say
        endpoint = self._stack.agents.start(PLAN.label, PLAN.script)
        policy = PLAN.config(self._stack.kafka.bootstrap, endpoint)
        agents = {PLAN.agent: policy.agents[PLAN.agent].model_copy(update={"policy": SINGLE})}
        self._config: Config = policy.model_copy(update={"agents": agents})
        self._file = self._stack.home / "million.toml"
        self._file.write_text(to_toml(self._config), encoding="utf-8")

    def measure(self) -> list[Result]:
        """Four lives of one job."""
        with self._life("a first life, to warm up", None) as (_, journal, _):
            self._create(journal, 0, 2 * PROBES)
        with self._life("empty", self._newest()) as (job, journal, empty):
            filled = self._fill(journal)
            filled |= self._checkpoints(job, "summary")
            quiet = self._quiet(job, journal)
        with self._life(f"{self._count:,} from a checkpoint", self._newest()) as (job, _, restored):
            began = time.monotonic()
            folder = self._stack.flink.savepoints.as_uri()
            self._say("stopping with a savepoint")
            saved = self._stack.flink.rest.stop_with_savepoint(job, folder, JOB_SECONDS)
            took = time.monotonic() - began
        size = _bytes_below(Path(saved.removeprefix("file:")))
        savepoint = {
            "what": "savepoint",
            "seconds": round(took, 2),
            "state_mb": size / 1e6,
            "bytes_over_users": size / self._count - USERS_BYTES,
        }
        with self._life(f"{self._count:,} from a savepoint", saved) as (_, _, again):
            pass
        return [filled, quiet, savepoint, empty, restored, again]

    @contextlib.contextmanager
    def _life(self, what: str, restored: str | None) -> Iterator[tuple[str, JournalReader, Result]]:
        """Start the job, from a checkpoint perhaps, and yield it once it has taken turns again."""
        self._say(f"starting: {what}")
        flink, kafka = self._stack.flink, self._config.kafka
        began, began_ms = time.monotonic(), time.time() * 1000
        job = submit(flink, SCRIPT, ["--config", str(self._file)], restore_from=restored)
        submitted = time.monotonic()
        flink.rest.await_running(job, JOB_SECONDS)
        running = time.monotonic()
        journal = JournalReader(kafka.servers, self._config.topic_names.journal, kafka.partitions)
        try:
            answered_ms = time.time() * 1000
            if restored is not None:
                answered_ms = self._probe(journal)
            row: Result = {
                "what": what,
                "submit_seconds": submitted - began,
                "running_seconds": running - began,
                "first_turns_seconds": (answered_ms - began_ms) / 1000,
                "resident_mb": resident_mb(self._stand.processes),
                "load_average": os.getloadavg()[0],
            }
            yield job, journal, row
        finally:
            journal.close()
            if flink.rest.state(job) == "RUNNING":
                flink.rest.cancel(job, JOB_SECONDS)

    def _probe(self, journal: JournalReader) -> float:
        """Ask instances of all partitions for what they kept; return when the last had answered."""
        self._load(PROBES, PROBES, body=PROBE)
        decided = journal.collect(PROBES, JOB_SECONDS)
        failed = [each.address for each in decided if not each.completed]
        if failed or len(decided) < PROBES:
            message = f"{len(decided)} of {PROBES} answered, {len(failed)} had lost their state"
            raise RuntimeError(message)
        return decided[-1].appended_ms

    def _fill(self, journal: JournalReader) -> Result:
        began = time.monotonic()
        for first in range(0, self._count, PIECE):
            self._create(journal, first, min(PIECE, self._count - first))
            done = min(first + PIECE, self._count)
            rate = done / (time.monotonic() - began)
            self._say(f"{done:,} of {self._count:,} instances, {rate:,.0f} a second")
        return {
            "what": f"filling: {self._count:,} instances",
            "seconds": round(time.monotonic() - began, 2),
            "turns_per_second": self._count / (time.monotonic() - began),
            "resident_mb": resident_mb(self._stand.processes),
            "load_average": os.getloadavg()[0],
        }

    def _create(self, journal: JournalReader, first: int, count: int) -> None:
        self._load(count, count, prefix=f"{PREFIX}{first}-" if first else PREFIX)
        decided = journal.collect(count, DRAIN_SECONDS + count / 200)
        if sum(len(each.sent_ms) for each in decided) < count:
            message = f"{len(decided)} of {count} instances were made: the machine is too slow"
            raise RuntimeError(message)

    def _quiet(self, job: str, journal: JournalReader) -> Result:
        self._say("checkpoints while little happens")
        since = time.time() * 1000
        self._load(int(QUIET_RATE * QUIET_SECONDS), PROBES, body=PROBE, rate=QUIET_RATE)
        journal.await_quiet(DRAIN_SECONDS)
        return {
            "what": f"{QUIET_RATE:g} turns/s afterwards",
            **self._checkpoints(job, "history", since),
            "load_average": os.getloadavg()[0],
        }

    def _checkpoints(self, job: str, kind: str, since_ms: float = 0) -> Result:
        """Duration and size of checkpoints: of the last ten, or by Flink's summary of all."""
        found = self._stack.flink.rest.checkpoints(job)
        if kind == "summary":
            took, wrote = (
                found["summary"][name] for name in ("end_to_end_duration", "checkpointed_size")
            )
            durations = {"p50": took["p50"], "p90": took["p90"], "max": took["max"]}
            written = {"p50": wrote["p50"] / 1e6, "max": wrote["max"] / 1e6}
            count = found["counts"]["completed"]
        else:
            last = [
                each
                for each in found["history"]
                if each["status"] == "COMPLETED" and each["trigger_timestamp"] >= since_ms
            ]
            durations = spread([float(each["end_to_end_duration"]) for each in last])
            sizes = spread([each["checkpointed_size"] / 1e6 for each in last])
            written, count = {"p50": sizes["p50"], "max": sizes["max"]}, len(last)
        size = found["latest"]["completed"]["state_size"]
        return {
            "state_mb": size / 1e6,
            "bytes_over_users": size / self._count - USERS_BYTES,
            "written_mb": written,
            "checkpoints": {
                "count": count,
                **durations,
                "text": " / ".join(f"{durations[name]:.0f}" for name in ("p50", "p90", "max")),
            },
        }

    def _load(
        self,
        count: int,
        keys: int,
        *,
        body: str = '{"n":%d}',
        rate: float = 0,
        prefix: str = PREFIX,
    ) -> None:
        kafka = self._config.kafka
        offer = Offer(
            kafka.bootstrap, PLAN.topic, kafka.partitions, count, rate, keys, prefix, body
        )
        Load(offer).result()

    def _newest(self) -> str:
        found: Sequence[Path] = [*self._stack.home.glob("flink/checkpoints/*/chk-*/_metadata")]
        return max(found, key=lambda file: file.stat().st_mtime_ns).parent.as_uri()


def _bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
