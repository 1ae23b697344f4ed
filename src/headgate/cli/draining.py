"""Waiting until an agent that gets no new events has nothing left to do."""

from __future__ import annotations

import time

from headgate.cli.broker import Broker
from headgate.cli.look import problems
from headgate.errors import HeadgateError

LOOKS = 3
PAUSE_SECONDS = 1.0
"""Drained is an agent for which nothing waits, look after look. What was routed to it just before
its registry record was read may still be between intake and Gate: milliseconds, and under
backpressure a second or two."""

ANSWER_SECONDS = 10.0
"""For one look; a failover takes that long."""


class NotDrainedError(HeadgateError):
    """Work was left when the time was over, or the job did not answer.

    Operator action: the agent goes on draining; wait again, see what waits with `headgate
    instances describe`, or take the agent out with --now.
    """


def await_drained(broker: Broker, agent_type: str, seconds: float) -> None:
    """Wait until no instance of a type has a turn in flight or events that wait.

    Raises:
        NotDrainedError: it still has when the time is over.
    """
    from headgate.kafka.inspect import count_busy

    deadline = time.monotonic() + seconds
    quiet = 0
    with problems.status(f"{agent_type} drains") as status:
        while True:
            busy = count_busy(
                broker.bootstrap, broker.config, agent_type, wait_seconds=ANSWER_SECONDS
            )
            quiet = quiet + 1 if busy == 0 else 0
            if quiet == LOOKS:
                return
            if time.monotonic() > deadline:
                left = "the job did not answer" if busy is None else f"{busy} instances have work"
                message = (
                    f"{agent_type} has not drained within {seconds:g} s: {left}; it goes on, see "
                    "`headgate status`, or wait again"
                )
                raise NotDrainedError(message)
            if busy:
                status.update(f"{agent_type} drains: {busy} instances have work")
            time.sleep(PAUSE_SECONDS)
