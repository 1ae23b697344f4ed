"""What an instance does next: build a request, send it again, wait. Rules 1, 5 and 6 of the
protocol.

Unlike applying, dispatching looks at the clock, the registry and the mailbox. It may: what it sends
only comes true through the journal.
"""

from __future__ import annotations

from headgate.core import timers, trace
from headgate.core.canary import is_canary
from headgate.core.dedup import forget_by
from headgate.core.expiry import is_outdated, wish_to_expire
from headgate.core.identity import digest, idempotency_key, request_id_of, split_address
from headgate.core.instance import Instance
from headgate.core.letters import letter_for_event
from headgate.core.model import Decide, SendRequest, Surroundings
from headgate.core.patience import LEAST_MS
from headgate.core.reference import reference_to
from headgate.core.service import service_bytes
from headgate.core.tenancy import DEFAULT_TENANT, tenant_of
from headgate.v1.agent_pb2 import FAILURE_CODE_BUDGET, Event, TurnRequest
from headgate.v1.turn_pb2 import (
    Control,
    Controlled,
    InvokeRequest,
    Outcome,
    Policy,
    StoredControl,
)

RESEND_FIRST_MS = LEAST_MS
"""Age of a request at its first re-send. Younger, and calls that merely take long would cost a hop
each; older, and a request lost with a worker would be an outage that people notice."""

RESEND_AT_MOST_MS = 30_000
"""Longest step between re-sends: a request dropped by a full queue waits at most this long
again."""

BATCH_BYTES = 2_000_000
"""Bytes of one turn's events at most, one event always: 64 events of the largest record would be
more than a message of gRPC may hold."""

RESEND_SPREAD = 128
"""Into how many parts the upper half of a step between re-sends is divided; an instance has one."""

UNKNOWN_AGENT_WAIT_MS = 250
"""How soon to look again while the registry is still being read at start."""

PUT_BACK_US = 10_000_000
"""An instance that is dated so far ahead of the clock was so by a clock that was put back: those of
brokers and TaskManagers that are right differ by less."""

DEFAULT_LOG_WINDOW = 100

_NO_POLICY = Policy()
"""What an unknown agent's instances go by: the defaults, until somebody attaches it."""


def dispatch(instance: Instance, around: Surroundings) -> None:
    """Bring an instance on its way: effects and ``wake_ms`` of its transition."""
    spec, control = around.spec, instance.control
    policy = spec.policy if spec is not None else _NO_POLICY
    forget_by(instance, policy)
    has_one = control.HasField("in_flight")
    wishes = control.pending_controls
    while wishes and is_outdated(instance, wishes[0]):
        del wishes[0]
    # Resuming gains nothing from outrunning a turn, whose answer would be paid for in vain.
    if wishes and not (has_one and wishes[0].verb == Controlled.RESUME):
        _decide(instance, wishes[0], around)
        return
    if has_one:
        _send_again(instance, around)
        return
    if control.parked:
        return
    if control.timers:
        timers.fire(instance, around.now_ms)
    waiting = instance.mailbox_size
    if not waiting:
        if control.timers:
            # All that are set are still to come: what has fired waits.
            instance.transition.wake_ms = timers.next_due_ms(control)
        elif policy.state_ttl_ms:
            wish = wish_to_expire(instance, policy.state_ttl_ms, around.now_ms)
            if wish is not None:
                wishes.append(wish)
                _decide(instance, wish, around)
        return
    if _is_resting(control, around.now_ms * 1000) and not may_be_paid_now(control, around):
        instance.transition.wake_ms = -(-control.not_before_us // 1000)
        return
    if spec is None and not around.registry_complete:
        instance.transition.wake_ms = around.now_ms + UNKNOWN_AGENT_WAIT_MS
        return
    if spec is not None and spec.paused:
        # Nobody tells each instance when its agent goes on: it looks by itself.
        instance.transition.wake_ms = around.now_ms + RESEND_AT_MOST_MS
        return
    count = 1 if control.singles else min(waiting, policy.max_batch or 1)
    sent, fingerprints = _request(instance, count, around)
    now_ms = around.now_ms
    in_flight = control.in_flight
    in_flight.attempt = sent.call.request.attempt
    in_flight.fingerprints.extend(fingerprints)
    in_flight.sent_ms = now_ms
    in_flight.resend_ms = instance.transition.wake_ms = now_ms + around.patience_ms
    in_flight.sends = 1
    in_flight.promise = around.promise
    instance.transition.effects.append(sent)


def _is_resting(control: StoredControl, now_us: int) -> bool:
    """Tell whether a pause that a failure asked for is not over yet."""
    pause_us = control.not_before_us - control.at_us
    is_ahead = control.at_us > now_us + PUT_BACK_US
    # A budget that is spent is spent until its window ends, which is a time and not a pause.
    if is_ahead and pause_us > 0 and control.failure_code != FAILURE_CODE_BUDGET:
        # The instance is dated ahead of a clock that was put back, by an hour perhaps. The pause is
        # as long as it was asked to be, not until the clock has come there once more.
        control.not_before_us = now_us + pause_us
    return control.not_before_us > now_us


def may_be_paid_now(control: StoredControl, around: Surroundings) -> bool:
    """Tell whether what an instance waits for, a budget, was changed since it was refused."""
    is_refused = control.failure_code == FAILURE_CODE_BUDGET
    return is_refused and around.budgets_changed_us > control.at_us


def rests_until(control: StoredControl, around: Surroundings) -> int:
    """Return until when an instance that is woken may go on resting, 0 if it must be stepped.

    It may while its request is held by Invoke: a step would find nothing to do but to write down
    when to look again. A loaded job wakes as many instances as it takes turns.
    """
    if control.pending_controls or not control.HasField("in_flight"):
        return 0
    in_flight = control.in_flight
    if not around.promise or in_flight.promise != around.promise:
        return 0
    return _next_look(control, around)


def _next_look(control: StoredControl, around: Surroundings) -> int:
    # The age grows with every step. It is taken from now: after an outage of minutes there is one
    # re-send to make, not one for every step that was missed.
    age = max(RESEND_FIRST_MS, around.now_ms - control.in_flight.sent_ms)
    # Half of it to all of it, as the base has it. What came together and found a full queue would
    # else come back together, 30 s later, to a queue that had been empty for 20 (see
    # docs/fair-shares.md): the agent idles, and tenants lose their shares.
    spread = RESEND_SPREAD + control.base[-1] % RESEND_SPREAD
    return around.now_ms + min(age, RESEND_AT_MOST_MS) * spread // (2 * RESEND_SPREAD)


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
            sent, _ = _request(instance, len(in_flight.fingerprints), around)
            instance.transition.effects.append(sent)
        in_flight.resend_ms = _next_look(instance.control, around)
    instance.transition.wake_ms = in_flight.resend_ms


def _request(
    instance: Instance, count: int, around: Surroundings
) -> tuple[SendRequest, list[bytes]]:
    """Build the request of a turn over the mailbox's head; also return its events' fingerprints.

    Each message is filled where it is sent from. One that is made apart and put into another is
    copied, events and state with it; that was a third of a step's time.
    """
    control, address, spec = instance.control, instance.address, around.spec
    policy = spec.policy if spec is not None else _NO_POLICY
    raw_request = InvokeRequest()
    call = raw_request.call
    call.policy.CopyFrom(policy)
    request = call.request
    if spec is not None:
        endpoints, revision = spec.endpoints, spec.revision
        if spec.HasField("canary") and is_canary(spec, address):
            endpoints, revision = spec.canary.endpoints or endpoints, spec.canary.revision
        if endpoints:
            call.endpoint = endpoints[0]
        service = service_bytes(spec, endpoints)
        if service:
            call.service = service
        request.revision_pin = revision
    events = _add_head_events(instance, count, request)
    fingerprints = [event.fingerprint for event in events]
    base = control.base
    attempt = _attempts_of(instance, fingerprints[0]) + 1
    # The agent echoes it; a late answer to an earlier attempt cannot pass for this one's.
    request.request_id = request_id_of(base, attempt)
    request.agent_type, request.key = split_address(address)
    if spec is not None and spec.HasField("tenancy"):
        call.tenant = tenant_of(spec.tenancy, request.key)
    else:
        call.tenant = DEFAULT_TENANT
    request.base = base
    request.turn = control.turn + 1
    request.attempt = attempt
    request.idempotency_key = idempotency_key(address, base, attempt, fingerprints)
    request.deadline_ms = policy.deadline_ms
    # A re-send is the same request.
    request.asked_us = (control.in_flight.sent_ms or around.now_ms) * 1_000
    if not trace.takes(fingerprints[0], around.sampled_below):
        call.untraced = True
    window = policy.log_window or DEFAULT_LOG_WINDOW
    if control.whole_lists:
        call.whole_lists = True
        window = max((log.length for log in control.logs.values()), default=0)
    call.state_bytes = _add_state(instance, request, window)
    estimate = spec.estimate_nanos if spec is not None else 0
    return SendRequest(call, raw_request, estimate), fingerprints


def _add_head_events(instance: Instance, count: int, request: TurnRequest) -> list[Event]:
    head = instance.control.mailbox_head
    events: list[Event] = []
    size = 0
    for seq in range(head, head + count):
        raw = instance.stored_event(seq)
        size += len(raw)
        if events and size > BATCH_BYTES:
            break
        event = request.events.add()
        event.MergeFromString(raw)
        events.append(event)
    return events


def _add_state(instance: Instance, request: TurnRequest, log_window: int) -> int:
    """Add values and the newest items of lists; return the bytes of all there are, and of names."""
    sizes, lists = instance.control.values, instance.control.logs
    total = 0
    if sizes:
        values = request.state.values
        for name in sizes:
            values[name] = instance.get(f"v{name}") or b""
            total += len(name) + sizes[name]
    if lists:
        logs = request.state.logs
        for name in lists:
            log, window = lists[name], logs[name]
            window.length = log.length
            window.items.extend(instance.log_tail(name, log_window))
            total += len(name) + log.bytes
    return total


def _attempts_of(instance: Instance, fingerprint: bytes) -> int:
    control = instance.control
    return control.attempts if control.blamed == fingerprint else 0


def _decide(instance: Instance, wish: Control, around: Surroundings) -> None:
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
        outcome.caused_at_us = head.at_us
        outcome.traceparent = trace.span_of(
            head, control.base, is_taken=trace.takes(head.fingerprint, around.sampled_below)
        )
        trace.note_parents(outcome, [head])
        letter = letter_for_event(
            head,
            instance.address,
            reason="skipped",
            message=wish.reason or "skipped by an operator",
            attempts=_attempts_of(instance, head.fingerprint),
        )
        outcome.controlled.dead_letter.CopyFrom(letter)
    instance.transition.effects.append(Decide(outcome))
    instance.transition.wake_ms = around.now_ms + RESEND_FIRST_MS
