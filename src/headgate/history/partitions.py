"""Large tables in parts on PostgreSQL, by the hash of the instance.

A part is an eighth of the instances with all that they ever were: whoever asks about one of them
reads one part, and after retention each is vacuumed by itself. ADR 23 says why not by time.
"""

from __future__ import annotations

from sqlalchemy import DDL, Table, event

PARTS = 8
"""For good: rows are found by it. More would cost every question about all instances, and a store
that is made anew, more than a part of an eighth costs to vacuum."""


def in_parts(table: Table) -> Table:
    """Let a table of ``postgresql_partition_by`` be made with its parts; returns the table."""
    for number in range(PARTS):
        statement = DDL(  # type: ignore[no-untyped-call]
            f"CREATE TABLE {table.name}_{number} PARTITION OF {table.name} "
            f"FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {number})"
        )
        event.listen(table, "after_create", statement.execute_if(dialect="postgresql"))
    return table
