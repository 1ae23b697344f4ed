"""Rows between operators, as Flink types."""

from __future__ import annotations

from pyflink.common import RowKind
from pyflink.common.typeinfo import Types

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())

KEYED_ROW = Types.ROW([Types.STRING(), BYTES])
"""What intake emits: the shard's key, and the bytes of a GateInput. PyFlink's own Java key selector
takes field 0.
"""

KEY_TYPE = Types.ROW([Types.STRING()])

OUTPUT = Types.TUPLE([Types.STRING(), BYTES, BYTES])
"""What Gate emits: topic, key and value of a record, or no topic and a request for Invoke.

All on the main output, and a tuple: a row on a side output costs 40 us more, ten times as much.
"""

GRANTS = Types.TUPLE([Types.STRING(), BYTES])
"""What the ledger emits: the key of an instance's shard, and a request for Invoke."""


class LightRow:
    """What PyFlink's converter reads of a Row, and nothing else: a third of a Row's cost."""

    __slots__ = ("_values",)

    def __init__(self, *values: object) -> None:
        self._values = values

    def get_row_kind(self) -> RowKind:
        """Every record is an insert."""
        return RowKind.INSERT
