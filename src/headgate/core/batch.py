"""Several records in one: what is handed over together costs one hop instead of many.

Both kinds of batch hold serialized messages rather than messages, so that each can be passed on as
it came. A batch of one is written as the record itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate.v1.turn_pb2 import InvokeBatch, InvokeRequest, JournalBatch, JournalRecord

REQUESTS_BYTES = 2_000_000
"""Requests of one batch at most, one always: a restored Gate may hold back those of all instances
that wait, and a message of 2 GB cannot be written at all.
"""


def pack_records(records: Sequence[bytes]) -> bytes:
    """Return the JournalRecord that holds these JournalRecords, at least one.

    >>> one = JournalRecord().SerializeToString()
    >>> records_in(pack_records([one, one])) == [one, one]
    True
    """
    if len(records) == 1:
        return records[0]
    return JournalRecord(batch=JournalBatch(records=records)).SerializeToString()


def records_in(raw: bytes) -> list[bytes]:
    """Return the JournalRecords that a record of the journal holds: itself, or those of its batch.

    Raises:
        google.protobuf.message.DecodeError: it is no JournalRecord.
    """
    record = JournalRecord.FromString(raw)
    return list(record.batch.records) if record.WhichOneof("kind") == "batch" else [raw]


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
