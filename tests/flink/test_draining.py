"""Whoever drains an agent is told when nothing waits for it any more."""

from __future__ import annotations

import pytest

from headgate.cli.draining import NotDrainedError
from headgate.testing.serving import Serving
from tests.flink.runtime import Runtime, mirror
from tests.flink.test_attach import (
    TOPIC,
    await_routed,
    await_true,
    send_until_some_wait,
    taken_by,
)

pytestmark = [pytest.mark.flink, pytest.mark.slow]


def test_it_has_drained_when_what_waited_is_taken(runtime: Runtime) -> None:
    name, witness = runtime.fresh("leaving"), runtime.fresh("staying")
    keys = [runtime.fresh() for _ in range(3)]
    with Serving(mirror(name), mirror(witness)) as served:
        where = ("--endpoint", served.endpoint, "--route", TOPIC)
        for each in (name, witness):
            runtime.headgate("agents", "attach", each, *where)
            # The job follows a command a moment later: what it reads before is for nobody.
            await_routed(runtime, each)
        runtime.headgate("agents", "pause", name)
        sent = [each for key in keys for each in send_until_some_wait(runtime, name, key)]
        with pytest.raises(NotDrainedError, match="3 instances have work"):
            runtime.headgate("agents", "detach", name, "--wait", "0")
        assert not set(sent) <= set(taken_by(runtime, name))
        runtime.headgate("agents", "resume", name)
        assert runtime.headgate("agents", "detach", name, "--wait", "180")["state"] == "drained"
        await_true(runtime, "what waited", lambda: set(sent) <= set(taken_by(runtime, name)))
        assert runtime.headgate("agents", "detach", name, "--now")["state"] == "detached"
        runtime.headgate("agents", "detach", witness, "--now")
    runtime.assert_unharmed()
