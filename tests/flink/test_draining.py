"""Whoever drains an agent is told when nothing waits for it any more."""

from __future__ import annotations

import pytest

from headgate.cli.draining import NotDrainedError
from headgate.testing.serving import Serving
from tests.flink.runtime import Runtime, mirror

pytestmark = [pytest.mark.flink, pytest.mark.slow]

TOPIC = "offers"


def test_it_has_drained_when_what_waited_is_taken(runtime: Runtime) -> None:
    name = runtime.fresh("leaving")
    with Serving(mirror(name)) as served:
        where = ("--endpoint", served.endpoint, "--route", TOPIC)
        runtime.headgate("agents", "attach", name, *where)
        runtime.send(TOPIC, "a", {"n": 0})
        runtime.answers_of(f"{name}/a")
        runtime.headgate("agents", "pause", name)
        for key in ("a", "b", "c"):
            runtime.send(TOPIC, key, {"n": 1})

        def all_wait() -> bool:
            shown = [
                runtime.headgate("instances", "describe", f"{name}/{key}").get("waiting", 0)
                for key in ("a", "b", "c")
            ]
            return all(shown)

        runtime.records.await_found(lambda: all_wait() or None, "three that wait")
        with pytest.raises(NotDrainedError, match="3 instances have work"):
            runtime.headgate("agents", "detach", name, "--wait", "0")
        runtime.headgate("agents", "resume", name)
        assert runtime.headgate("agents", "detach", name, "--wait", "60")["state"] == "drained"
        for key in ("b", "c"):
            assert len(runtime.records.outbox_of.get(f"{name}/{key}", ())) <= 1
            runtime.answers_of(f"{name}/{key}")
        assert runtime.headgate("agents", "detach", name, "--now")["state"] == "detached"
    runtime.assert_unharmed()
