"""What the commands of schedules have in common: asking their agent, and the registry."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from headgate.cli.broker import Broker
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import ScheduleRecord

WAIT_SECONDS = 30.0
"""An answer comes within a second; a job that fails over takes longer."""


class ScheduleError(HeadgateError):
    """There is no such schedule, or it cannot be so; the message says why.

    Operator action: correct what the message names; `headgate schedules list` shows all.
    """


def ask(broker: Broker, name: str, event_type: str, data: Any) -> dict[str, Any]:
    """Ask the schedule's instance, and return what it says; raises ScheduleError."""
    from headgate.door.desk import Desk
    from headgate.door.errors import UnknownAgentError
    from headgate.schedules.agent import NAME
    from headgate.v1.agent_pb2 import Event

    event = Event(id=str(uuid.uuid4()), type=event_type, data=json.dumps(data).encode())
    with Desk(broker.bootstrap, broker.config) as desk:
        try:
            reply = desk.ask(f"{NAME}/{name}", event).result(WAIT_SECONDS)
        except UnknownAgentError:
            message = (
                "who keeps schedules is not attached: `headgate schedules serve`, then `headgate "
                f"agents attach {NAME} --endpoint HOST:PORT`"
            )
            raise ScheduleError(message) from None
        except TimeoutError:
            message = f"{NAME}/{name} has not answered within {WAIT_SECONDS:.0f} s"
            raise ScheduleError(message) from None
    problem = reply.answer.refused or reply.message
    if problem:
        message = f"{name}: {problem}"
        raise ScheduleError(message)
    told: dict[str, Any] = json.loads(reply.answer.data)
    return told


def read(broker: Broker) -> dict[str, ScheduleRecord]:
    """Return the schedules of the registry by name."""
    from headgate.kafka.schedules import read_schedules

    return read_schedules(broker.bootstrap, broker.config.topic_names.registry)


def find(broker: Broker, name: str) -> ScheduleRecord:
    """Return one of them; raises ScheduleError, which names those there are."""
    from headgate.config.spelling import did_you_mean, listed

    found = read(broker)
    if name not in found:
        names = sorted(found)
        message = f"no schedule {name!r}{did_you_mean(name, names)}; {listed(names)}"
        raise ScheduleError(message)
    return found[name]


def write(broker: Broker, name: str, record: ScheduleRecord | None) -> None:
    """Write one, None to take it out."""
    from headgate.kafka.schedules import write_schedule

    write_schedule(broker.bootstrap, broker.config.topic_names.registry, name, record)
