"""The front door over HTTP, against a desk that knows one agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from starlette.testclient import TestClient

from headgate.core import asked
from headgate.door.errors import BadRequestError, NoAnswerError, UnknownAgentError
from headgate.door.http import make_app
from headgate.door.waiting import Waiting
from headgate.errors import HeadgateError
from headgate.rpc.query import QueryError
from headgate.v1.agent_pb2 import Event
from headgate.v1.query_pb2 import QueryReply, QueryRequest
from headgate.v1.turn_pb2 import InstanceReport, Reply, Signal


class Desk:
    """A desk without Kafka: what is asked is written down, replies are those that a test gave."""

    asks_who = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, Event]] = []
        self.questions: list[tuple[str, QueryRequest, int]] = []
        self.told: list[tuple[str, Signal]] = []
        self.replies: dict[str, Reply] = {}
        self.reports: list[InstanceReport] = []
        self.at_least = 0
        self.error: HeadgateError | None = None

    def ask(self, address: str, event: Event) -> Future[Reply]:
        if self.error is not None:
            raise self.error
        if not address.startswith("order/"):
            message = f"no agent of type {address!r} is attached"
            raise UnknownAgentError(message)
        fault = asked.fault_of(event)
        if fault:
            raise BadRequestError(fault)
        self.asked.append((address, event))
        return self.reply(address, event.id)

    def reply(self, address: str, request_id: str) -> Future[Reply]:
        future: Future[Reply] = Future()
        if request_id in self.replies:
            future.set_result(self.replies[request_id])
        return future

    def signal(self, address: str, signal: Signal) -> None:
        self.told.append((address, signal))

    def query(self, address: str, question: QueryRequest, *, at_least: int = 0) -> QueryReply:
        if self.error is not None:
            raise self.error
        self.questions.append((address, question, at_least))
        return QueryReply(data=b'{"n": 1}')

    def look(self, address: str, *, at_least: int = 0) -> InstanceReport:
        self.at_least = at_least
        return self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def http(desk: Desk) -> Iterator[TestClient]:
    waiting = Waiting(desk)  # type: ignore[arg-type]
    with TestClient(make_app(waiting, max_body=1_000)) as client:
        yield client
    waiting.close()


def done(request_id: str = "a", **more: Any) -> Reply:
    return Reply(address="order/17", request_id=request_id, turn=3, at_us=1_000_000, **more)


def test_a_reply_is_its_status_result_and_outputs(desk: Desk, http: TestClient) -> None:
    desk.replies["a"] = done(answer={"data": b'{"n":1}'}, outputs=[b'{"type":"t","data":2}'])
    found = http.post(
        "/agents/order/17?type=order.ask", content=b'{"q":1}', headers={"Idempotency-Key": "a"}
    )
    assert found.status_code == 200
    assert found.json() == {
        "address": "order/17",
        "request_id": "a",
        "status": "done",
        "turn": 3,
        "at": "1970-01-01T00:00:01.000000Z",
        "result": {"n": 1},
        "outputs": [{"type": "t", "data": 2}],
    }
    ((address, event),) = desk.asked
    assert (address, event.id, event.type, event.data) == ("order/17", "a", "order.ask", b'{"q":1}')


def test_cloudevents_headers_say_the_same(desk: Desk, http: TestClient) -> None:
    desk.replies["a"] = done()
    headers = {"ce-id": "a", "ce-type": "order.ask", "ce-subject": "s", "traceparent": "00-1"}
    headers["tracestate"] = "vendor=1"
    http.post("/agents/order/eu/17", content=b"\xff", headers={**headers, "content-type": "x/y"})
    ((address, event),) = desk.asked
    assert address == "order/eu/17"
    assert (event.id, event.type, event.subject) == ("a", "order.ask", "s")
    assert (event.datacontenttype, event.traceparent, event.data) == ("x/y", "00-1", b"\xff")
    assert dict(event.extensions) == {"tracestate": "vendor=1"}


def test_what_curl_sends_is_json(desk: Desk, http: TestClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "prefer": "respond-async"}
    found = http.post("/agents/order/17", content=b'"hi"', headers=headers)
    assert found.status_code == 202
    assert desk.asked[0][1].datacontenttype == ""


def test_what_takes_long_is_asked_for_again(desk: Desk, http: TestClient) -> None:
    found = http.post(
        "/agents/order/a b", headers={"Idempotency-Key": "i/d", "prefer": "respond-async"}
    )
    assert (found.status_code, found.json()["status"]) == (202, "pending")
    place = found.headers["location"]
    assert place == "/requests/order/a%20b?id=i%2Fd"
    assert http.get(place).status_code == 202
    desk.replies["i/d"] = done("i/d")
    again = http.get(place)
    assert (again.status_code, again.json()["status"]) == (200, "done")


def test_the_caller_says_how_long_to_wait(http: TestClient) -> None:
    for prefer in ("wait=0", "respond-async, wait=0"):
        found = http.post("/agents/order/17", headers={"prefer": prefer})
        assert found.status_code == 202, prefer


@pytest.mark.parametrize(
    ("reply", "status", "shown"),
    [
        (done(answer={"refused": "no"}), 409, ("refused", None, "no")),
        (done(given_up="agent_error", message="boom"), 500, ("given_up", "agent_error", "boom")),
        (done(given_up="terminal", message="never"), 422, ("given_up", "terminal", "never")),
        (done(given_up="mailbox_full"), 429, ("given_up", "mailbox_full", "")),
    ],
)
def test_what_was_not_done_says_why(
    desk: Desk, http: TestClient, reply: Reply, status: int, shown: tuple[Any, ...]
) -> None:
    desk.replies["a"] = reply
    found = http.post("/agents/order/17", headers={"Idempotency-Key": "a"})
    body = found.json()
    assert found.status_code == status
    assert (body["status"], body.get("reason"), body["message"]) == shown


@pytest.mark.parametrize(
    ("path", "body", "refused"),
    [
        ("/agents/nobody/17", b"", (404, "unknown_agent")),
        ("/agents/order/17", b"{", (400, "bad_request")),
        ("/agents/order/17", b"1" * 1_001, (400, "bad_request")),
        ("/agents/order/17", b"[" * 1_000, (400, "bad_request")),
        ("/agents/order/17?type=headgate.timer", b"", (400, "bad_request")),
        ("/nowhere", b"", (404, "no_such_route")),
        ("/health", b"", (405, "no_such_route")),
    ],
)
def test_what_cannot_be_asked_says_why(
    desk: Desk, http: TestClient, path: str, body: bytes, refused: tuple[int, str]
) -> None:
    found = http.post(path, content=body)
    assert (found.status_code, found.json()["error"]["code"]) == refused
    assert not desk.asked


@pytest.mark.parametrize(
    ("error", "status"), [(NoAnswerError("late"), 504), (HeadgateError("no broker"), 503)]
)
def test_trouble_is_the_doors_not_the_callers(
    desk: Desk, http: TestClient, error: HeadgateError, status: int
) -> None:
    desk.error = error
    found = http.post("/agents/order/17")
    assert (found.status_code, found.json()["error"]["message"]) == (status, str(error))


def test_state_is_read_after_ones_own_writes(desk: Desk, http: TestClient) -> None:
    report = InstanceReport(address="order/17")
    report.control.turn = 4
    report.state.values["n"] = b"1"
    desk.reports.append(report)
    found = http.get("/agents/order/17?at_least=4").json()
    assert (found["turn"], found["values"], desk.at_least) == (4, {"n": 1}, 4)
    assert http.get("/agents/order/17?at_least=x").status_code == 400
    assert http.get("/agents/order/17?at_least=²").status_code == 400
    assert http.get(f"/agents/order/17?at_least={'9' * 5_000}").status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        f"/agents/keeper/{'k' * 1_025}",
        "/agents/keeper/%00%0A",
        "/signals/order/17?name=" + "n" * 2_000,
    ],
)
def test_keys_and_names_without_measure_are_refused(http: TestClient, asked: str) -> None:
    method = "POST" if asked.startswith("/signals") else "GET"
    response = http.request(method, asked)
    assert response.status_code == 400
    assert "characters" in response.json()["error"]["message"]


def test_a_signal_has_a_name(desk: Desk, http: TestClient) -> None:
    found = http.post(
        "/signals/order/17?name=approve", content=b"true", headers={"Idempotency-Key": "s"}
    )
    assert (found.status_code, found.json()["signal_id"]) == (202, "s")
    ((address, signal),) = desk.told
    assert (address, signal.name, signal.data) == ("order/17", "approve", b"true")


def workflow(status: str, turn: int, **more: Any) -> InstanceReport:
    report = InstanceReport(address="refund/17")
    report.control.turn = turn
    for name, value in {"status": status, "run": 1, **more}.items():
        report.state.values[name] = json.dumps(value).encode()
    return report


def test_a_workflow_is_started_and_waited_for(desk: Desk, http: TestClient) -> None:
    desk.reports += [workflow("running", 1), workflow("completed", 2, result={"paid": 5})]
    found = http.post("/workflows/refund/17", content=b"{}", headers={"prefer": "wait=30"})
    assert (found.status_code, found.json()["result"]) == (200, {"paid": 5})
    ((_, signal),) = desk.told
    assert (signal.name, signal.signal_id) == ("headgate.start", "headgate.start")
    desk.reports[:] = [workflow("running", 1)]
    assert http.get("/workflows/refund/17").status_code == 202
    http.delete("/workflows/refund/17")
    assert desk.told[1][1].name == "headgate.cancel"


def test_progress_is_told_turn_by_turn_and_goes_on_where_it_was(
    desk: Desk, http: TestClient
) -> None:
    seen = [workflow("running", 1), workflow("running", 1), workflow("running", 3)]
    desk.reports += [*seen, workflow("failed", 4, error="no money")]
    headers = {"accept": "text/event-stream", "last-event-id": "0"}
    found = http.get("/workflows/refund/17", headers=headers)
    events = [dict(line.split(": ", 1) for line in each.split("\n")) for each in blocks(found.text)]
    assert [(each["id"], each["event"]) for each in events] == [
        ("1", "progress"),
        ("3", "progress"),
        ("4", "end"),
    ]
    assert json.loads(events[-1]["data"])["error"] == "no money"


def blocks(text: str) -> list[str]:
    return [each for each in text.split("\n\n") if each]


def test_what_is_no_workflow_is_not_waited_for(desk: Desk, http: TestClient) -> None:
    report = InstanceReport(address="order/17")
    report.control.turn = 1
    report.state.values["status"] = b'"talking"'
    desk.reports.append(report)
    found = http.get("/workflows/order/17", headers={"prefer": "wait=60"})
    assert (found.status_code, found.json()["error"]["message"]) == (400, "order/17 is no workflow")


def test_a_query_is_passed_on_with_its_data(desk: Desk, http: TestClient) -> None:
    found = http.post("/queries/order/17?name=total&at_least=3", content=b'{"by": "ann"}')
    assert (found.status_code, found.json()) == (200, {"n": 1})
    ((address, question, at_least),) = desk.questions
    assert (address, question.name, question.data, at_least) == (
        "order/17",
        "total",
        b'{"by": "ann"}',
        3,
    )
    desk.error = QueryError("no query 'total'; it has lines")
    found = http.get("/queries/order/17?name=total")
    assert (found.status_code, found.json()["error"]["code"]) == (502, "not_answered")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil"])
def test_pages_of_other_sites_ask_for_nobody(desk: Desk, http: TestClient, origin: str) -> None:
    headers = {"origin": origin, "content-type": "text/plain"}
    for method, path in (
        ("POST", "/agents/order/17"),
        ("POST", "/signals/order/17?name=approve"),
        ("POST", "/workflows/order/17"),
        ("DELETE", "/workflows/order/17"),
    ):
        found = http.request(method, path, headers=headers)
        assert (found.status_code, found.json()["error"]["code"]) == (403, "forbidden")
    assert not (desk.asked or desk.told)
    own = {"origin": "http://testserver", "prefer": "respond-async"}
    assert http.post("/agents/order/17", headers=own).status_code == 202
