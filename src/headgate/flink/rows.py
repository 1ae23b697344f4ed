"""Rows between operators, as Flink types."""

from __future__ import annotations

from pyflink.common.typeinfo import Types

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())

KIND_EVENT = 1
KIND_CONTROL = 2

KEYED_ROW = Types.ROW([Types.STRING(), Types.ROW([Types.STRING(), Types.INT(), BYTES])])
"""What decode emits: the key, and (address, kind, payload). PyFlink's own Java key selector
takes field 0.
"""

KEY_TYPE = Types.ROW([Types.STRING()])

SINK_ROW = Types.ROW([BYTES, BYTES])
"""Key and value of a record for a sink."""
