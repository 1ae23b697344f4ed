"""Parked instances and reports on single ones as plain dicts, for people and for JSON."""

from __future__ import annotations

from typing import Any

from headgate.core.render import rfc3339
from headgate.kafka.outcomes import code_name, data_of, verb_name
from headgate.v1.turn_pb2 import InstanceReport, ParkedInstance, StoredControl


def parked_view(address: str, parked: ParkedInstance) -> dict[str, Any]:
    """Return what is known of a parked instance."""
    return {
        "address": address,
        "since": rfc3339(parked.at_us),
        "turn": parked.turn,
        "code": code_name(parked.code) if parked.code else "",
        "message": parked.message,
    }


def report_view(found: InstanceReport) -> dict[str, Any]:
    """Return what a report says; parts that there are none of are left out."""
    shown: dict[str, Any] = {"address": found.address, "status": status_of(found)}
    if found.problem:
        return {**shown, "problem": found.problem}
    if not found.HasField("control"):
        return shown
    control = found.control
    parts: dict[str, Any] = {
        "turn": control.turn,
        "at": rfc3339(control.at_us) if control.at_us else "",
        "base": control.base.hex(),
        "failure": _failure(control),
        "in_flight": _in_flight(control),
        "not_before": rfc3339(control.not_before_us) if control.not_before_us else "",
        "waiting": control.mailbox_tail - control.mailbox_head,
        "events": [
            {"id": event.id, "type": event.type, "source": event.source} for event in found.waiting
        ],
        "timers": {
            name: "due, waits" if timer.fired else rfc3339(timer.due_us)
            for name, timer in sorted(control.timers.items())
        },
        "controls": [verb_name(each.verb) for each in control.pending_controls],
        "values": {
            name: next(iter(data_of("value", found.state.values[name]).values()))
            for name in sorted(found.state.values)
        },
        "lists": {
            name: {
                "length": window.length,
                "newest": [next(iter(data_of("item", each).values())) for each in window.items],
            }
            for name, window in sorted(found.state.logs.items())
        },
        "truncated": found.truncated,
    }
    return {**shown, **{name: part for name, part in parts.items() if part}}


def status_of(found: InstanceReport) -> str:
    """Return in a word what an instance does."""
    control = found.control
    if found.problem:
        return "unreadable"
    if not found.HasField("control"):
        return "never was"
    if control.parked:
        return "parked"
    if control.HasField("in_flight"):
        return "in flight"
    if control.not_before_us > found.now_ms * 1_000:
        return "waits to try again"
    if control.mailbox_tail > control.mailbox_head:
        return "waits"
    return "sleeps" if control.timers else "idle"


def _failure(control: StoredControl) -> dict[str, Any]:
    if not control.failure_code:
        return {}
    return {
        "code": code_name(control.failure_code),
        "message": control.failure_message,
        "attempts": control.attempts,
    }


def _in_flight(control: StoredControl) -> dict[str, Any]:
    if not control.HasField("in_flight"):
        return {}
    flight = control.in_flight
    return {
        "attempt": flight.attempt,
        "events": len(flight.fingerprints),
        "since": rfc3339(flight.sent_ms * 1_000),
        "sends": flight.sends,
        "next_look": rfc3339(flight.resend_ms * 1_000),
    }
