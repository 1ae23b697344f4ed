"""The bytes of a real savepoint (Flink 2.3.0, flink-sql-connector-kafka 5.0.0-2.2)."""

from __future__ import annotations

import pytest

from headgate.repair.checkpoint import (
    Checkpoint,
    CheckpointUnreadableError,
    Prepared,
    prepared_of,
    split_of,
)

READ = bytes.fromhex(
    "0000000000000026001068656164676174652e6a6f75726e616c0000000100000000000000048000000000000000"
)
UNREAD = bytes.fromhex(
    "0000000000000024000e68656164676174652e696e626f7800000001fffffffffffffffe8000000000000000"
)
COMMITTABLES = bytes.fromhex(
    "0000000200000070b91f252c00000001000000010000006000000000000000010000000100000002000000010000"
    "004800000000000000000000000100000030000000010000002000000000000000000003001468656164676174652d"
    "686973746f72792d302d3000000000000000000000000100000000"
)


def test_a_split_tells_where_reading_goes_on() -> None:
    assert split_of(READ) == ("headgate.journal", 1, 4)
    assert split_of(UNREAD) == ("headgate.inbox", 1, -2)


def test_committables_name_one_transaction_each() -> None:
    assert prepared_of(COMMITTABLES) == [Prepared("headgate-history-0-0", 3, 0)]


def test_a_partition_without_a_position_is_read_from_its_start() -> None:
    positions = {("headgate.journal", 1): 4, ("headgate.journal", 2): -2}
    checkpoint = Checkpoint("file:///chk-1", 1, positions, ())
    assert checkpoint.next_offsets("headgate.journal", 3) == {0: 0, 1: 4, 2: 0}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        COMMITTABLES[:-30],
        b"\x00\x00\x00\x03" + COMMITTABLES[4:],
        COMMITTABLES.replace(b"\xb9\x1f\x25\x2c", b"\xb9\x1f\x25\x2d"),
    ],
    ids=["empty", "cut", "another version", "another magic"],
)
def test_another_form_is_refused(raw: bytes) -> None:
    with pytest.raises(CheckpointUnreadableError):
        prepared_of(raw)
