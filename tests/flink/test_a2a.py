"""An agent of somebody else's, made with a2a-sdk, attached to the running job."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.cli.attaching import UnfitServiceError
from headgate.kafka.views import View
from headgate.testing.serving import Serving
from tests.flink.runtime import Runtime, mirror
from tests.flink.test_attach import TOPIC, await_routed
from tests.integration.a2a_agent import A2aAgent, UnavailableError

pytestmark = [pytest.mark.flink, pytest.mark.slow]


@pytest.fixture
def agent() -> Iterator[A2aAgent]:
    try:
        running = A2aAgent()
    except UnavailableError as error:
        pytest.skip(f"no environment for a2a-sdk: {error}")
    yield running
    running.close()


def said(answers: list[View]) -> list[tuple[str, str]]:
    """Type and first text of each output."""
    return [(each["type"], each["data"]["parts"][0]["text"]) for each in answers]


def test_a_foreign_agent_converses_and_takes_its_time(runtime: Runtime, agent: A2aAgent) -> None:
    """Tasks wait for the next event, and are asked for by durable timers, through the whole job."""
    name, key, slow = runtime.fresh("travel"), runtime.fresh(), runtime.fresh()
    attach = ("agents", "attach", name, "--wire", "a2a", "--route", TOPIC)
    with (
        Serving(mirror(name)) as no_a2a,
        pytest.raises(UnfitServiceError, match="it takes no A2A calls"),
    ):
        runtime.headgate(*attach, "--endpoint", no_a2a.endpoint)
    runtime.headgate(*attach, "--endpoint", f"127.0.0.1:{agent.port}", "--deadline", "1s")
    await_routed(runtime, name)
    for text in ("ask which?", "that one"):
        runtime.send(TOPIC, key, text)
    # Half a second is all that a call waits for its task: this one goes on behind its turn.
    runtime.send(TOPIC, slow, "wait done")
    assert said(runtime.answers_of(f"{name}/{key}", 4)) == [
        ("a2a.artifact", "draft"),
        ("a2a.input_required", "which?"),
        ("a2a.artifact", "that"),
        ("a2a.message", "one"),
    ]

    def looked() -> bool:
        turns = list(runtime.records.history_of.get(f"{name}/{slow}", ()))
        return len(turns) > 1

    runtime.records.await_found(lambda: looked() or None, "a look at the long task")
    assert f"{name}/{slow}" not in runtime.records.outbox_of
    runtime.send(TOPIC, runtime.fresh(), "release")
    [done] = runtime.answers_of(f"{name}/{slow}")
    assert said([done]) == [("a2a.message", "done")]
    assert len(agent.executed("wait")) == 1
    described = runtime.headgate("instances", "describe", f"{name}/{slow}")
    assert (described["status"], "values" in described) == ("idle", False)
    runtime.headgate("agents", "detach", name, "--now")
    runtime.assert_unharmed()
