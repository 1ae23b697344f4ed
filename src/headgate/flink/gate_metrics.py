"""What one Gate shows of itself: counted as it works, handed to Flink once a second."""

from __future__ import annotations

from headgate.core.entries import Entries
from headgate.core.tenancy import DEFAULT_TENANT
from headgate.flink.exposed import Exposed
from headgate.flink.figures import Heard, Names, figures_of
from headgate.flink.parked_count import ParkedCount
from headgate.flink.tally import Tally
from headgate.kafka.table import Shown
from headgate.v1.turn_pb2 import StoredControl

SHOW_SECONDS = 1.0
"""How often metrics are brought up to date: as often as ticks come, and far more often than
anybody reads them. At 1,500 turns/s it takes 6 ms: each instance to which something happened is
looked at, once for all of it.
"""


class GateMetrics:
    """Of one life. Times are Gate's clock, milliseconds since the epoch."""

    def __init__(self, exposed: Exposed, parked: Entries) -> None:
        """``parked`` is the map state of parked instances' numbers."""
        self.tally = Tally()
        self.heard = Heard()
        self._names = Names()
        self._exposed = exposed
        self._entries = parked
        self._parked: dict[int, ParkedCount] = {}
        # From that moment on they are old: of a clock that only goes on. By the machine's they were
        # old for an hour once that had been put back by one.
        self.show_at = 0.0

    def begin_shard(self, number: int) -> None:
        """Read what a shard has; its key must be Flink's current key."""
        self._parked[number] = ParkedCount(self._entries)

    def parked(self, number: int, address: str, by: int) -> None:
        """Note that an instance was parked (1), or goes on (-1); its shard's key must be the
        current one.
        """
        count = self._parked[number]
        count.change(_type_of(address), by)
        count.write()

    def see(self, address: str, control: StoredControl) -> None:
        """Note an instance that nothing happened to but that it was woken."""
        self.tally.of(_type_of(address)).see(address, control)

    def show(self, shown: Shown, now_ms: int, moment: float) -> None:
        """Show how everything is: from ``show_at`` on."""
        self.show_at = moment + SHOW_SECONDS
        named = {rule.tenant for rule in shown.budgets.rules} | set(shown.terms.tenants)
        made = figures_of(
            self.tally,
            [each.of_type for each in self._parked.values()],
            self.heard,
            self._names,
            specs=shown.specs,
            tenants=named | {DEFAULT_TENANT},
            now_ms=now_ms,
        )
        self._exposed.show(made)


def _type_of(address: str) -> str:
    return address.partition("/")[0]
