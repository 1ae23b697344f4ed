"""What dispatching sees around an instance: made once per record and agent type.

The registry is looked at once a record. Another thread reads it, and one and the same outcome must
not be judged by a half of before and a half of after: a call for an agent that is not known yet, or
a settlement that nobody is told of.
"""

from __future__ import annotations

from headgate.core.billing import Billing
from headgate.core.model import Surroundings
from headgate.core.patience import Patience
from headgate.core.readiness import Readiness
from headgate.flink.outputs import Outputs
from headgate.kafka.table import RegistryTable, Shown

_NOTHING = Shown()

SILENCE_SECONDS = 5.0
"""After this long without a tick Invoke, or the journal between, may be gone: requests are sent
again, and a dispatcher that cannot journal any more gets the chance to say so.
"""

UNHEARD_SECONDS = 20.0
"""After this long without a tick Invoke is greeted anew. A worker that died, or whose journal is
lost, while nothing was asked of it is missed by whoever asks next: Flink then starts the job anew,
now instead of on Monday. A broker that restarts is back by then, and so are the ticks.
"""


class Horizon:
    """Of one life of a Gate. Moments are seconds of a clock that only goes on."""

    def __init__(
        self, moment: float, readiness: Readiness, billing: Billing, outputs: Outputs, sampled: int
    ) -> None:
        """``sampled`` is `Surroundings.sampled_below`."""
        self.patience = Patience()
        self._readiness = readiness
        self._billing = billing
        self._outputs = outputs
        self._sampled = sampled
        self._ticked_at = self._greeted_at = moment
        # How far intake had read the registry when it sent what came here.
        self._routed_position = 0
        self._now_ms = 0
        self.moment = moment
        self._seen: dict[str, Surroundings] = {}
        # The registry, and whether this is all that stood there at the start.
        self.shown = _NOTHING
        self.is_complete = False

    def begin(self, now_ms: int, moment: float, table: RegistryTable) -> None:
        """Begin a record."""
        self._now_ms, self.moment = now_ms, moment
        self._seen.clear()
        # In this order: a table is complete only when all of it is shown.
        self.is_complete = table.is_complete
        shown = table.shown
        if shown is not self.shown:
            self.shown = shown
            self._billing.know(shown.budgets, now_ms * 1_000)
            self._outputs.agree(shown.terms)

    def look_anew(self) -> None:
        """Forget what was seen so far: something has changed amid a record."""
        self._seen.clear()

    def routed(self, position: int) -> None:
        """Learn how far whoever routed an input had read the registry."""
        self._routed_position = max(self._routed_position, position)

    def ticked(self, moment: float) -> None:
        """Note that Invoke was alive."""
        self._ticked_at = moment

    def must_greet(self) -> bool:
        """Tell whether Invoke was not heard of for long, and was not greeted for as long."""
        since = max(self._ticked_at, self._greeted_at)
        if self.moment - since < UNHEARD_SECONDS:
            return False
        self._greeted_at = self.moment
        return True

    def of(self, agent_type: str) -> Surroundings:
        """Return what is seen around all instances of a type that the record is about."""
        return self._seen.get(agent_type) or self._look(agent_type)

    def _look(self, agent_type: str) -> Surroundings:
        shown = self.shown
        is_silent = self.moment - self._ticked_at > SILENCE_SECONDS
        around = self._seen[agent_type] = Surroundings(
            now_ms=self._now_ms,
            spec=shown.specs.get(agent_type),
            # Another process's intake may know an agent that this table has not come to yet.
            registry_complete=self.is_complete and shown.position >= self._routed_position,
            promise=b"" if is_silent else self._readiness.promise,
            patience_ms=self.patience.milliseconds,
            sampled_below=self._sampled,
            budgets_changed_us=self._billing.changed_us,
        )
        return around
