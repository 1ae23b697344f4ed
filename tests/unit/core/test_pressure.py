"""What Gate says of full mailboxes: each change, and what stays so now and then."""

from __future__ import annotations

from headgate.core.pressure import AGAIN_MS, Pressure


def test_changes_are_news_and_what_stays_full_is_said_again() -> None:
    made = Pressure()
    assert not made.is_news("a/1", 0, is_full=False)
    assert made.is_news("a/1", 0, is_full=True)
    assert made.was_full("a/1")
    assert not made.was_full("a/2")
    assert not made.is_news("a/1", AGAIN_MS - 1, is_full=True)
    assert made.is_news("a/1", AGAIN_MS, is_full=True)
    assert made.is_news("a/1", AGAIN_MS, is_full=False)
    assert not made.was_full("a/1")
    assert not made.is_news("a/1", AGAIN_MS, is_full=False)
