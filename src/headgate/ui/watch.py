"""Reading all that the console shows: topics are followed, services and Flink are asked, all the
time.

Nothing here matters to anybody else: killed and started anew, it reads the last quarter of an hour
again.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any, Self

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.core.service import endpoints_of
from headgate.kafka.follow import Following
from headgate.kafka.inspect import Inspector
from headgate.kafka.registry import RegistryTable
from headgate.local.rest import FlinkRest
from headgate.rpc.health import Answer, ask_all
from headgate.sealing.envelope import is_sealed, told
from headgate.ui.budgets import BudgetTable
from headgate.ui.busy import BusyTable
from headgate.ui.cluster import read_flink
from headgate.ui.described import agent_fact
from headgate.ui.facts import Facts, FlinkFact
from headgate.ui.polling import Polled
from headgate.ui.tables import LetterTable, ParkedTable
from headgate.ui.window import STEP_SECONDS, STEPS, Window
from headgate.v1.history_pb2 import HistoryPosition
from headgate.v1.turn_pb2 import HistoryRecord

HEALTH_SECONDS = 2.0
"""Between two looks at the agents' services: one that is gone is named within 15 s, and a look
costs each of them a millisecond."""
BUSY_SECONDS = 2.0
FLINK_SECONDS = 2.0
POSITION_SECONDS = 5.0
ANSWER_SECONDS = 6.0
"""For Gate's answer: one that a failover has swallowed is asked for again after three."""
QUESTIONS = 48
"""To Gate in one round, one for each agent and shard: with more agents than fit, they take
turns."""
LOOKED_SECONDS = 60.0
"""So long after somebody looked, Gate is asked how many instances have work. Then it is left
alone."""


class Watch:
    """Follows and asks, until it is closed."""

    def __init__(
        self,
        bootstrap: Bootstrap,
        config: Config,
        *,
        history: str = "",
        flink: FlinkRest | None = None,
    ) -> None:
        """Start reading.

        history: HOST:PORT of the history service's gRPC. flink: None: the cluster is not watched.
        """
        self.window = Window()
        self.started_ms = _now_ms()
        self._config = config
        self._history = history
        self._rest = flink
        self._looked = time.monotonic()
        # Why turns cannot be read, if they cannot.
        self._sealed = ""
        self._next_asked = 0
        self._busy = BusyTable()
        self._budgets = BudgetTable()
        self._parked, self._letters = ParkedTable(), LetterTable()
        self._inspector: Inspector | None = None
        self._bootstrap = bootstrap
        self._open = ExitStack()
        names = config.topic_names
        self.registry = self._open.enter_context(RegistryTable(bootstrap, names.registry))
        since_ms = self.started_ms - 1_000 * STEP_SECONDS * STEPS
        tables = [
            (names.settled, self._letters.take_settled),
            (names.dead_letters, self._letters.take),
        ]
        tables.append((names.spending, self._budgets.take_account))
        self._follow(names.history, self._take_turn, since_ms)
        for topic, take in [*tables, (names.parked, self._parked.take)]:
            self._follow(topic, take, "start")
        self._health = self._poll("agents", HEALTH_SECONDS, self._ask_health)
        self._asked = self._poll("Gate", BUSY_SECONDS, self._ask_busy, self._is_looked_at)
        self._flink = self._poll("Flink", FLINK_SECONDS, self._ask_flink) if flink else None
        self._position = (
            self._poll("history", POSITION_SECONDS, self._ask_history) if history else None
        )

    def look(self) -> None:
        """Say that somebody looks."""
        self._looked = time.monotonic()

    def facts(self) -> Facts:
        """Return what is known now."""
        now_ms = _now_ms()
        flink = self._flink.value if self._flink else None
        position = self._position.value if self._position else None
        letters, money = self._letters.facts(), self.registry.shown
        healths: dict[str, Answer] = self._health.value or {}
        return Facts(
            now_ms=now_ms,
            agents=tuple(
                agent_fact(spec, healths, self._busy, self.window, now_ms)
                for _, spec in sorted(self.registry.specs().items())
            ),
            parked=self._parked.facts(),
            letters=letters,
            letters_open=len(letters),
            flink=flink,
            budgets=self._budgets.facts(money.budgets.rules, money.terms.currency, now_ms),
            history_behind=_behind(position),
            history_problem=position.problem if position else "",
            unreadable=self._unreadable(),
        )

    def answers(self) -> dict[str, Answer]:
        """Return what the agents' services said last, by endpoint."""
        return self._health.value or {}

    def close(self) -> None:
        """Stop reading."""
        polls = [each for each in (self._health, self._asked, self._flink, self._position) if each]
        for poll in polls:
            poll.stop()
        for poll in polls:
            poll.close()
        self._open.close()
        if self._inspector is not None:
            self._inspector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _follow(self, topic: str, take: Any, start: Any) -> None:
        self._open.enter_context(
            Following(self._bootstrap, [topic], take, start=start, shows_sealed=True)
        )

    def _poll(
        self, name: str, seconds: float, look: Any, is_wanted: Any = lambda: True
    ) -> Polled[Any]:
        return Polled(name, seconds, look, is_wanted)

    def _take_turn(self, record: Any) -> None:
        if is_sealed(record.value or b""):
            self._sealed = f"turns are {told(record.value)}: see [encryption] in headgate.toml"
            return
        try:
            read = HistoryRecord.FromString(record.value or b"")
        except DecodeError:
            return
        if self.window.take(read):
            self._budgets.take_turn(read)

    def _ask_health(self, _: object) -> dict[str, Answer]:
        specs = self.registry.specs()
        ways = {target: spec.connection for spec in specs.values() for target in endpoints_of(spec)}
        answers = ask_all(list(ways), ways)
        self._busy.take_health(specs, answers, _now_ms())
        return answers

    def _is_looked_at(self) -> bool:
        return time.monotonic() - self._looked < LOOKED_SECONDS

    def _ask_busy(self, _: object) -> None:
        if self._inspector is None:
            self._inspector = Inspector(self._bootstrap, self._config)
        names = sorted(self.registry.specs())
        most = max(1, QUESTIONS // self._config.kafka.partitions)
        first = self._next_asked % len(names) if len(names) > most else 0
        self._next_asked = first + most
        for name in (names + names)[first : first + min(most, len(names))]:
            count = self._inspector.count_busy(name, wait_seconds=ANSWER_SECONDS)
            self._busy.take_busy(name, count, _now_ms())

    def _ask_flink(self, before: FlinkFact | None) -> FlinkFact:
        if self._rest is None:
            raise AssertionError
        return read_flink(self._rest, self._config.job.name, before, _now_ms())

    def _ask_history(self, _: object) -> HistoryPosition:
        from headgate.history.client import HistoryClient

        client = HistoryClient(self._history)
        try:
            return client.position()
        finally:
            client.close()

    def _unreadable(self) -> dict[str, str]:
        found = {
            "Kafka": self.registry.trouble,
            "The history": self._sealed,
            "Flink": self._flink.problem if self._flink else "",
            "The history service": self._position.problem if self._position else "",
        }
        return {name: why for name, why in found.items() if why}


def _behind(position: HistoryPosition | None) -> int | None:
    if position is None:
        return None
    return sum(max(0, each.end_offset - each.next_offset) for each in position.partitions)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
