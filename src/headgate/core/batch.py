"""Several records in one: what is handed over together costs one hop instead of many.

Both kinds of batch hold serialized messages rather than messages, so that each can be passed on as
it came. A batch of one is written as the record itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate.v1.turn_pb2 import InvokeBatch, InvokeRequest, JournalBatch, JournalRecord


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


def pack_requests(requests: Sequence[bytes]) -> bytes:
    """Return the InvokeRequest that holds these InvokeRequests, at least one."""
    if len(requests) == 1:
        return requests[0]
    return InvokeRequest(batch=InvokeBatch(requests=requests)).SerializeToString()
