"""Dialogues in the format of Schema-Guided Dialogue: read, turn into events, run plainly, score."""

import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from headgate.sdk import Agent
from headgate.sdk.testing import AgentTester, Emitted, Stored

AGENT = Path(__file__).parents[3] / "agents" / "dialogue_state" / "agent.py"
EVENT_TYPE = "dialogue.turn"

Dialogue = Mapping[str, Any]
# {service: {slot: [accepted value, ...]}} for gold, {service: {slot: value}} for predictions.
Gold = dict[str, dict[str, list[str]]]
Predicted = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class SequentialTurn:
    """One turn of the plain run: what is stored after it, and what it emitted."""

    dialogue_id: str
    turn_index: int
    stored: Stored
    outputs: list[Emitted]


def read_dialogues(folder: Path) -> list[Dialogue]:
    """Read all dialogues_*.json of a folder, in the order of their names."""
    return [
        dialogue
        for path in sorted(folder.glob("dialogues_*.json"))
        for dialogue in json.loads(path.read_text(encoding="utf-8"))
    ]


def to_events(dialogue: Dialogue) -> list[dict[str, Any]]:
    """Make the data of each user turn's event: with what the system said before, without gold.

    >>> said = {"speaker": "USER", "utterance": "Hi", "frames": [{"service": "S_1", "state": {}}]}
    >>> to_events({"dialogue_id": "1", "services": ["S_1"], "turns": [said]})[0]["user"]
    {'frames': [{'service': 'S_1'}], 'utterance': 'Hi'}
    """
    events: list[dict[str, Any]] = []
    system: dict[str, Any] | None = None
    for index, turn in enumerate(dialogue["turns"]):
        said = {
            "frames": [
                {name: value for name, value in frame.items() if name != "state"}
                for frame in turn["frames"]
            ],
            "utterance": turn["utterance"],
        }
        if turn["speaker"] == "SYSTEM":
            system = said
            continue
        events.append(
            {
                "dialogue_id": dialogue["dialogue_id"],
                "turn_index": index,
                "services": list(dialogue["services"]),
                "system": system,
                "user": said,
            }
        )
        system = None
    return events


def gold_states(dialogue: Dialogue) -> list[Gold]:
    """Return the gold slot values of each user turn, for the services of its frames."""
    return [
        {frame["service"]: frame["state"]["slot_values"] for frame in turn["frames"]}
        for turn in dialogue["turns"]
        if turn["speaker"] == "USER"
    ]


def predicted_state(output: Mapping[str, Any]) -> Predicted:
    """Return the slot values that a dialogue.state_changed event tells."""
    return {name: state["slot_values"] for name, state in output["services"].items()}


def joint_goal_accuracy(predicted: Iterable[Predicted], gold: Iterable[Gold]) -> float:
    """Share of user turns whose slot values are all right, for every service of the turn.

    As DSTC8 scores, but for its fuzzy match: a value counts if it equals, but for case, any of the
    values that gold accepts; a slot too many or too few makes the turn wrong.

    >>> joint_goal_accuracy([{"S_1": {"city": "ulm"}}], [{"S_1": {"city": ["Ulm"]}}])
    1.0
    """
    results = [
        all(_fits(told.get(service, {}), slots) for service, slots in wanted.items())
        for told, wanted in zip(predicted, gold, strict=True)
    ]
    return sum(results) / len(results) if results else 0.0


def _fits(told: Mapping[str, str], wanted: Mapping[str, list[str]]) -> bool:
    return told.keys() == wanted.keys() and all(
        told[slot].casefold() in {value.casefold() for value in accepted}
        for slot, accepted in wanted.items()
    )


def load_agent(schema: Path | None = None, path: Path = AGENT) -> Agent[Any]:
    """Load the dialogue_state agent from its folder, which is no package."""
    module = _load(path)
    made: Agent[Any] = module.make_agent(schema) if schema else module.make_agent()
    return made


def _load(path: Path) -> ModuleType:
    name = f"headgate_agent_{path.parent.name}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        message = f"no agent at {path}"
        raise FileNotFoundError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Run as a script, an agent finds its neighbours; so it must here.
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def run_sequentially(
    dialogues: Iterable[Dialogue], schema: Path | None = None
) -> dict[str, list[SequentialTurn]]:
    """Run the agent plainly, turn after turn, without Headgate: what the demo compares with."""
    tester: AgentTester[Any] = AgentTester(load_agent(schema))
    turns: dict[str, list[SequentialTurn]] = {}
    for dialogue in dialogues:
        key = dialogue["dialogue_id"]
        for data in to_events(dialogue):
            result = tester.send(key, EVENT_TYPE, data)
            if result.failure is not None:
                message = f"dialogue {key}, turn {data['turn_index']}: {result.failure.message}"
                raise ValueError(message)
            turns.setdefault(key, []).append(
                SequentialTurn(key, data["turn_index"], result.stored, result.outputs)
            )
    return turns
