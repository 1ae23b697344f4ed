"""Rows between operators, as Flink types."""

from __future__ import annotations

from pyflink.common import RowKind
from pyflink.common.typeinfo import Types
from pyflink.datastream import OutputTag

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())

KEYED_ROW = Types.ROW([Types.STRING(), BYTES])
"""What intake emits: the shard's key, and the bytes of a GateInput. PyFlink's own Java key selector
takes field 0.
"""

KEY_TYPE = Types.ROW([Types.STRING()])

OUTPUT = Types.TUPLE([Types.STRING(), BYTES, BYTES])
"""What Gate emits for the sinks: topic, key and value of a record.

On the main output, and a tuple: a row on a side output costs 40 us more, ten times as much.
"""

REQUESTED = OutputTag("requested", BYTES)
"""What Gate emits for Invoke: the bytes of an `InvokeRequest`, 6 us where a row of two costs 16. No
key, for it stays where it is.

On a side output although that costs more: requests share a record, and whoever reads the main
output is shown every row there is, at 10 us each.
"""

BILLED = OutputTag("billed", KEYED_ROW)
"""What Gate emits for the ledger: the key of a shard of tenants, and a `LedgerInput`. None in a job
without budgets.
"""


class LightRow:
    """What PyFlink's converter reads of a Row, and nothing else: a third of a Row's cost."""

    __slots__ = ("_values",)

    def __init__(self, *values: object) -> None:
        self._values = values

    def get_row_kind(self) -> RowKind:
        """Every record is an insert."""
        return RowKind.INSERT
