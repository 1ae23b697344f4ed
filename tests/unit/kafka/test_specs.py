"""Agents of headgate.toml as records of the registry."""

import pytest
from google.protobuf.message import Message

from headgate.config import loads
from headgate.kafka.specs import read_job, read_spec, specs_of
from headgate.v1.agent_pb2 import ADVICE_PARK
from headgate.v1.connection_pb2 import WIRE_A2A, Breaker, CallLimits, Connection, Tls, Token
from headgate.v1.turn_pb2 import AgentSpec, JobRecord, Policy, Route

TOML = """
[limits]
dedup_window_count = 7
dedup_window = "3s"
[agents.order]
endpoint = "localhost:7070"
[agents.order.policy]
deadline = "1500us"
max_attempts = 3
backoff = {initial = "200ms", max = "30s", multiplier = 3.0, jitter = 0.5}
max_batch = 9
on_exhausted = "park"
max_state = "5KB"
log_window = 11
state_ttl = "90s"
mailbox_limit = 12
on_full = "hold_back"
"""


def test_a_policy_is_carried_whole_in_milliseconds() -> None:
    spec = specs_of(loads(TOML))["order"]
    assert spec == AgentSpec(
        type="order",
        endpoints=["localhost:7070"],
        schema_version=1,
        policy=Policy(
            deadline_ms=2,  # rounded up: never less than was asked for
            max_attempts=3,
            backoff_initial_ms=200,
            backoff_max_ms=30_000,
            backoff_multiplier=3.0,
            backoff_jitter=0.5,
            max_batch=9,
            on_exhausted=ADVICE_PARK,
            max_state_bytes=5_000,
            log_window=11,
            dedup_window_count=7,
            dedup_window_ms=3_000,
            state_ttl_ms=90_000,
            mailbox_limit=12,
            holds_back=True,
        ),
    )


def test_an_agent_may_have_a_dedup_window_of_its_own() -> None:
    text = TOML + 'dedup_window = "1d"\n[agents.other]\nendpoint = "localhost:7071"\n'
    text += "[agents.other.policy]\ndedup_window_count = 8\n"
    windows = {
        name: (spec.policy.dedup_window_count, spec.policy.dedup_window_ms)
        for name, spec in specs_of(loads(text)).items()
    }
    # What it does not name is that of [limits].
    assert windows == {"order": (7, 86_400_000), "other": (8, 3_000)}


def test_no_field_of_the_policy_is_forgotten() -> None:
    policy = specs_of(loads(TOML))["order"].policy
    assert {field.name for field, _ in policy.ListFields()} == set(Policy.DESCRIPTOR.fields_by_name)


def test_a_spec_that_was_written_is_read() -> None:
    spec = AgentSpec(type="order", schema_version=1)
    assert read_spec(b"order", spec.SerializeToString()) == spec


BAD_ROUTE = AgentSpec(type="o", routes=[Route(topic="shop", type=" x")])


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        (b"order", b"\xff\xff", "cannot be parsed"),
        (b"\xff", AgentSpec(type="order").SerializeToString(), "cannot be parsed"),
        (b"other", AgentSpec(type="order").SerializeToString(), "is not its type"),
        (None, b"", "is not its type"),
        (b"o", AgentSpec(type="o", schema_version=2).SerializeToString(), "newer than this"),
        (b"o", BAD_ROUTE.SerializeToString(), "its route from 'shop': event type pattern ' x'"),
    ],
)
def test_a_bad_record_is_a_reason_and_no_error(key: bytes, value: bytes, why: str) -> None:
    read = read_spec(key, value)
    assert isinstance(read, str)
    assert why in read


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff\xff", JobRecord(schema_version=2).SerializeToString()]
)
def test_a_job_record_that_is_not_understood_is_none(value: bytes | None) -> None:
    assert read_job(value) is None
    known = JobRecord(topics=["shop"], schema_version=1)
    assert read_job(known.SerializeToString()) == known


def test_routes_go_with_the_agent_they_lead_to() -> None:
    text = '[[topics]]\nname = "shop"\n' + "".join(
        f'[[routes]]\ntopic = "shop"\nagent = "{name}"\n{more}[agents.{name}]\nendpoint = "h:1"\n'
        for name, more in (("order", 'type = "shop.*"\n'), ("audit", ""))
    )
    specs = specs_of(loads(text))
    assert list(specs["order"].routes) == [Route(topic="shop", type="shop.*")]
    assert list(specs["audit"].routes) == [Route(topic="shop")]


CONNECTED = """
[agents.order]
endpoint = "far.away:7070"
replicas = ["far.away:7071"]
wire = "a2a"
[agents.order.policy]
concurrency = 7
rate = 2.5
burst = 3
[agents.order.policy.breaker]
failures = 2
pause = "3s"
pause_max = "4s"
[agents.order.tls]
ca_file = "ca"
cert_file = "cert"
key_file = "key"
server_name = "name"
[agents.order.token]
file = "token"
header = "x-api-key"
scheme = ""
"""


def test_a_connection_is_carried_whole() -> None:
    spec = specs_of(loads(CONNECTED))["order"]
    assert list(spec.endpoints) == ["far.away:7070", "far.away:7071"]
    assert spec.policy.max_batch == 1
    assert spec.limits == CallLimits(concurrency=7, rate=2.5, burst=3)
    assert spec.connection == Connection(
        wire=WIRE_A2A,
        tls=Tls(ca_file="ca", cert_file="cert", key_file="key", server_name="name"),
        token=Token(file="token", header="x-api-key", scheme=""),
        breaker=Breaker(failures=2, pause_ms=3_000, pause_max_ms=4_000),
    )


@pytest.mark.parametrize("message", [Connection, Tls, CallLimits])
def test_no_field_of_a_connection_is_forgotten(message: type[Message]) -> None:
    spec = specs_of(loads(CONNECTED))["order"]
    carried = {Connection: spec.connection, Tls: spec.connection.tls, CallLimits: spec.limits}
    made = {field.name for field, _ in carried[message].ListFields()}
    assert made == set(message.DESCRIPTOR.fields_by_name)


def test_a_breaker_that_never_trips_is_off() -> None:
    text = '[agents.a]\nendpoint = "h:1"\npolicy.breaker.failures = 0'
    assert specs_of(loads(text))["a"].connection.breaker.off


def test_a_token_in_the_environment_is_named_only() -> None:
    text = '[agents.a]\nendpoint = "localhost:1"\ntoken.env = "AGENT_TOKEN"'
    token = specs_of(loads(text))["a"].connection.token
    assert token == Token(env="AGENT_TOKEN", header="authorization", scheme="Bearer")
