"""What an instance remembers of its A2A task: a reserved value of its state."""

from __future__ import annotations

import json
from dataclasses import dataclass

from headgate.v1.agent_pb2 import Mutation, TurnRequest

NAME = "a2a.task"


@dataclass(frozen=True, slots=True)
class Memory:
    """The task that the next message continues ("" if none), and its artifacts that were sent to
    the outbox already: a task shows all of them in each answer. ``is_running``: its end is still to
    come, and a timer is set to ask for it.
    """

    task_id: str = ""
    artifacts: tuple[str, ...] = ()
    is_running: bool = False

    @classmethod
    def of(cls, request: TurnRequest) -> Memory:
        """Return what the instance's state says."""
        raw = request.state.values.get(NAME)
        if not raw:
            return cls()
        stored = json.loads(raw)
        return cls(stored["id"], tuple(stored["artifacts"]), stored.get("running", False))

    def mutation(self) -> Mutation:
        """Return the change of state that keeps it."""
        if not self.task_id:
            return Mutation(name=NAME, delete=True)
        stored = {"id": self.task_id, "artifacts": self.artifacts, "running": self.is_running}
        return Mutation(name=NAME, set=json.dumps(stored).encode())
