"""Agents attached, tried, promoted and detached, and instances decided about, while workers and
TaskManagers die.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from headgate.cli.instance_views import NoAnswerError
from headgate.testing.serving import Serving
from tests.flink.kills import Kills
from tests.flink.runtime import Runtime, mirror
from tests.flink.test_attach import (
    TOPIC,
    Flow,
    await_routed,
    await_true,
    place_of,
    taken_by,
)

pytestmark = [pytest.mark.flink, pytest.mark.slow]

SEED = 4


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A job of its own: others assert that theirs never restarted."""
    with Runtime(tmp_path_factory.mktemp("hurt")) as started:
        yield started


def insist(runtime: Runtime, *arguments: str) -> Any:
    """Run a command as a person would: who has no answer from a job that fails over asks again."""
    while True:
        try:
            return runtime.headgate(*arguments)
        except NoAnswerError:
            continue


@pytest.mark.chaos
def test_commands_amid_kills_lose_and_double_nothing(hurt: Runtime) -> None:
    """Each round of commands begins with a kill; whatever it meets, it ends as in peace."""
    stays, name = hurt.fresh("staying"), hurt.fresh("coming")
    instance = hurt.fresh("decided")
    with (
        Serving(mirror(stays)) as of_stays,
        Serving(mirror(name, "v1")) as v1,
        Serving(mirror(name, "v2")) as v2,
    ):
        route = ("--route", TOPIC)
        hurt.headgate("agents", "attach", stays, "--endpoint", of_stays.endpoint, *route)
        await_routed(hurt, stays)
        nudge = lambda: hurt.send(TOPIC, hurt.fresh("nudge"), {})  # noqa: E731
        kills = Kills(hurt.stack, hurt.job, SEED, each=1, nudge=nudge)
        decided = [place_of(hurt.send(TOPIC, instance, {"n": 0}))]
        with Flow(hurt) as flow:
            kills.start()
            for number in range(1, len(kills.plan) + 1):
                kills.await_done(number)
                hurt.headgate(
                    *("agents", "attach", name, "--endpoint", v1.endpoint, *route),
                    *("--revision", "v1"),
                )
                hurt.headgate("agents", "pause", name)
                assert insist(hurt, "instances", "park", f"{stays}/{instance}")["turn"]
                decided.append(place_of(hurt.send(TOPIC, instance, {"n": number})))
                hurt.headgate("agents", "resume", name)
                on_trial = ("--endpoint", v2.endpoint, "--revision", "v2", "--canary", "50%")
                hurt.headgate("agents", "attach", name, *on_trial)
                assert hurt.headgate("agents", "promote", name)["revision_pin"] == "v2"
                assert insist(hurt, "instances", "resume", f"{stays}/{instance}")["turn"]
                assert hurt.headgate("agents", "detach", name)["state"] == "draining"
                hurt.headgate("agents", "detach", name, "--now")
            kills.finish()
            # The job that was left goes by the registry as ever.
            hurt.headgate("agents", "attach", name, "--endpoint", v2.endpoint, *route)
            await_routed(hurt, name)
            hurt.headgate("agents", "detach", name, "--now")
        sent = [*flow.stop(), *decided]
        await_true(hurt, "all events", lambda: set(sent) <= set(taken_by(hurt, stays)))
        taken = [place for place in taken_by(hurt, stays) if place in set(sent)]
        assert sorted(taken) == sorted(sent), "the one that stayed lost nothing, doubled nothing"
        of_instance = [place for place in taken if place in set(decided)]
        assert of_instance == decided, "what waited while it was parked came in order"
        comings = taken_by(hurt, name)
        assert comings
        assert len(comings) == len(set(comings)), "the one that came and went doubled nothing"
        assert insist(hurt, "instances", "list", "--parked", "--agent", stays) == []
        assert hurt.headgate("agents", "detach", stays, "--wait", "60")["state"] == "drained"
        hurt.headgate("agents", "detach", stays, "--now")
