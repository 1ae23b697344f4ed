"""A turn writes what it changed and nothing else."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from headgate.sdk import Log, log
from headgate.sdk.errors import DefinitionError, StateError
from headgate.sdk.state import StateCodec
from headgate.v1 import agent_pb2 as pb


@dataclass
class Order:
    status: str = "new"
    items: dict[str, int] = field(default_factory=dict)
    notes: Log[str] = log()  # noqa: RUF009 - declares a field, as field() does


CODEC = StateCodec(Order)


def stored(**values: bytes) -> pb.State:
    return pb.State(values=values)


def written(mutations: list[pb.Mutation]) -> list[tuple[str, str, Any]]:
    found = []
    for mutation in mutations:
        change = mutation.WhichOneof("change")
        assert change is not None
        found.append((mutation.name, change, getattr(mutation, change)))
    return found


def test_nothing_changed_writes_nothing() -> None:
    work = CODEC.load(stored(status=b'"paid"', items=b'{"a":1}'))
    work.settle(work.state)
    assert work.mutations() == []


def test_defaults_are_not_written() -> None:
    work = CODEC.load(pb.State())
    work.state.status = "new"
    work.settle(work.state)
    assert work.mutations() == []


def test_only_changed_fields_are_written_also_when_changed_in_place() -> None:
    work = CODEC.load(stored(status=b'"paid"', items=b'{"a":1}'))
    work.state.items["b"] = 2
    work.settle(work.state)
    assert written(work.mutations()) == [("items", "set", b'{"a":1,"b":2}')]


def test_a_value_set_back_is_not_written() -> None:
    work = CODEC.load(stored(status=b'"paid"'))
    work.state.status = "lost"
    work.settle(work.state)
    work.state.status = "paid"
    work.settle(work.state)
    assert work.mutations() == []


def test_a_value_replaced_by_an_equal_one_is_not_written() -> None:
    work = CODEC.load(stored(status=b'"paid"', items=b'{"a":1}'))
    work.state.status = "".join(["pa", "id"])
    work.state.items = {"a": 1}
    work.settle(work.state)
    assert work.mutations() == []


def test_a_stored_value_set_to_the_default_is_written() -> None:
    work = CODEC.load(stored(status=b'"paid"'))
    work.state.status = Order.status
    work.settle(work.state)
    assert written(work.mutations()) == [("status", "set", b'"new"')]


def test_a_default_left_and_come_back_to_is_not_written() -> None:
    work = CODEC.load(pb.State())
    for status in ("lost", Order.status):
        work.state.status = status
        work.settle(work.state)
    assert work.mutations() == []


def test_changes_are_written_in_the_order_of_the_fields() -> None:
    work = CODEC.load(pb.State())
    work.state.items["a"] = 1
    work.settle(work.state)
    work.state.status = "paid"
    work.settle(work.state)
    assert [mutation.name for mutation in work.mutations()] == ["status", "items"]


NAMES = iter(range(1000))


@dataclass
class Named:
    name: int = field(default_factory=NAMES.__next__)


def test_a_default_that_differs_from_instance_to_instance_is_written() -> None:
    work = StateCodec(Named).load(pb.State())
    work.settle(work.state)
    assert written(work.mutations()) == [("name", "set", str(work.state.name).encode())]


@dataclass(eq=False)  # hashable, so that dataclasses let it be a default
class Place:
    street: str = ""


@dataclass
class Home:
    place: Place = Place()  # noqa: RUF009 - the shared default is the point


def test_a_shared_default_that_is_changed_in_place_is_written() -> None:
    work = StateCodec(Home).load(pb.State())
    work.state.place.street = "Elm"
    work.settle(work.state)
    assert written(work.mutations()) == [("place", "set", b'{"street":"Elm"}')]


def test_a_state_may_be_replaced_whole_but_for_its_logs() -> None:
    work = CODEC.load(pb.State())
    work.settle(Order("paid", notes=work.state.notes))
    assert written(work.mutations()) == [("status", "set", b'"paid"')]
    with pytest.raises(StateError, match="notes: a log cannot be replaced"):
        work.settle(Order("lost"))
    assert written(work.mutations()) == [("status", "set", b'"paid"')]


def test_a_value_that_does_not_fit_keeps_nothing_of_the_event() -> None:
    work = CODEC.load(pb.State())
    work.state.status = "paid"
    work.state.notes.append("x")
    work.state.items = {"a": "many"}  # type: ignore[dict-item]
    with pytest.raises(StateError, match=r"items\['a'\]: expected int, found 'many'"):
        work.settle(work.state)
    assert work.mutations() == []


def test_values_of_other_revisions_are_left_alone() -> None:
    work = CODEC.load(stored(colour=b'"red"'))
    work.state.status = "paid"
    work.settle(work.state)
    assert [mutation.name for mutation in work.mutations()] == ["status"]


def test_a_log_appends_and_clears_in_order() -> None:
    state = pb.State(logs={"notes": pb.LogWindow(length=2, items=[b'"a"', b'"b"'])})
    work = CODEC.load(state)
    work.state.notes.append("c")
    work.state.notes.clear()
    work.state.notes.append("d")
    work.settle(work.state)
    assert list(work.state.notes) == ["d"]
    assert written(work.mutations()) == [
        ("notes", "append", b'"c"'),
        ("notes", "delete", True),
        ("notes", "append", b'"d"'),
    ]


def test_a_log_shows_its_window_and_counts_the_whole() -> None:
    state = pb.State(logs={"notes": pb.LogWindow(length=5, items=[b'"d"', b'"e"'])})
    notes = CODEC.load(state).state.notes
    notes.append("f")
    assert (len(notes), notes.truncated, list(notes)) == (6, True, ["d", "e", "f"])
    assert (notes[-1], notes[-3], notes[3], notes[-10:], notes[-2:]) == (
        "f",
        "d",
        "d",
        ["d", "e", "f"],
        ["e", "f"],
    )
    with pytest.raises(IndexError, match="older than the newest 3 items"):
        notes[2]
    with pytest.raises(IndexError, match="index 6 of a log of 6 items"):
        notes[6]


def test_items_of_a_log_are_decoded_only_when_looked_at() -> None:
    state = pb.State(logs={"notes": pb.LogWindow(length=1, items=[b"{"])})
    notes = CODEC.load(state).state.notes
    assert len(notes) == 1
    with pytest.raises(StateError, match=r"notes\[0\]"):
        list(notes)


def test_a_bad_item_is_refused_where_it_is_appended() -> None:
    notes = CODEC.load(pb.State()).state.notes
    with pytest.raises(StateError, match=r"notes\[\]: expected str, found 5"):
        notes.append(5)  # type: ignore[arg-type]
    assert len(notes) == 0


@dataclass
class NoDefault:
    status: str


@dataclass
class BadDefault:
    status: str = 5  # type: ignore[assignment]


@dataclass
class Hidden:
    status: str = field(default="", init=False)


@pytest.mark.parametrize(
    ("cls", "told"),
    [
        (NoDefault, "every field of a state needs a default"),
        (BadDefault, "default of BadDefault.status: expected str"),
        (Hidden, "Hidden.status: fields with init=False"),
        (dict, "state must be a dataclass"),
    ],
)
def test_state_classes_that_cannot_work_are_refused(cls: type, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        StateCodec(cls)


def test_an_attribute_that_is_no_field_is_refused_not_lost() -> None:
    @dataclass
    class Typo:
        notes: int = 0

    work = StateCodec(Typo).load(pb.State())
    work.state._cache = 1  # type: ignore[attr-defined]
    work.settle(work.state)
    work.state.note = 1  # type: ignore[attr-defined]
    with pytest.raises(StateError, match=r"Typo has no field 'note'.*did you mean 'notes'"):
        work.settle(work.state)
