"""The first dialogue of a stage: it proves that the way through is open, and is not measured.

A job is RUNNING seconds before its Python workers are: events published meanwhile wait, are taken
in large batches, and would make every latency that of a start.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from headgate.demo.follow import Follower
from headgate.demo.sgd import Dialogue
from headgate.demo.stage import TOPIC, Stage
from headgate.demo.traffic import Traffic, interleaved, named
from headgate.errors import HeadgateError

RATE = 20.0
POLL_SECONDS = 0.1
# Python starts in every TaskManager and worker; six busy neighbours on two cores made it a minute.
READY_SECONDS = 240.0


class NotReadyError(HeadgateError):
    """The job runs but answers nothing.

    Operator action: read the TaskManager's log below the stack's folder, flink/logs.
    """


def warm_up(stage: Stage, dialogues: Sequence[Dialogue], follower: Follower) -> None:
    """Play a few dialogues, once per stage, until all their events are through.

    Raises:
        NotReadyError: nothing came through.
    """
    if stage.is_warm:
        return
    events = interleaved(named(dialogues, 1, ".warm-up"), seed=0)
    traffic = Traffic(stage.config.kafka.bootstrap, TOPIC, events, RATE)
    traffic.start()
    wanted = {event.id for event in events}
    deadline = time.monotonic() + READY_SECONDS
    while (through := follower.through(wanted)) < len(wanted):
        if time.monotonic() > deadline:
            message = (
                f"{through} of the first {len(wanted)} events came through in "
                f"{READY_SECONDS:.0f} s; read {stage.stack.home / 'flink' / 'logs'}"
            )
            raise NotReadyError(message)
        time.sleep(POLL_SECONDS)
    traffic.finish()
    stage.is_warm = True
