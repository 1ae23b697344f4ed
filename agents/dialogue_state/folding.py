"""The rules of dialogue state: acts of system and user in, active intent and slot values out.

Pure: the same state and acts give the same new state. The rules, for each service of a user turn:

1. System acts come first. CONFIRM holds values open until the user answers. OFFER replaces the last
   offer. OFFER_INTENT offers an intent.
2. INFORM sets a slot to its value. What the user says replaces what the system held open for it.
3. AFFIRM takes over all that the system holds open, and what it has just offered instead of
   something that failed. NEGATE takes over nothing; values confirmed before stay open, because
   users correct one value ("at eight, please") and affirm the rest later.
4. SELECT takes the last offer, also an earlier one if questions came between.
5. INFORM_INTENT names the active intent, AFFIRM_INTENT accepts the offered one. Declining it
   (NEGATE_INTENT), or NEGATE to "anything else?" (REQ_MORE), ends the intent: NONE.
6. What a user takes from an offer sets only slots that some intent of the service can be given, or
   that have a value already. Offers also name results (a price, an arrival time): no goals.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

NO_INTENT = "NONE"

# An act of system or user, as Schema-Guided Dialogue writes it: {"act", "slot", "values"}.
Act = Mapping[str, Any]
# Slots that the intents of a service can be given; empty for a service without a schema.
Inputs = frozenset[str]


@dataclass(frozen=True)
class ServiceState:
    """What the user wants of one service, and what the system has put to the user."""

    active_intent: str = NO_INTENT
    requested_slots: list[str] = field(default_factory=list)
    slot_values: dict[str, str] = field(default_factory=dict)
    unconfirmed: dict[str, str] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=dict)
    offered_intent: str = ""


def fold(
    state: ServiceState, system: Iterable[Act], user: Iterable[Act], inputs: Inputs
) -> ServiceState:
    """Return the state after one user turn and what the system said before it.

    >>> fold(ServiceState(), [], [{"act": "INFORM", "slot": "city", "values": ["Ulm"]}],
    ...      frozenset()).slot_values
    {'city': 'Ulm'}
    """
    system, user = list(system), list(user)
    state, fresh = _hear_system(state, system)
    acts = {act["act"] for act in user}
    intent = _intent(state, system, user, acts)
    values = dict(state.slot_values)
    unconfirmed, offered = dict(state.unconfirmed), dict(state.offered)

    if "SELECT" in acts:
        values |= _goals(offered, inputs, values)
        offered = {}
    if "AFFIRM" in acts:
        values |= unconfirmed
        values |= _goals(fresh, inputs, values)
        unconfirmed, offered = {}, {}
    for act in user:
        if act["act"] == "INFORM" and act["slot"] and act["values"]:
            values[act["slot"]] = act["values"][0]
            unconfirmed.pop(act["slot"], None)
    if intent != state.active_intent:
        unconfirmed = {}
    return ServiceState(
        active_intent=intent,
        requested_slots=sorted({act["slot"] for act in user if act["act"] == "REQUEST"}),
        slot_values=dict(sorted(values.items())),
        unconfirmed=unconfirmed,
        offered=offered,
        offered_intent=state.offered_intent if intent == state.active_intent else "",
    )


def _hear_system(state: ServiceState, acts: list[Act]) -> tuple[ServiceState, dict[str, str]]:
    """Rule 1. Returns the offer of this very turn too."""
    confirmed = _values(acts, "CONFIRM")
    fresh = _values(acts, "OFFER")
    intents = [act["values"][0] for act in acts if act["act"] == "OFFER_INTENT" and act["values"]]
    state = replace(
        state,
        unconfirmed=state.unconfirmed | confirmed,
        offered=fresh or state.offered,
        offered_intent=intents[-1] if intents else state.offered_intent,
    )
    return state, fresh


def _intent(state: ServiceState, system: list[Act], user: list[Act], acts: set[str]) -> str:
    """Rule 5."""
    informed = [act["values"][0] for act in user if act["act"] == "INFORM_INTENT" and act["values"]]
    if informed:
        return str(informed[-1])
    if "AFFIRM_INTENT" in acts and state.offered_intent:
        return state.offered_intent
    asked_for_more = any(act["act"] == "REQ_MORE" for act in system)
    if "NEGATE_INTENT" in acts or ("NEGATE" in acts and asked_for_more):
        return NO_INTENT
    return state.active_intent


def _goals(offer: Mapping[str, str], inputs: Inputs, values: Mapping[str, str]) -> dict[str, str]:
    """Rule 6."""
    return {slot: value for slot, value in offer.items() if slot in inputs or slot in values}


def _values(acts: list[Act], kind: str) -> dict[str, str]:
    return {
        act["slot"]: act["values"][0]
        for act in acts
        if act["act"] == kind and act["slot"] and act["values"]
    }
