"""The scenarios. Their agent does what its events say; see ``headgate.sim.scripted``."""

from __future__ import annotations

from typing import Any

from tests.scenarios.scenario import Expected, Operate, Scenario, Send, Tell

A, B, C = "scripted/a", "scripted/b", "scripted/c"


def _send(address: str, *scripts: dict[str, Any], first: int = 0) -> tuple[Send, ...]:
    return tuple(Send(address, f"e{n}", script) for n, script in enumerate(scripts, first))


def _ids(*numbers: int) -> tuple[str, ...]:
    return tuple(f"e{n}" for n in numbers)


TAKE: dict[str, Any] = {"do": "take"}


def _tell(to: str, name: str, say: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the script of a message to ``to``, which knows itself by that name."""
    return {"do": "tell", "to": to, "say": {**(say or TAKE), "as": name}}


def _set(name: str, after_ms: int, known_as: str = "early") -> dict[str, Any]:
    return {"do": "set", "name": name, "after_ms": after_ms, "say": {"do": "take", "as": known_as}}


SCENARIOS = (
    Scenario(
        "events of two instances, in order",
        tuple(s for n in range(8) for s in (Send(A, f"e{n}"), Send(B, f"e{n}"))),
        {A: Expected(_ids(*range(8))), B: Expected(_ids(*range(8)))},
    ),
    Scenario(
        "a producer repeats itself",
        (*_send(A, TAKE, TAKE), *_send(A, TAKE, TAKE), *_send(A, TAKE, first=2)),
        {A: Expected(_ids(0, 1, 2))},
    ),
    Scenario(
        "a failure that passes",
        _send(A, TAKE, {"do": "retry", "times": 2, "after_ms": 300}, TAKE),
        {A: Expected(_ids(0, 1, 2))},
    ),
    Scenario(
        "one bad event costs its neighbours nothing",
        _send(A, TAKE, {"do": "fail"}, TAKE, {"do": "terminal"}, TAKE),
        {A: Expected(_ids(0, 2, 4), (("e1", "agent_error"), ("e3", "terminal")))},
    ),
    Scenario(
        "a batch that cannot be taken as one",
        _send(A, TAKE, {"do": "shun"}, TAKE, {"do": "shun"}, TAKE),
        {A: Expected(_ids(0, 1, 2, 3, 4))},
    ),
    Scenario(
        "an agent that lies, then does not",
        _send(A, {"do": "lie_base"}, {"do": "lie_ids"}, {"do": "lie_silent"}, TAKE),
        {A: Expected(_ids(0, 1, 2, 3))},
    ),
    Scenario(
        "an agent that lies for ever",
        _send(A, {"do": "lie_base", "times": 9}, TAKE),
        {A: Expected(_ids(1), (("e0", "bad_reply"),))},
    ),
    Scenario(
        "an answer over the size limit",
        _send(A, {"do": "large", "times": 9}, TAKE),
        {A: Expected(_ids(1), (("e0", "too_large"),))},
    ),
    Scenario(
        "a call without an answer",
        _send(A, {"do": "hang"}, TAKE),
        {A: Expected(_ids(0, 1))},
    ),
    Scenario(
        "a service that is away for a while",
        _send(A, {"do": "unavailable", "times": 3}, TAKE),
        {A: Expected(_ids(0, 1))},
        # Charged for it, the event would have no attempt left.
        max_batch=1,
    ),
    Scenario(
        "a parked instance parks nobody else, and is skipped",
        (
            *_send(A, TAKE, {"do": "park", "times": 9}, TAKE),
            *_send(B, TAKE, TAKE),
            Operate(A, "skip"),
        ),
        {A: Expected(_ids(0, 2), (("e1", "skipped"),)), B: Expected(_ids(0, 1))},
    ),
    Scenario(
        "exhausted attempts park where the policy says so",
        (*_send(A, TAKE, {"do": "fail"}, TAKE), *_send(B, TAKE)),
        {A: Expected(_ids(0), is_parked=True), B: Expected(_ids(0))},
        parks=True,
        max_batch=1,
    ),
    Scenario(
        "messages come once, in the order of sending, from one to the next",
        _send(A, *(_tell(B, f"m{n}", say=_tell(C, f"r{n}")) for n in range(6))),
        {
            A: Expected(_ids(*range(6))),
            B: Expected(tuple(f"m{n}" for n in range(6))),
            C: Expected(tuple(f"r{n}" for n in range(6))),
        },
    ),
    Scenario(
        "timers fire once; what is replaced or cancelled does not",
        (
            *_send(A, _set("kept", 600_000), _set("gone", 600_000)),
            *_send(A, {"do": "unset", "name": "gone"}, _set("kept", 300, "later"), first=2),
        ),
        {A: Expected((*_ids(0, 1, 2, 3), "later"))},
    ),
    Scenario(
        "signals are taken once, beside events",
        (
            Tell(B, "s1", TAKE),
            *_send(A, TAKE, TAKE),
            Tell(B, "s1", TAKE),
            Tell(B, "s2", {"do": "retry", "times": 1}),
        ),
        {A: Expected(_ids(0, 1)), B: Expected(("s1", "s2"))},
    ),
    Scenario(
        "an instance is reset",
        (*_send(A, TAKE, TAKE), Operate(A, "reset"), *_send(A, TAKE, first=2)),
        {A: Expected(_ids(2))},
    ),
)
