"""Tracks what a user wants through a task-oriented dialogue, by rules.

Events are user turns of dialogues in the format of Schema-Guided Dialogue, with what the system
said before. Deterministic: no model, no key, no network.
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from folding import ServiceState, fold  # type: ignore[import-not-found]

from headgate.sdk import Agent, Event, Log, TerminalError, Turn, log, serve

TURN = "dialogue.turn"
CHANGED = "dialogue.state_changed"

SCHEMA = Path(__file__).with_name("data") / "schema.json"


@dataclass
class Line:
    """One utterance of the transcript."""

    speaker: str
    utterance: str


@dataclass
class Dialogue:
    """State of one dialogue: what is wanted of each service, and all that was said."""

    turns: int = 0
    services: dict[str, ServiceState] = field(default_factory=dict)
    transcript: Log[Line] = log()  # noqa: RUF009 - declares a field, as field() does


def read_schema(path: Path) -> dict[str, frozenset[str]]:
    """Read a schema.json: for each service the slots that its intents can be given."""
    return {
        service["service_name"]: frozenset(
            slot
            for intent in service["intents"]
            for slot in (*intent["required_slots"], *intent["optional_slots"])
        )
        for service in json.loads(path.read_text(encoding="utf-8"))
    }


def make_agent(schema: Path = SCHEMA) -> Agent[Dialogue]:
    """Make the agent for the services of a schema; it takes others too, with less to go by."""
    agent = Agent(
        "dialogue_state", Dialogue, summary="Folds dialogue acts into intent and slot values"
    )
    inputs = read_schema(schema)

    @agent.on(TURN)
    def turn(turn: Turn[Dialogue], event: Event) -> None:
        try:
            spoken = _acts(event.data)
        except (AttributeError, KeyError, TypeError) as error:
            message = f"not a user turn in the format of Schema-Guided Dialogue: {error!r}"
            raise TerminalError(message) from None
        state = turn.state
        for service, (system, user) in spoken.items():
            before = state.services.get(service, ServiceState())
            state.services[service] = fold(before, system, user, inputs.get(service, frozenset()))
        state.turns += 1
        for speaker in ("system", "user"):
            said = event.data.get(speaker)
            if said:
                state.transcript.append(Line(speaker, str(said.get("utterance", ""))))
        turn.emit(
            CHANGED,
            {
                "dialogue_id": event.data.get("dialogue_id", turn.key),
                "turn_index": event.data.get("turn_index"),
                "turns": state.turns,
                "services": {
                    name: {
                        "active_intent": each.active_intent,
                        "requested_slots": each.requested_slots,
                        "slot_values": each.slot_values,
                    }
                    for name, each in state.services.items()
                },
            },
        )

    return agent


def _acts(data: dict[str, Any]) -> dict[str, tuple[list[Any], list[Any]]]:
    """Sort a turn's acts by service: (system's, user's), with the fields that the rules read."""
    found: dict[str, tuple[list[Any], list[Any]]] = {}
    for place, speaker in enumerate(("system", "user")):
        for frame in (data[speaker] or {"frames": []})["frames"]:
            acts = found.setdefault(frame["service"], ([], []))[place]
            acts.extend(
                {
                    "act": act["act"],
                    "slot": act.get("slot", ""),
                    "values": [str(value) for value in act.get("values", ())],
                }
                for act in frame["actions"]
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7071, help="0 picks a free one")
    parser.add_argument("--schema", type=Path, default=SCHEMA, help="schema.json of the services")
    args = parser.parse_args()
    serve(make_agent(args.schema), host=args.host, port=args.port)


if __name__ == "__main__":
    main()
