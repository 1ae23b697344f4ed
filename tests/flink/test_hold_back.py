"""A full mailbox whose agent would have the source held back rather than events given up."""

from __future__ import annotations

import pytest

from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.testing.serving import Serving
from tests.flink.runtime import Runtime, mirror

pytestmark = [pytest.mark.flink, pytest.mark.slow]

TOPIC = "offers"
LIMIT = 20
MORE = 300
"""Events beyond it: a minute's, while they are held back."""

LOOKS = 10


def publish(runtime: Runtime, key: str, numbers: range) -> None:
    """Publish numbered events, and wait until they are written."""
    header = dict([CONTENT_TYPE])
    values = [
        structured({"n": number}, event_type="test", source="tests", event_id="")
        for number in numbers
    ]
    for each in [runtime.publisher.send(TOPIC, key, value, header) for value in values]:
        each.wait()


def test_it_is_filled_no_further_and_nothing_is_given_up(runtime: Runtime) -> None:
    name = runtime.fresh("patient")
    address = f"{name}/full"

    def waiting() -> int:
        return int(runtime.headgate("instances", "describe", address).get("waiting", 0))

    with Serving(mirror(name)) as served:
        policy = ("--mailbox-limit", str(LIMIT), "--on-full", "hold_back")
        where = ("--endpoint", served.endpoint, "--route", TOPIC)
        runtime.headgate("agents", "attach", name, *where, *policy)
        # Its route is known, and the full mailboxes are followed, once this is answered.
        runtime.send(TOPIC, "first", {"n": 0})
        runtime.answers_of(f"{name}/first")
        runtime.headgate("agents", "pause", name)
        publish(runtime, "full", range(LIMIT))
        await_full = lambda: waiting() >= LIMIT or None  # noqa: E731
        runtime.records.await_found(await_full, "a full mailbox")
        publish(runtime, "full", range(LIMIT, LIMIT + MORE))
        # The inbox is not held back. Unhindered, all would have arrived before the first answer.
        seen = [waiting() for _ in range(LOOKS)]
        assert seen[-1] < LIMIT + MORE // 2, seen
        runtime.headgate("agents", "resume", name)
        answers = runtime.answers_of(address, LIMIT + MORE)
        assert [each["data"]["seen"]["n"] for each in answers] == list(range(LIMIT + MORE))
        assert waiting() == 0
        letters = [each for each in runtime.records.letter_records if each.address == address]
        assert letters == []
        runtime.headgate("agents", "detach", name, "--now")
    runtime.assert_unharmed()
