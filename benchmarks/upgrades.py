"""Upgrades under load: the longest gap between two outcomes, and what it cost."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import of_runs
from benchmarks.ladder import SINGLE
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ECHO, SCRIPT, JobPlan, Stand, to_toml
from headgate.config import Config
from headgate.local.submit import submit
from headgate.testing.steady import Steady
from headgate.upgrade.record import Current, Folder
from headgate.upgrade.version import here, known

ROOT = Path(__file__).resolve().parents[1]
RATE = 200.0
KEYS = 500
CALL_MS = 20.0
# Before and after each change, so that its gap has two sides.
BESIDE_SECONDS = 5.0
FOLLOW_SECONDS = 0.2


@dataclass
class Site:
    """A job on a stack, its load, and what was changed when."""

    stand: Stand
    config: Config
    file: Path
    job: str
    load: Steady

    def configure(self, parallelism: int) -> None:
        """Edit the configuration of the next version."""
        job = self.config.job.model_copy(update={"parallelism": parallelism})
        text = to_toml(self.config.model_copy(update={"job": job}))
        self.file.write_text(text, encoding="utf-8")

    def upgrade(self, *words: str) -> None:
        """Run the command, which must end with the new version."""
        line = [sys.executable, "-m", "headgate.cli.app", "upgrade", "--config", str(self.file)]
        environment = {**os.environ, "HEADGATE_HOME": str(self.stand.stack.home)}
        done = subprocess.run(
            [*line, *words, "--watch", "0", "-o", "json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"the upgrade failed: {done.stdout}{done.stderr}"
            raise RuntimeError(message)
        self.job = json.loads(done.stdout)["job"]

    def reconfigured(self, parallelism: int, *words: str) -> None:
        """Edit the configuration and upgrade to it."""
        self.configure(parallelism)
        self.upgrade(*words)


def run(options: Options) -> list[Result]:
    """Change a job under load, again and again; compare all events with what came of them."""
    newer = options.home / "newer"
    with on_site(options, "upgrades", {}) as site:
        # As whoever starts a stack does: from here on it is known what runs.
        folder = Folder(site.stand.stack.home)
        folder.keep_current(Current(site.job, folder.copied(known(here(site.file, SCRIPT)))))
        changes: list[tuple[str, Callable[[], None]]] = [
            ("upgrade to parallelism 2", lambda: site.reconfigured(2)),
            ("and back to 1", lambda: site.reconfigured(1, "--back")),
            ("upgrade to other code", lambda: site.upgrade("--pythonpath", str(newer))),
            ("and its roll-back", lambda: site.upgrade("--back")),
        ]
        _copy_headgate(newer)
        return measured(site, changes, options)


def measured(
    site: Site, changes: list[tuple[str, Callable[[], None]]], options: Options
) -> list[Result]:
    """Make the changes, as often as repeats say; a row for each, with the gaps that it made."""
    gaps: dict[str, list[float]] = {what: [] for what, _ in changes}
    spans: list[tuple[str, float, float]] = []
    with site.load as load:
        time.sleep(options.warm_up_seconds)
        for _ in range(options.repeats):
            for what, change in changes:
                time.sleep(BESIDE_SECONDS)
                begin = time.time() * 1000
                change()
                time.sleep(BESIDE_SECONDS)
                spans.append((what, begin, time.time() * 1000))
        found = Counter(each.kind for each in load.findings())
        sent, times = load.sent, load.decided_ms()
    for what, begin, end in spans:
        pairs = itertools.pairwise(times)
        gap = max((b - a for a, b in pairs if b >= begin and a <= end), default=float("nan"))
        gaps[what].append(gap / 1000)
        options.say(f"{what}: nothing was decided for {gap / 1000:.1f} s")
    options.say(f"{sent} events: {dict(found) or 'each once, in order'}")
    return [
        {
            "what": what,
            "events_per_second": RATE,
            "outage_seconds": of_runs(all_of_it),
            # Of the whole run, with all of its changes: what is verified is every event of it.
            "events": sent,
            "lost": found["lost"],
            "duplicated": found["duplicated"],
            "reordered": found["out_of_order"],
            "missing": found["lost"],
            "load_average": os.getloadavg()[0],
        }
        for what, all_of_it in gaps.items()
    ]


@contextlib.contextmanager
def on_site(options: Options, label: str, settings: dict[str, str]) -> Iterator[Site]:
    """Have a stack with a job under load; with Flink settings of one's own, two TaskManagers."""
    count = 2 if settings else 1
    with Stand(options.home, count, options.say, settings) as stand:
        stack = stand.stack
        plan = JobPlan(label, "echo", ECHO, CALL_MS, "balanced", 1, SINGLE)
        endpoint = stack.agents.start(label, ECHO, ("--delay-ms", str(CALL_MS)))
        given = plan.config(stack.kafka.bootstrap, endpoint)
        # Its events are CloudEvents: the verifier knows them by their ids.
        topics = tuple(each.model_copy(update={"format": "cloudevents"}) for each in given.topics)
        config = given.model_copy(update={"topics": topics})
        load = Steady(config, plan.topic, "echo", keys=KEYS, rate=RATE)
        site = Site(stand, config, stack.home / "headgate.toml", "", load)
        site.configure(1)
        site.job = submit(stack.flink, SCRIPT, ["--config", str(site.file)])
        stack.flink.rest.await_running(site.job)
        ended = threading.Event()
        # As the owner of a stack does: TaskManagers that an upgrade asks for are started.
        owner = threading.Thread(target=_follow, args=(stack, ended))
        owner.start()
        try:
            yield site
        finally:
            ended.set()
            owner.join()


def _follow(stack: Any, ended: threading.Event) -> None:
    while not ended.wait(FOLLOW_SECONDS):
        stack.publish_state()


def _copy_headgate(folder: Path) -> None:
    """Make other code of the same code: what is measured is the way, not what is new."""
    shutil.rmtree(folder, ignore_errors=True)
    source = ROOT / "src" / "headgate"
    shutil.copytree(source, folder / "headgate", ignore=shutil.ignore_patterns("*.pyc"))
    with (folder / "headgate" / "__init__.py").open("a", encoding="utf-8") as file:
        file.write("NEWER = True\n")
