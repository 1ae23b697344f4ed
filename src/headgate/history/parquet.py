"""A snapshot as a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from headgate.core.identity import address_of
from headgate.core.render import rfc3339
from headgate.history.views import state_view
from headgate.v1.history_pb2 import StateAsOf

ROWS_AT_ONCE = 10_000
"""Rows of one group: what is in memory at once."""


def write_parquet(file: Path, states: Iterable[StateAsOf], at_us: int) -> int:
    """Write states into a new file, one row each; return how many. ``at_us`` is their moment.

    Columns: address, agent_type, key, turn, values and lists (JSON by name), incomplete.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    fields = [("address", text), ("agent_type", text), ("key", text), ("turn", pa.int64())]
    fields += [("values", text), ("lists", text), ("incomplete", pa.bool_())]
    said = {"headgate.as_of": rfc3339(at_us), "headgate.as_of_us": str(at_us)}
    schema = pa.schema(fields, metadata=said)
    count = 0
    # Beside it, and in its place when it is whole: a reader never sees half of it.
    draft = file.with_name(f".{file.name}.new")
    try:
        with pq.ParquetWriter(draft, schema) as writer:
            for rows in _groups(states):
                count += len(rows)
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return count


def _groups(states: Iterable[StateAsOf]) -> Iterator[list[dict[str, Any]]]:
    left = iter(states)
    while rows := [_row(each) for each in islice(left, ROWS_AT_ONCE)]:
        yield rows


def _row(state: StateAsOf) -> dict[str, Any]:
    seen = state_view(state)
    return {
        "address": address_of(state.agent_type, state.key),
        "agent_type": state.agent_type,
        "key": state.key,
        "turn": state.turn,
        "values": json.dumps(seen.get("values", {}), ensure_ascii=False),
        "lists": json.dumps(seen.get("lists", {}), ensure_ascii=False),
        "incomplete": state.is_incomplete,
    }
