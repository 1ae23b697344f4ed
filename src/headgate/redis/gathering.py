"""Records on their way to a thread that writes them: the more come meanwhile, the more at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition, Thread

from headgate.redis.batch import Record

MOST_WAITING = 20_000
"""Records that wait at most: whoever brings more is held up until Redis has taken some."""


class Gathering:
    """Takes records in one thread and writes them in another."""

    def __init__(self, write: Callable[[int, Sequence[Record]], None]) -> None:
        """Start writing. `write` gets a partition and its records in their order; what it raises
        is raised by `add`, once and for all.
        """
        self._write = write
        self._changed = Condition()
        self._waiting: dict[int, list[Record]] = {}
        self._count = 0
        self._failure: BaseException | None = None
        self._is_closed = False
        self._thread = Thread(target=self._run, name="headgate-redis-feed", daemon=True)
        self._thread.start()

    def add(self, partition: int, record: Record) -> None:
        """Take a record; waits while too many wait already."""
        with self._changed:
            while self._count >= MOST_WAITING and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                raise self._failure
            self._waiting.setdefault(partition, []).append(record)
            self._count += 1
            if self._count == 1:
                self._changed.notify_all()

    def close(self) -> None:
        """Stop; what waits is not written."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._count and not self._is_closed:
                    self._changed.wait()
                if self._is_closed:
                    return
                taken, self._waiting, self._count = self._waiting, {}, 0
                self._changed.notify_all()
            try:
                for partition, records in taken.items():
                    self._write(partition, records)
            except BaseException as error:
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                return
