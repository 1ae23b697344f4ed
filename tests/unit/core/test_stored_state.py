"""Stored state of every version loads; what is written changes with the version's number only."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from headgate.core.codec import CONTROL_VERSION
from headgate.v1 import agent_pb2, cost_pb2, turn_pb2
from tests.unit.core.stored import AHEAD, FLIES, FOLDER, fixture, parsed, played, restore, stored_in

FIELDS = FOLDER / "fields.json"
VERSIONS = range(1, CONTROL_VERSION + 1)


def test_what_is_written_is_that_of_its_version() -> None:
    """Red: the form of stored state has changed. Raise CONTROL_VERSION, add an upcaster from the
    version before, and keep what the new one writes (`python -m tests.unit.core.stored`). The files
    of versions before are never edited.
    """
    assert parsed(stored_in(played())) == parsed(fixture(CONTROL_VERSION))


def test_the_fixture_has_all_kinds_of_items() -> None:
    stored = parsed(fixture(1))
    kinds = {name.split(" ")[1][:1] for name in stored}
    assert kinds >= set("mvlfwast") | {""}
    controls = {name.removesuffix(" "): each for name, each in stored.items() if name[-1] == " "}
    assert controls["desk/parked"].parked
    assert controls[FLIES].HasField("in_flight")
    assert controls[AHEAD].ahead_tail > controls[AHEAD].ahead_head
    assert controls["desk/asks"].timers
    assert any(each.kept for each in controls.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_state_of_each_version_goes_on_as_if_there_had_been_one(version: int) -> None:
    """Whatever waits is taken, in order, once: what parks, flies, is ahead, is due in two days."""
    sim, whole = played(), played()
    restore(sim, fixture(version))
    restore(whole, stored_in(whole))
    for each in (sim, whole):
        for key in ("many", "asks", "parked", "told", "ahead", "flies"):
            each.send(f"desk/{key}", "desk.noted", {"text": "later"})
        each.control("desk/parked", "skip")
        each.control("desk/parked", "resume")
        each.advance(3 * 86_400)
    for address in fixture(version):
        assert sim.outputs(address) == whole.outputs(address), address
        assert sim.state(address) == whole.state(address), address
    texts = [each.data for each in sim.outputs("desk/parked")]
    assert texts == [{"notes": number} for number in range(1, 6)]
    assert [each.data for each in sim.outputs(AHEAD)] == [{"notes": 1}, {"notes": 2}]
    assert [each.data for each in sim.outputs("desk/many")] == [
        {"notes": number} for number in (40, 41, 42)
    ]
    assert sim.outputs("desk/asks")[-1].type == "desk.reminded"


def fields_of(message: Descriptor) -> dict[str, dict[str, list[Any]]]:
    """Return number -> name, type, kind of each field, of a message and those inside it."""
    found = {
        message.full_name: {
            str(field.number): [field.name, _type(field), field.label == field.LABEL_REPEATED]
            for field in message.fields
        }
    }
    for nested in message.nested_types:
        found |= fields_of(nested)
    return found


def _type(field: FieldDescriptor) -> str:
    named = field.message_type or field.enum_type
    return named.full_name if named else str(field.type)


def all_fields() -> dict[str, dict[str, list[Any]]]:
    """Return the fields of all messages that state, journal, history and registry are made of."""
    found: dict[str, dict[str, list[Any]]] = {}
    for module in (turn_pb2, agent_pb2, cost_pb2):
        for message in module.DESCRIPTOR.message_types_by_name.values():
            found |= fields_of(message)
    return dict(sorted(found.items()))


def test_no_field_that_was_ever_written_means_something_else() -> None:
    """Numbers, names and types stay: a topic keeps records for weeks, a state for ever."""
    kept, now = json.loads(FIELDS.read_text(encoding="utf-8")), all_fields()
    for message, fields in kept.items():
        for number, field in fields.items():
            assert now.get(message, {}).get(number) == field, f"{message}, field {number}"
    new = {name for name in now if now[name] != kept.get(name)}
    assert not new, f"keep the new fields of {new}: python -m tests.unit.core.test_stored_state"


def test_a_fixture_for_each_version() -> None:
    assert sorted(path.name for path in FOLDER.glob("control-*.json")) == [
        f"control-{version}.json" for version in VERSIONS
    ]


if __name__ == "__main__":
    text = json.dumps(all_fields(), separators=(",", ":")).replace('},"', '},\n"')
    FIELDS.write_text(f"{text}\n", encoding="utf-8")
