"""Several records in one: what is handed over together costs one hop instead of many.

Both kinds of batch hold serialized messages rather than messages, so that each can be passed on as
it came. A batch of one is written as the record itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate.v1.turn_pb2 import (
    CallsMade,
    InvokeBatch,
    InvokeRequest,
    JournalBatch,
    JournalRecord,
)

REQUESTS_BYTES = 2_000_000
"""Requests of one batch at most, one always: a restored Gate may hold back those of all instances
that wait, and a message of 2 GB cannot be written at all.
"""


def pack_records(records: Sequence[bytes], made: CallsMade | None = None) -> bytes:
    """Return the JournalRecord that holds these JournalRecords, at least one, and what is told of
    their calls; of one nothing is told but what is in it.

    >>> one = JournalRecord().SerializeToString()
    >>> records_in(pack_records([one, one])) == [one, one]
    True
    """
    if len(records) == 1:
        return records[0]
    return JournalRecord(batch=JournalBatch(records=records, made=made)).SerializeToString()


def records_in(raw: bytes) -> list[bytes]:
    """Return the JournalRecords that a record of the journal holds: itself, or those of its batch.

    Raises:
        google.protobuf.message.DecodeError: it is no JournalRecord.
    """
    return opened(raw)[0]


def opened(raw: bytes) -> tuple[list[bytes], CallsMade | None]:
    """Return the JournalRecords that a record of the journal holds, and what its writer told of
    their calls; None if each of them is to be looked into.

    Raises:
        google.protobuf.message.DecodeError: it is no JournalRecord.
    """
    record = JournalRecord.FromString(raw)
    if record.WhichOneof("kind") != "batch":
        return [raw], None
    batch = record.batch
    return batch.records[:], batch.made if batch.HasField("made") else None


def pack_requests(requests: Sequence[bytes]) -> list[bytes]:
    """Return as few InvokeRequests as may hold these InvokeRequests, in their order.

    >>> len(pack_requests([bytes(REQUESTS_BYTES // 2)] * 5))
    3
    """
    packed: list[bytes] = []
    batch: list[bytes] = []
    size = 0
    for request in requests:
        if batch and size + len(request) > REQUESTS_BYTES:
            packed.append(_one_request(batch))
            batch, size = [], 0
        batch.append(request)
        size += len(request)
    if batch:
        packed.append(_one_request(batch))
    return packed


def _one_request(requests: Sequence[bytes]) -> bytes:
    if len(requests) == 1:
        return requests[0]
    return InvokeRequest(batch=InvokeBatch(requests=requests)).SerializeToString()
