"""Running what runs until it is ended: feeders, readers, exporters."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import Protocol

from headgate.cli.look import answers


class Work(Protocol):
    """What is run, each in a thread of its own."""

    def run(self, on_working: Callable[[], None]) -> None:
        """Work until `stop`; raises where it cannot go on."""

    def stop(self) -> None:
        """Let `run` return."""


def run_until_ended(works: Sequence[Work], said: str) -> None:
    """Run all until Ctrl-C, or until one cannot go on; `said` is told once all are at work."""
    at_work: set[int] = set()

    def tell(number: int) -> None:
        if number not in at_work:
            at_work.add(number)
            if len(at_work) == len(works):
                answers.print(said, highlight=False)

    def stop() -> None:
        for work in works:
            work.stop()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop())
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(work.run, partial(tell, at)) for at, work in enumerate(works)]
        try:
            for done in as_completed(running):
                done.result()
        finally:
            stop()
