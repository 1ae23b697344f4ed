"""An agent that keeps the notes of an order and answers each message."""

from dataclasses import dataclass
from typing import Any

from headgate.sdk import Agent, Event, Log, TerminalError, Turn, log, serve


@dataclass
class Order:
    """State of one order."""

    status: str = "new"
    notes: Log[str] = log()  # noqa: RUF009 - declares a field, as field() does


agent = Agent("order", state=Order, summary="Keeps the notes of an order")


@agent.on("shop.order.message")
def message(turn: Turn[Order], event: Event) -> None:
    """Note what was said, and count."""
    said: dict[str, Any] = event.data
    if turn.state.status == "closed":
        refused = "the order is closed"
        raise TerminalError(refused)
    turn.state.status = "talking"
    turn.state.notes.append(said["text"])
    turn.emit("shop.order.reply", {"text": f"noted: {said['text']}"})


@agent.on("shop.order.close")
def close(turn: Turn[Order], event: Event) -> None:
    """Take no more messages."""
    turn.state.status = "closed"
    turn.emit("shop.order.closed", {"notes": len(turn.state.notes)})


if __name__ == "__main__":
    serve(agent, port=7070)
