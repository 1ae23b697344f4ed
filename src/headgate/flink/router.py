"""Who gets an event, by the registry as it is now. Intake asks for each event.

Before the registry has been read to the end it had at the start, nobody can say: "no route" would
be a guess, and the event a dead letter for good. So the first event waits. If the registry stays
unread, the task fails rather than guess: Flink goes back to the checkpoint and reads the same
events again.
"""

from __future__ import annotations

from headgate.core.routes import Routes
from headgate.errors import HeadgateError
from headgate.kafka.table import RegistryTable, Shown

WAIT_SECONDS = 15.0
"""A registry is read within a second of its broker being there. A task that is to be cancelled
cannot be before this is over, and Flink ends a TaskManager that takes minutes."""


class RegistryUnreadError(HeadgateError):
    """The registry could not be read, so nobody can say who gets an event.

    Operator action: see that the broker answers and that the registry's topic is there; the job
    tries again by itself.
    """


class Router:
    """Routes of a table, made anew when the table has changed."""

    def __init__(self, table: RegistryTable, wait_seconds: float = WAIT_SECONDS) -> None:
        """``wait_seconds``: how long the first event may wait for the registry."""
        self._table = table
        self._wait_seconds = wait_seconds
        self._seen: Shown | None = None
        self._routes = Routes({})
        self.position = 0
        # The agent types whose full mailboxes hold events back.
        self.holding: frozenset[str] = frozenset()

    @property
    def latest(self) -> int:
        """Up to where the registry has been read by now, looked at or not."""
        return self._table.shown.position

    def find(self, topic: str, event_type: str) -> tuple[str, ...]:
        """Return the agent types that get such an event; ``position`` says as of when.

        Raises:
            RegistryUnreadError: the registry has not been read in time.
        """
        if self._table.shown is not self._seen:
            self._look_anew()
        return self._routes.find(topic, event_type)

    def _look_anew(self) -> None:
        table = self._table
        if not table.await_complete(self._wait_seconds):
            message = (
                f"the registry has not been read within {self._wait_seconds:.0f} s"
                f"{': ' if table.trouble else ''}{table.trouble}"
            )
            raise RegistryUnreadError(message)
        self._seen = table.shown
        self._routes = Routes(self._seen.specs)
        self.holding = frozenset(
            name for name, spec in self._seen.specs.items() if spec.policy.holds_back
        )
        self.position = self._seen.position
