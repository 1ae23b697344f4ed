"""Since when an agent is in trouble: unhealthy, or with work and without a turn that ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headgate.rpc.health import Answer
from headgate.v1.turn_pb2 import AgentSpec

FIT = frozenset({"serving", "no_health_service"})


@dataclass(slots=True)
class _Standing:
    busy: int | None = None
    busy_first_ms: int = 0
    unhealthy_since_ms: int = 0


class BusyTable:
    """What the looks at each agent add up to."""

    def __init__(self) -> None:
        self._of: dict[str, _Standing] = {}

    def take_busy(self, agent: str, count: int | None, now_ms: int) -> None:
        """Take how many instances have work; None: nobody said."""
        standing = self._of.setdefault(agent, _Standing())
        standing.busy = count
        if not count:
            standing.busy_first_ms = 0
        elif not standing.busy_first_ms:
            standing.busy_first_ms = now_ms

    def take_health(
        self, specs: Mapping[str, AgentSpec], answers: Mapping[str, Answer], now_ms: int
    ) -> None:
        """Take what the services said."""
        for name, spec in specs.items():
            standing = self._of.setdefault(name, _Standing())
            if is_fit(spec, answers):
                standing.unhealthy_since_ms = 0
            elif not standing.unhealthy_since_ms:
                standing.unhealthy_since_ms = now_ms
        for name in self._of.keys() - specs.keys():
            del self._of[name]

    def busy(self, agent: str) -> int | None:
        """Return how many instances had work when the job was asked last."""
        return self._of.get(agent, _Standing()).busy

    def busy_since_ms(self, agent: str, last_turn_ms: int) -> int:
        """Return since when some have had work without a turn that ended; 0: none has."""
        first_ms = self._of.get(agent, _Standing()).busy_first_ms
        return max(first_ms, last_turn_ms) if first_ms else 0

    def unhealthy_since_ms(self, agent: str) -> int:
        """Return since when no service of an agent could take turns, 0 if one can."""
        return self._of.get(agent, _Standing()).unhealthy_since_ms


def is_fit(spec: AgentSpec, answers: Mapping[str, Answer]) -> bool:
    """Tell whether any of an agent's services can take its turns."""
    return any(health_of(spec.type, answers.get(each))[0] in FIT for each in spec.endpoints)


def health_of(agent: str, answer: Answer | None) -> tuple[str, str]:
    """Return health and problem of an endpoint for an agent; ("", "") before anybody has asked."""
    if answer is None:
        return "", ""
    is_told = answer.health == "serving" and not (answer.problem or answer.is_a2a)
    if is_told and answer.revision_of(agent) is None:
        hosted = ", ".join(name for name, _ in answer.revisions) or "nothing"
        return "not_hosted", f"hosts {hosted}"
    return answer.health, answer.problem
