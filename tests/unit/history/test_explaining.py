"""Which turn made a value what it was: of the store, over the wires, and as a command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from sqlalchemy import Engine
from starlette.testclient import TestClient
from typer.testing import CliRunner

from headgate.cli import app
from headgate.history import explaining
from headgate.history.answers import Answers
from headgate.history.client import HistoryClient
from headgate.history.errors import MomentError, NeverSeenError, NoSuchPathError
from headgate.history.http import make_app
from headgate.history.reading import Reader
from headgate.history.retention import remove_before
from headgate.history.rpc import History
from headgate.v1 import history_pb2_grpc
from headgate.v1.history_pb2 import Moment
from tests.unit.history.conftest import HOUR, NOW, Write
from tests.unit.history.test_strange import Idle

ROME, OSLO = {"city": "Rome"}, {"city": "Oslo"}


@pytest.fixture
def order(write: Write) -> str:
    """An instance of some turns; returns its address."""
    address = "order/1"
    write(address, 1, customer=ROME, append={"notes": "a"})
    write(address, 2, customer={**OSLO, "age": 0}, total=5)
    write(address, 3, customer={**OSLO, "age": 1})
    write(address, 4, customer={**OSLO, "age": True}, append={"notes": "b"})
    write(address, 5, other=1)
    return address


def turn_of(engine: Engine, path: str, **moment: int) -> tuple[Any, int]:
    """What is at a path, and the turn that made it."""
    [part] = Reader(engine).explain("order/1", Moment(**moment), path).parts
    assert part.path == path
    value = [json.loads(each) for each in part.list.items] or json.loads(part.value)
    return value, part.turn


def test_every_name_has_the_turn_that_made_it(engine: Engine, order: str) -> None:
    found = Reader(engine).explain(order)
    assert {each.path: each.turn for each in found.parts} == {
        "customer": 4, "notes": 4, "other": 5, "total": 2,
    }  # fmt: skip
    assert [each.record.outcome.turn for each in found.turns] == [2, 4, 5]
    assert found.turns[0].record.outcome.taken[0].id == "order/1-2"
    assert (found.turn, found.at_us, found.is_incomplete) == (5, NOW + 5 * HOUR, False)
    then = Reader(engine).explain(order, Moment(at_us=NOW + HOUR))
    assert {each.path: each.turn for each in then.parts} == {"customer": 1, "notes": 1}


def test_what_is_at_a_path_has_the_turn_since_which_it_is_so(engine: Engine, order: str) -> None:
    for path, hour, made in (
        ("total", 5, (5, 2)),
        ("notes", 3, (["a"], 1)),
        ("notes", 4, (["a", "b"], 4)),
        ("notes.0", 5, ("a", 1)),
        ("notes.1", 5, ("b", 4)),
        # The value was written twice since, this in it stayed as it was.
        ("customer.city", 5, ("Oslo", 2)),
        ("customer.city", 1, ("Rome", 1)),
        ("customer.age", 3, (1, 3)),
        # JSON's true is no 1.
        ("customer.age", 5, (True, 4)),
    ):
        value, turn = turn_of(engine, path, at_us=NOW + hour * HOUR)
        assert (path, value, type(value), turn) == (path, made[0], type(made[0]), made[1])


def test_what_was_deleted_meanwhile_is_new(engine: Engine, write: Write, order: str) -> None:
    write(order, 6, delete="customer")
    write(order, 7, customer=OSLO)
    assert turn_of(engine, "customer.city") == ("Oslo", 7)
    assert turn_of(engine, "customer.city", turn=5) == ("Oslo", 2)


def test_names_may_have_dots(engine: Engine, write: Write) -> None:
    write("order/1", 1, **{"a": {"b": {"c": 1}}, "a.b": {"c": 2}, "a.b.d": 3})
    assert turn_of(engine, "a.b.c")[0] == 2
    assert turn_of(engine, "a.b.d")[0] == 3
    assert turn_of(engine, "a.b")[0] == {"c": 2}


def test_a_path_that_leads_nowhere_is_refused(engine: Engine, order: str) -> None:
    nowhere = ("nothing", "customer.street", "total.city", "notes.2", "notes.-1", "notes.x", ".")
    for path in (*nowhere, "total" + "." * 100_000):
        with pytest.raises(NoSuchPathError, match="its names are: customer, notes, other, total"):
            Reader(engine).explain(order, path=path)


def test_the_second_axis_is_refused(engine: Engine, order: str) -> None:
    with pytest.raises(MomentError, match="leave valid_at out"):
        Reader(engine).explain(order, Moment(valid_us=NOW))


def test_what_is_not_kept_is_told(
    engine: Engine, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(engine)
    [part] = reader.explain(order, path="customer.city").parts
    assert not part.may_be_older
    remove_before(engine, NOW + int(3.5 * HOUR))
    found = reader.explain(order, path="customer.city")
    assert [(each.turn, each.may_be_older) for each in found.parts] == [(3, True)]
    # It stands, and the turn that made it is gone.
    assert turn_of(engine, "total") == (5, 2)
    assert list(reader.explain(order, path="total").turns) == []
    monkeypatch.setattr(explaining, "MOST_LOOKED_AT", 1)
    [part] = reader.explain(order, path="customer.city").parts
    assert (part.turn, part.may_be_older) == (4, True)


@pytest.fixture
def answers(engine: Engine) -> Iterator[Answers]:
    double: Any = Idle()
    made = Answers(Reader(engine), double)
    yield made
    made.close()


def test_over_http(answers: Answers, order: str) -> None:
    http = TestClient(make_app(answers))
    found = http.get(f"/explain/{order}", params={"path": "customer.city", "turn": 3}).json()
    [told] = found["names"]
    assert (found["address"], found["turn"]) == (order, 3)
    assert (told["name"], told["value"], told["turn"]) == ("customer.city", "Oslo", 2)
    assert told["made_by"]["events"][0]["id"] == "order/1-2"
    names = http.get(f"/explain/{order}").json()["names"]
    assert [each["name"] for each in names] == ["customer", "notes", "other", "total"]
    for params, status, code in (
        ({"path": "nothing"}, 404, "no_such_path"),
        ({"as_of": "2099-01-01"}, 409, "not_closed"),
        ({"valid_at": "1h"}, 400, "bad_request"),
        ({"as_off": "1h"}, 400, "bad_request"),
    ):
        refused = http.get(f"/explain/{order}", params=params)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert http.get("/explain/order/2").json()["error"]["code"] == "never_seen"


def test_a_diff_over_http(answers: Answers, order: str) -> None:
    http = TestClient(make_app(answers))
    found = http.get(f"/diff/{order}", params={"from_turn": 1, "to_turn": 4}).json()
    assert (found["from"], found["to"]) == (1, 4)
    assert [(each["name"], each["change"], each["turn"]) for each in found["changes"]] == [
        ("customer", "changed", 4),
        ("total", "added", 2),
        ("notes", "appended", 4),
    ]


@pytest_asyncio.fixture
async def endpoint(answers: Answers) -> AsyncIterator[str]:
    server = grpc.aio.server()
    history_pb2_grpc.add_HistoryServicer_to_server(History(answers), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def test_from_python_and_as_a_command(endpoint: str, order: str) -> None:
    def ask() -> None:
        with HistoryClient(endpoint) as history:
            found = history.explain(order, "customer.city", at_us=NOW + 5 * HOUR)
            assert (found.parts[0].value, found.parts[0].turn) == (b'"Oslo"', 2)
            assert history.explain(order, turn=1).turn == 1
            with pytest.raises(NeverSeenError, match="has no 'nothing' there"):
                history.explain(order, "nothing")
            with pytest.raises(NeverSeenError, match="no turn of order/2"):
                history.explain("order/2")

    def headgate(*arguments: str) -> str:
        ran = CliRunner().invoke(app.app, ["explain", order, *arguments, "--history", endpoint])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    await asyncio.to_thread(ask)
    told = json.loads(await asyncio.to_thread(headgate, "-o", "json"))
    assert [each["turn"] for each in told["names"]] == [4, 4, 5, 2]
    shown = await asyncio.to_thread(headgate, "customer.city")
    assert 'customer.city = "Oslo"' in shown
    assert "#2 at" in shown
