"""What an instance remembers of its A2A tasks: a reserved value of its state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.v1.agent_pb2 import Mutation, TurnRequest

NAME = "a2a.task"


@dataclass(frozen=True, slots=True)
class Memory:
    """The task that the next message continues ("" if none); the tasks that run on, each with a
    timer that asks for its end; and the artifacts of either that were sent to the outbox already,
    since a task shows all of them in each answer.
    """

    continues: str = ""
    running: frozenset[str] = frozenset()
    artifacts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, request: TurnRequest) -> Memory:
        """Return what the instance's state says."""
        raw = request.state.values.get(NAME)
        if not raw:
            return cls()
        try:
            stored = json.loads(raw)
            sent = {str(task): tuple(map(str, ids)) for task, ids in stored["artifacts"].items()}
            return cls(str(stored["continues"]), frozenset(map(str, stored["running"])), sent)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # Left by an agent on another wire: no memory of this one's.
            return cls()

    def sent_of(self, task: str) -> tuple[str, ...]:
        """Return the artifacts of a task that have left already."""
        return self.artifacts.get(task, ())

    def running_on(self, task: str) -> Memory:
        """Remember a task that a timer asks for; the next message goes to it meanwhile."""
        return self._with(task, self.running | {task}, self.sent_of(task))

    def waiting(self, task: str, sent: tuple[str, ...]) -> Memory:
        """Remember a task that waits for the next message, and what of it has left."""
        return self._with(task, self.running - {task}, sent)

    def without(self, task: str) -> Memory:
        """Forget a task."""
        continues = "" if self.continues == task else self.continues
        return self._with(continues, self.running - {task}, self.sent_of(continues))

    def mutation(self) -> Mutation:
        """Return the change of state that keeps it."""
        if not self.continues and not self.running:
            return Mutation(name=NAME, delete=True)
        stored = {
            "continues": self.continues,
            "running": sorted(self.running),
            "artifacts": dict(self.artifacts),
        }
        return Mutation(name=NAME, set=json.dumps(stored).encode())

    def _with(self, continues: str, running: frozenset[str], sent: tuple[str, ...]) -> Memory:
        kept = {task: self.sent_of(task) for task in sorted(running)} | {continues: sent}
        return Memory(continues, running, {task: ids for task, ids in kept.items() if ids})
