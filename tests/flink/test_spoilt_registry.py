"""A registry that somebody has spoilt, and the job that follows it."""

from __future__ import annotations

import pytest

from headgate.kafka.connect import open_producer
from headgate.kafka.registry import publish_job, write_specs
from headgate.testing.serving import Serving
from headgate.v1.turn_pb2 import AgentSpec, Policy, Route
from tests.flink.runtime import Runtime, mirror
from tests.flink.test_attach import TOPIC, await_routed

pytestmark = [pytest.mark.flink, pytest.mark.slow]


def test_a_spoilt_registry_harms_nobody(runtime: Runtime) -> None:
    """Whoever can write the topic may write anything: agents that cannot be read are not there,
    those that cannot be reached wait, and the next one is attached as ever.
    """
    config = runtime.config
    bootstrap, registry = config.kafka.bootstrap, config.topic_names.registry
    policy = Policy(deadline_ms=1_000, max_attempts=2, max_batch=4, max_state_bytes=1_000_000)

    def spec(name: str, **fields: object) -> AgentSpec:
        made: dict[str, object] = {"endpoints": ["127.0.0.1:9"], "policy": policy, **fields}
        return AgentSpec(type=name, schema_version=1, **made)  # type: ignore[arg-type]

    strange = {
        each: runtime.fresh(each)
        for each in ("nowhere", "no-target", "wide", "unknown-wire", "no-files", "no-policy")
    }
    to_all = [Route(topic=TOPIC, type="spoilt.*")]
    tls = spec("x")
    tls.connection.tls.ca_file = "/nowhere/ca.crt"
    unknown = spec("x")
    unknown.connection.wire = 99  # type: ignore[assignment]
    specs: dict[str, AgentSpec | None] = {
        strange["nowhere"]: spec(strange["nowhere"], endpoints=[], routes=to_all),
        strange["no-target"]: spec(strange["no-target"], endpoints=["::/\n"], routes=to_all),
        strange["wide"]: spec(
            strange["wide"],
            routes=[Route(topic=f"t{number}", type="*." * 15 + "x") for number in range(20_000)],
        ),
        strange["unknown-wire"]: spec(
            strange["unknown-wire"], connection=unknown.connection, routes=to_all
        ),
        strange["no-files"]: spec(strange["no-files"], connection=tls.connection, routes=to_all),
        strange["no-policy"]: spec(strange["no-policy"], policy=Policy(), routes=to_all),
    }
    producer = open_producer(bootstrap, delivery_seconds=10)
    for raw_key, value in (
        (b"\xff\xfe", b"\xff"),
        (b"garbage", b"\xff" * 900_000),
        (b"another", spec("one").SerializeToString()),
        (b"", b"x"),
        (b"@job", b"\xff"),
        (b"@nobodys", b"\xff" * 900_000),
        (b"\xff\xfe", None),
    ):
        producer.send(registry, value, key=raw_key, partition=0)
    producer.close()
    write_specs(bootstrap, registry, specs)
    name, key = runtime.fresh("good"), runtime.fresh()
    try:
        with Serving(mirror(name)) as served:
            attach = ("agents", "attach", name, "--endpoint", served.endpoint)
            runtime.headgate(*attach, "--route", f"{TOPIC}:spoilt.*")
            await_routed(runtime, name, "spoilt.probe")
            for number in range(3):
                runtime.send(TOPIC, key, {"n": number}, event_type="spoilt.event")
            answers = runtime.answers_of(f"{name}/{key}", 3)
            assert [each["data"]["seen"]["n"] for each in answers] == [0, 1, 2]
            listed = {each["type"] for each in runtime.headgate("agents", "list")}
            assert {name, *strange.values()} <= listed
            runtime.headgate("agents", "detach", name, "--now")
    finally:
        write_specs(bootstrap, registry, dict.fromkeys([*strange.values(), "garbage", "another"]))
        publish_job(config)
    runtime.assert_unharmed()
