"""Rows between operators, as Flink types."""

from __future__ import annotations

from pyflink.common import RowKind
from pyflink.common.typeinfo import Types

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())

KIND_EVENT = 1
KIND_CONTROL = 2

KEYED_ROW = Types.ROW([Types.STRING(), Types.ROW([Types.STRING(), Types.INT(), BYTES])])
"""What decode emits: the key, and (address, kind, payload). PyFlink's own Java key selector
takes field 0.
"""

KEY_TYPE = Types.ROW([Types.STRING()])


class SinkRow:
    """What PyFlink's converter reads of a Row, and nothing else: a third of a Row's cost."""

    __slots__ = ("_values",)

    def __init__(self, key: bytes, value: bytes) -> None:
        self._values = (key, value)

    def get_row_kind(self) -> RowKind:
        """Every record is an insert."""
        return RowKind.INSERT


SINK_ROW = Types.ROW([BYTES, BYTES])
"""Key and value of a record for a sink."""
