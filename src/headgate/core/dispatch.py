"""What an instance does next: build a request, send it again, wait. Rules 1, 5 and 6 of the
protocol.

Unlike applying, dispatching looks at the clock, the registry and the mailbox. It may: what it sends
only comes true through the journal.
"""

from __future__ import annotations

from headgate.core.dedup import DEFAULT_WINDOW_COUNT, DEFAULT_WINDOW_MS, forget
from headgate.core.identity import digest, idempotency_key, split_address
from headgate.core.instance import Instance
from headgate.core.letters import letter_for_event
from headgate.core.model import Decide, SendRequest, Surroundings
from headgate.core.patience import LEAST_MS
from headgate.core.reference import reference_to
from headgate.core.service import service_bytes
from headgate.v1.agent_pb2 import Event, LogWindow, TurnRequest
from headgate.v1.turn_pb2 import AgentSpec, Call, Control, Controlled, InFlight, Outcome, Policy

RESEND_FIRST_MS = LEAST_MS
"""Age of a request at its first re-send. Younger, and calls that merely take long would cost a hop
each; older, and a request lost with a worker would be an outage that people notice."""

RESEND_AT_MOST_MS = 30_000
"""Longest step between re-sends: a request dropped by a full queue waits at most this long
again."""

BATCH_BYTES = 2_000_000
"""Payload of one turn's events at most, one event always: 64 events of the largest record would be
more than a message of gRPC may hold."""

UNKNOWN_AGENT_WAIT_MS = 250
"""How soon to look again while the registry is still being read at start."""

DEFAULT_LOG_WINDOW = 100


def dispatch(instance: Instance, around: Surroundings) -> None:
    """Bring an instance on its way: effects and ``wake_ms`` of its transition."""
    spec, control = around.spec, instance.control
    policy = spec.policy if spec is not None else None
    forget(
        instance,
        (policy and policy.dedup_window_count) or DEFAULT_WINDOW_COUNT,
        (policy and policy.dedup_window_ms) or DEFAULT_WINDOW_MS,
    )
    in_flight = control.HasField("in_flight")
    if control.pending_controls and not (
        # Resuming gains nothing from outrunning a turn, whose answer would be paid for in vain.
        in_flight and control.pending_controls[0].verb == Controlled.RESUME
    ):
        _decide(instance, control.pending_controls[0], around.now_ms)
        return
    if in_flight:
        _send_again(instance, around)
        return
    if control.parked or not instance.mailbox_size:
        return
    if control.not_before_us > around.now_ms * 1000:
        instance.transition.wake_ms = -(-control.not_before_us // 1000)
        return
    if spec is None and not around.registry_complete:
        instance.transition.wake_ms = around.now_ms + UNKNOWN_AGENT_WAIT_MS
        return
    if spec is not None and spec.paused:
        # Nobody tells each instance when its agent goes on: it looks by itself.
        instance.transition.wake_ms = around.now_ms + RESEND_AT_MOST_MS
        return
    count = min(instance.mailbox_size, (policy and policy.max_batch) or 1)
    if control.singles:
        count = 1
    call = _call(instance, count, spec)
    control.in_flight.CopyFrom(
        InFlight(
            attempt=call.request.attempt,
            fingerprints=[event.fingerprint for event in call.request.events],
            sent_ms=around.now_ms,
            resend_ms=around.now_ms + around.patience_ms,
            sends=1,
            promise=around.promise,
        )
    )
    instance.transition.effects.append(SendRequest(call))
    instance.transition.wake_ms = around.now_ms + around.patience_ms


def _send_again(instance: Instance, around: Surroundings) -> None:
    in_flight = instance.control.in_flight
    if around.spec is None and not around.registry_complete:
        # A restored Gate may be here before its registry: asking nobody would fail the turn for
        # good.
        instance.transition.wake_ms = around.now_ms + UNKNOWN_AGENT_WAIT_MS
        return
    if around.now_ms >= in_flight.resend_ms:
        if not around.promise or in_flight.promise != around.promise:
            in_flight.sends += 1
            in_flight.promise = around.promise
            call = _call(instance, len(in_flight.fingerprints), around.spec)
            instance.transition.effects.append(SendRequest(call))
        # The age doubles with every step. It is taken from now: after an outage of minutes there is
        # one re-send to make, not one for every step that was missed.
        age = max(RESEND_FIRST_MS, around.now_ms - in_flight.sent_ms)
        in_flight.resend_ms = around.now_ms + min(age, RESEND_AT_MOST_MS)
    instance.transition.wake_ms = in_flight.resend_ms


def _call(instance: Instance, count: int, spec: AgentSpec | None) -> Call:
    control = instance.control
    agent_type, key = split_address(instance.address)
    policy = spec.policy if spec is not None else Policy()
    events = _head_events(instance, count)
    attempt = _attempts_of(instance, events[0]) + 1
    request = TurnRequest(
        # The agent echoes it; a late answer to an earlier attempt cannot pass for this one's.
        request_id=control.base + attempt.to_bytes(4, "big"),
        agent_type=agent_type,
        key=key,
        base=control.base,
        turn=control.turn + 1,
        attempt=attempt,
        events=events,
        idempotency_key=idempotency_key(
            instance.address, control.base, attempt, [e.fingerprint for e in events]
        ),
        deadline_ms=policy.deadline_ms,
        revision_pin=spec.revision if spec is not None else "",
        traceparent=events[0].traceparent,
    )
    for name in control.values:
        request.state.values[name] = instance.get(f"v{name}") or b""
    for name, log in control.logs.items():
        tail = instance.log_tail(name, policy.log_window or DEFAULT_LOG_WINDOW)
        request.state.logs[name].CopyFrom(LogWindow(length=log.length, items=tail))
    endpoint = spec.endpoints[0] if spec is not None and spec.endpoints else ""
    return Call(
        request=request,
        endpoint=endpoint,
        policy=policy,
        state_bytes=instance.state_bytes(),
        service=service_bytes(spec) if spec is not None else b"",
    )


def _head_events(instance: Instance, count: int) -> list[Event]:
    events: list[Event] = []
    size = 0
    for seq in range(instance.control.mailbox_head, instance.control.mailbox_head + count):
        event = instance.peek(seq)
        size += len(event.data)
        if events and size > BATCH_BYTES:
            break
        events.append(event)
    return events


def _attempts_of(instance: Instance, event: Event) -> int:
    control = instance.control
    return control.attempts if control.blamed == event.fingerprint else 0


def _decide(instance: Instance, wish: Control, now_ms: int) -> None:
    """Ask Invoke to journal a control against the current base. If it loses, the next base is
    tried."""
    control = instance.control
    agent_type, key = split_address(instance.address)
    outcome = Outcome(
        agent_type=agent_type,
        key=key,
        base=control.base,
        turn=control.turn + 1,
        # The same for a re-send, so that a control journaled twice on one base is one outcome.
        outcome_id=digest("control", instance.address, control.base, wish.control_id),
        controlled=Controlled(verb=wish.verb, control_id=wish.control_id, reason=wish.reason),
    )
    if wish.verb == Controlled.SKIP and instance.mailbox_size:
        head = instance.peek(control.mailbox_head)
        outcome.taken.append(reference_to(head))
        letter = letter_for_event(
            head,
            instance.address,
            reason="skipped",
            message=wish.reason or "skipped by an operator",
            attempts=_attempts_of(instance, head),
        )
        outcome.controlled.dead_letter.CopyFrom(letter)
    instance.transition.effects.append(Decide(outcome))
    instance.transition.wake_ms = now_ms + RESEND_FIRST_MS
