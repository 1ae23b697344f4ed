"""Sending an operator's decision about one instance, and waiting for the turn that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headgate.cli.broker import Broker, find_broker
from headgate.cli.look import Output, answers, as_json
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import InstanceReport

# A checkpoint makes it visible; a job that fails over takes half a minute on a busy machine.
WAIT_SECONDS = 60.0

_SAID = {
    "resume": "goes on",
    "skip": "has given its first event up: see `headgate dead-letters list`",
    "cancel": "has dropped its turn in flight, whose events are tried again",
    "reset": "has lost its state",
    "park": "is parked",
}


class AddressError(HeadgateError):
    """An instance is named by agent type and key.

    Operator action: give both, with a slash between them.
    """


class NothingToDoError(HeadgateError):
    """The instance never was, or there is nothing of it to resume, skip or cancel.

    Operator action: mind the key; `headgate instances describe ADDRESS` shows how it is.
    """


class NotAppliedError(HeadgateError):
    """A control has not been applied in time.

    Operator action: see that the job runs (`headgate status`); the control waits in the inbox and
    is applied once it does.
    """


def decide(
    verb: str,
    address: str,
    *,
    reason: str,
    no_wait: bool,
    output: Output,
    config: Path | None,
    bootstrap: str | None,
) -> None:
    """Send a control, wait until it is applied unless that is not wanted, say what came of it."""
    read_address(address)
    broker = find_broker(config, bootstrap)
    if not no_wait:
        _see_that_there_is_something(broker, verb, address)
    from headgate.kafka.controls import send_control

    control_id, made = send_control(
        broker.bootstrap,
        broker.config,
        address,
        verb,
        reason=reason,
        wait_seconds=0.0 if no_wait else WAIT_SECONDS,
    )
    if made is None and not no_wait:
        message = (
            f"{verb} of {address} was not applied within {WAIT_SECONDS:.0f} s; it waits in "
            f"{broker.config.topic_names.inbox} (control {control_id}). Does the job run?"
        )
        raise NotAppliedError(message)
    turn = None if made is None else made.outcome.turn
    if output is Output.JSON:
        as_json({"address": address, "verb": verb, "control_id": control_id, "turn": turn})
    elif turn is None:
        answers.print(f"{verb} of {address} is on its way")
    else:
        answers.print(f"{address} {_SAID[verb]} (turn {turn})", highlight=False)


def _see_that_there_is_something(broker: Broker, verb: str, address: str) -> None:
    """Look at the instance first: a mistyped key would make one, and say that all is well."""
    from headgate.cli.instance_views import ask

    problem = nothing_to_do(verb, address, ask(broker, address))
    if problem:
        raise NothingToDoError(problem)


def nothing_to_do(verb: str, address: str, found: InstanceReport) -> str:
    """Return why a verb makes no sense for an instance, or "" if it does."""
    if found.problem:
        # Of a newer version: nobody can see what it is like.
        return ""
    control = found.control
    if not found.HasField("control"):
        # Its first events may be expected, and not wanted yet.
        return "" if verb == "park" else f"{address} never was: mind the key"
    if verb == "resume" and not (control.parked or control.not_before_us or control.attempts):
        return f"{address} is not parked: there is nothing to resume"
    if verb == "skip" and control.mailbox_tail == control.mailbox_head:
        return f"nothing waits for {address}: there is nothing to skip"
    if verb == "cancel" and not control.HasField("in_flight"):
        return f"{address} has no turn in flight: there is nothing to cancel"
    if verb == "park" and control.parked:
        return f"{address} is parked already"
    return ""


def read_address(address: str) -> tuple[str, str]:
    """Return agent type and key; raises AddressError."""
    agent_type, slash, key = address.partition("/")
    if not (agent_type and slash and key):
        message = f"{address!r} is no address: give agent type and key, such as order/17"
        raise AddressError(message)
    return agent_type, key
