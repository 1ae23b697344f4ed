"""How a workflow may be: the values of its status, for who runs it and who looks at it."""

NEW, RUNNING = "new", "running"
COMPLETED, FAILED, CANCELLED, TERMINATED = "completed", "failed", "cancelled", "terminated"

ENDED = frozenset((COMPLETED, FAILED, CANCELLED, TERMINATED))
