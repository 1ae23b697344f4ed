"""Looking at something again and again, in a thread of its own; what cannot be read is told, not
raised."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")
log = logging.getLogger(__name__)


class Polled(Generic[V]):
    """The newest answer to a question that is asked every so many seconds.

    >>> import threading
    >>> asked = threading.Event()
    >>> polled = Polled("x", 60, lambda before: asked.set() or 1)
    >>> asked.wait(5), polled.close()
    (True, None)
    """

    def __init__(
        self,
        name: str,
        seconds: float,
        look: Callable[[V | None], V],
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start asking. look: is given the answer before. is_wanted: False skips a round."""
        self.value: V | None = None
        self.problem = ""
        self._name = name
        self._seconds = seconds
        self._look = look
        self._is_wanted = is_wanted
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"headgate-ui-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more, without waiting."""
        self._stopping.set()

    def close(self) -> None:
        """Ask no more; a question that is under way is waited for, a little."""
        self.stop()
        self._thread.join(2.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._is_wanted():
                self._ask()
            self._stopping.wait(self._seconds)

    def _ask(self) -> None:
        try:
            self.value = self._look(self.value)
            self.problem = ""
        except Exception as error:
            if not self.problem:
                log.warning("%s cannot be read: %s", self._name, error)
            self.problem = str(error) or type(error).__name__
