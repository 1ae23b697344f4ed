"""Sending an operator's decision about one instance, and waiting for the turn that it makes."""

from __future__ import annotations

from pathlib import Path

from headgate.cli.broker import find_broker
from headgate.cli.look import Output, answers, as_json
from headgate.errors import HeadgateError

# A checkpoint makes it visible; a job that fails over takes half a minute on a busy machine.
WAIT_SECONDS = 60.0


class AddressError(HeadgateError):
    """An instance is named by agent type and key.

    Operator action: give both, with a slash between them.
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
        answers.print(f"{verb} of {address} is turn {turn}")


def read_address(address: str) -> tuple[str, str]:
    """Return agent type and key; raises AddressError."""
    agent_type, slash, key = address.partition("/")
    if not (agent_type and slash and key):
        message = f"{address!r} is no address: give agent type and key, such as order/17"
        raise AddressError(message)
    return agent_type, key
