"""What activities are given and return.

Annotations are not postponed here: Temporal's converter asks for them inside its sandbox, where the
names of this module are not to be found.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ask:
    """An event for an instance; its reply is wanted, or only that it is on its way.

    cancel_signal: sent to the instance if the activity is cancelled while it waits.
    """

    address: str
    type: str
    data: Any = None
    extensions: dict[str, str] = field(default_factory=dict)
    cancel_signal: str = ""


@dataclass
class Answer:
    """What came of it: what the handler returned, the outputs as CloudEvents, the turn."""

    result: Any = None
    outputs: list[dict[str, Any]] = field(default_factory=list)
    turn: int = 0


@dataclass
class Tell:
    """A signal for an instance."""

    address: str
    name: str
    data: Any = None


@dataclass
class Run:
    """A workflow of Headgate's: its address, and what it is started with."""

    address: str
    data: Any = None
