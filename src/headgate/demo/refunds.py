"""Refunds as durable workflows while things are killed; then: did each end as it must?"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headgate.config import Config, load
from headgate.demo.kills import Executioner, Kill, Killed
from headgate.demo.refund_orders import Order
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.follow import Following
from headgate.kafka.inspect import Inspector
from headgate.kafka.publish import Publisher
from headgate.kafka.workflow_views import ENDED, workflow_view
from headgate.local.jars import settings_folder
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from headgate.v1.turn_pb2 import InboxRecord, Signal

SERVICE = "refund"
TOPIC = "orders"
JOB_SECONDS = 240.0
REMINDER_SECONDS = 3
# Each of a refund's steps waits for an outage at most; three kills in a row take a minute.
END_SECONDS = 240.0
LOOK_SECONDS = 0.5

TOML = """\
# Written by `headgate demo-workflow`; every run writes it anew.

[kafka]
bootstrap = "{bootstrap}"

[[topics]]
name = "{topic}"

[[routes]]
topic = "{topic}"
agent = "refund"

[agents.refund]
endpoint = "{endpoint}"

[agents.complaints]
endpoint = "{endpoint}"
"""


@dataclass(slots=True)
class Found:
    """What came of a run."""

    orders: int
    seconds: float = 0.0
    killed: list[Killed] = field(default_factory=list)
    ended: dict[str, tuple[str, Any]] = field(default_factory=dict)
    paid: list[int] = field(default_factory=list)
    asked_again: int = 0
    told: Counter[str] = field(default_factory=Counter)
    reminders: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        return not self.wrong


class Person:
    """Decides about what is to be approved: of each kind, at once or once reminded."""

    def __init__(self, config: Config, orders: Sequence[Order], found: Found) -> None:
        self._config, self._found = config, found
        self._orders = {order.address: order for order in orders}
        self._inbox = Publisher(config.kafka.bootstrap)
        self._reading = Following(
            config.kafka.bootstrap, [config.topic_names.outbox], self._read, start="start"
        )

    def close(self) -> None:
        self._reading.close()
        self._inbox.close()

    def _read(self, record: Any) -> None:
        event = json.loads(record.value)
        address = str(event["source"]).removeprefix("headgate:")
        order = self._orders.get(address)
        if order is None:
            return
        match event["type"]:
            case "refund.done":
                self._found.told[address] += 1
            case "refund.reminder":
                self._found.reminders += 1
                self._decide(order)
            case "refund.approval.wanted" if order.number % 2:
                self._decide(order)

    def _decide(self, order: Order) -> None:
        said = json.dumps({"approve": order.kind == "approved"}).encode()
        # Twice, as an impatient person clicks; the second is known by its id.
        for _ in range(2):
            signal = Signal(signal_id=f"decide-{order.number}", name="decide", data=said)
            record = InboxRecord(signal=signal).SerializeToString()
            self._inbox.send(self._config.topic_names.inbox, order.address, record)


class Refunds:
    """One run: start everything, send orders, kill, wait for the ends, compare."""

    def __init__(
        self,
        home: Path,
        orders: int,
        *,
        rate: float,
        kills: Sequence[Kill],
        say: Callable[[str], None],
    ) -> None:
        """Describe it. ``rate``: orders a second."""
        self._rate = rate
        self.stack = LocalStack(home, 1, say=say)
        self.orders = [Order(number) for number in range(orders)]
        self._bank = self.stack.home / "bank.sqlite"
        self._kills, self._say = kills, say

    def run(self, progress: Callable[[int, int], None]) -> Found:
        """Play it all; the stack is up until `stop`."""
        self.stack.erase()
        self._bank.unlink(missing_ok=True)
        self.stack.start(self._prepare)
        found = Found(len(self.orders))
        person = Person(self.config, self.orders, found)
        executioner = Executioner(self.stack, SERVICE, self._kills, self._say)
        try:
            self._say(f"sending {len(self.orders)} orders, {self._rate:g} a second")
            began = time.monotonic()
            executioner.start()
            self._send()
            self._await_ends(found, progress)
            found.seconds = time.monotonic() - began
            found.killed = executioner.finish()
            self._compare(found)
        finally:
            executioner.stop()
            person.close()
        return found

    def stop(self) -> None:
        """End everything."""
        self.stack.stop()

    def _prepare(self, stack: LocalStack) -> None:
        root = settings_folder().parent
        arguments = ("--bank", str(self._bank), "--reminder", str(REMINDER_SECONDS))
        endpoint = stack.agents.start(SERVICE, root / "agents" / "refund" / "agent.py", arguments)
        path = stack.home / "headgate.toml"
        text = TOML.format(bootstrap=stack.kafka.bootstrap, topic=TOPIC, endpoint=endpoint)
        path.write_text(text, encoding="utf-8")
        self.config = load(path)
        self._say("submitting the job")
        entry = root / "jobs" / "agent_runtime.py"
        stack.job = submit(stack.flink, entry, ["--config", str(path)])
        stack.flink.rest.await_running(stack.job, JOB_SECONDS)

    def _send(self) -> None:
        with Publisher(self.config.kafka.bootstrap) as publisher:
            for order in self.orders:
                key = order.address.partition("/")[2]
                value = structured(
                    order.data(), event_type="refund.asked", source="shop", event_id=key
                )
                # Twice, as a nervous producer would: it is one refund.
                time.sleep(1 / self._rate)
                for _ in range(2):
                    publisher.send(TOPIC, key, value, dict([CONTENT_TYPE]))

    def _await_ends(self, found: Found, progress: Callable[[int, int], None]) -> None:
        waiting = [order.address for order in self.orders]
        deadline = time.monotonic() + END_SECONDS
        with Inspector(self.config.kafka.bootstrap, self.config) as inspector:
            while waiting and time.monotonic() < deadline:
                for address in list(waiting):
                    left = max(0.0, deadline - time.monotonic())
                    report = inspector.report(address, wait_seconds=left)
                    seen = workflow_view(report) if report else {"status": "unknown"}
                    if seen["status"] in ENDED:
                        found.ended[address] = seen["status"], seen.get("result")
                        waiting.remove(address)
                    progress(len(found.ended), len(self.orders))
                time.sleep(LOOK_SECONDS)

    def _compare(self, found: Found) -> None:
        due = Counter(cents for order in self.orders for cents in order.payments())
        told = {order.address for order in self.orders if order.is_told()}
        deadline = time.monotonic() + JOB_SECONDS
        # The outbox shows the last ones with the next checkpoint.
        while told - found.told.keys() and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        with closing(sqlite3.connect(self._bank)) as database:
            rows = database.execute("SELECT cents, asked FROM payments").fetchall()
        found.paid = [cents for cents, _ in rows]
        found.asked_again = sum(asked > 1 for _, asked in rows)
        for order in self.orders:
            if found.ended.get(order.address) != order.result():
                came = found.ended.get(order.address, "no end")
                found.wrong.append(f"{order.address}: {came}, expected {order.result()}")
        paid = Counter(found.paid)
        found.wrong += [
            f"a payment of {cents} cents was made {paid[cents]} times, not {due[cents]}"
            for cents in sorted(paid | due)
            if paid[cents] != due[cents]
        ]
        found.wrong += [
            f"{address}: refund.done left {found.told[address]} times"
            for address in sorted(told | found.told.keys())
            if found.told[address] != (address in told)
        ]
