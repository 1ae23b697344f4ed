"""Replies: awaited ones, those of the last minutes, and records that are none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.door import replies as module
from headgate.door.replies import Replies
from headgate.v1.turn_pb2 import Reply
from tests.unit.sealing.keyrings import Ring


class Following:
    def __init__(
        self, bootstrap: Bootstrap, topics: list[str], take: Any, *, start: str, shows_sealed: bool
    ) -> None:
        assert start == "start", "a door that starts anew wants what came before"
        assert shows_sealed, "one that nobody can open must not hold up the others"

    def await_ready(self, seconds: float) -> None:
        pass


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module, "Following", Following)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    return clock


@pytest.fixture
def replies(now: SimpleNamespace) -> Replies:
    return Replies(Bootstrap("a:1"), "replies")


def come(replies: Replies, request_id: str, turn: int = 1, address: str = "order/17") -> Reply:
    reply = Reply(address=address, request_id=request_id, turn=turn)
    replies._take(SimpleNamespace(value=reply.SerializeToString()))
    return reply


def test_all_that_wait_get_it_and_so_does_who_comes_later(replies: Replies) -> None:
    waiting = [replies.expect("order/17", "a") for _ in range(2)]
    other = replies.expect("order/18", "a")
    reply = come(replies, "a")
    assert [each.result(0) for each in waiting] == [reply, reply]
    assert replies.expect("order/17", "a").result(0) == reply
    assert not other.done()


def test_the_first_counts(replies: Replies) -> None:
    first = come(replies, "a")
    come(replies, "a", turn=2)
    assert replies.expect("order/17", "a").result(0) == first


def test_who_has_gone_is_forgotten(replies: Replies) -> None:
    gone, stays = replies.expect("order/17", "a"), replies.expect("order/17", "a")
    gone.cancel()
    come(replies, "a")
    assert stays.done()
    replies.expect("order/17", "b").cancel()
    assert not replies._awaited


def test_old_ones_go(replies: Replies, now: SimpleNamespace) -> None:
    come(replies, "old")
    now.seconds = module.KEPT_SECONDS
    come(replies, "new")
    assert not replies.expect("order/17", "old").done()
    assert replies.expect("order/17", "new").done()


def test_so_do_those_that_there_is_no_room_for(
    replies: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = come(replies, "r0").ByteSize()
    monkeypatch.setattr(module, "KEPT_BYTES", 2 * size)
    for n in (1, 2):
        come(replies, f"r{n}")
    assert [replies.expect("order/17", f"r{n}").done() for n in range(3)] == [0, 1, 1]


def test_what_is_no_reply_is_skipped(replies: Replies) -> None:
    record = SimpleNamespace(value=b"\xff", topic="replies", partition=0, offset=7)
    replies._take(record)
    come(replies, "a")
    assert replies.expect("order/17", "a").done()


def test_one_that_is_sealed_with_a_key_that_nobody_has_is_skipped(
    replies: Replies, caplog: pytest.LogCaptureFixture
) -> None:
    sealed = (
        Ring().sealer().seal(Reply(address="order/17", request_id="a").SerializeToString(), b"p")
    )
    place = {"topic": "replies", "partition": 0, "offset": 7}
    replies._take(SimpleNamespace(value=sealed, **place))
    assert "replies/0@7 is skipped" in caplog.text
    waiting = replies.expect("order/17", "b")
    assert come(replies, "b") == waiting.result(0)
