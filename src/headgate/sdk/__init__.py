"""What authors of agent services import: agents, turns, and `serve`."""

from headgate.sdk.agent import Agent, on, on_query, on_signal, on_timer
from headgate.sdk.batcher import Batcher
from headgate.sdk.calls import Refusal
from headgate.sdk.errors import Park, RetryableError, TerminalError
from headgate.sdk.event import Event
from headgate.sdk.log import Log, log
from headgate.sdk.server import Server, aserve, serve
from headgate.sdk.turn import Turn

__all__ = [
    "Agent",
    "Batcher",
    "Event",
    "Log",
    "Park",
    "Refusal",
    "RetryableError",
    "Server",
    "TerminalError",
    "Turn",
    "aserve",
    "log",
    "on",
    "on_query",
    "on_signal",
    "on_timer",
    "serve",
]
