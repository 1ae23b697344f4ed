"""Whether a moment is in a row's time: from one column's, included, to another's.

PostgreSQL finds what has ended by ranges, in an index of its own, and what stands by its beginning:
what there was at a moment is read without what came before or after, however much that is. What
stands is in no range: an index of ranges that have no end yet, each to be replaced by one that has,
costs twice the writes and is read through in half.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ColumnElement, Index, and_, func, literal, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

OPEN = 2**63 - 1
"""End of what nothing has replaced."""

# Written out: of a parameter PostgreSQL does not see that it is the index's condition.
_OPEN = literal(OPEN, BigInteger, literal_execute=True)


class _StoodAt(FunctionElement[bool]):
    """Its clauses: since, until, the moment."""

    name = "stood_at"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        """Stand as it is: SQLite would compare a function with 1, and use no index for it."""
        return self


def stood_at(since: ColumnElement[int], until: ColumnElement[int], at_us: int) -> Any:
    """Return the condition; microseconds."""
    return _StoodAt(since, until, literal(at_us, BigInteger))


def index_times(name: str, since: Column[int], until: Column[int]) -> None:
    """Add the indexes that find what stood at a moment; on SQLite there are none."""
    Index(
        f"{name}_ended",
        _range(since, until),
        postgresql_using="gist",
        postgresql_where=until < _OPEN,
    ).ddl_if(dialect="postgresql")
    Index(f"{name}_standing", since, postgresql_where=until == _OPEN).ddl_if(dialect="postgresql")


def _range(since: ColumnElement[int], until: ColumnElement[int]) -> ColumnElement[Any]:
    # Of a row that ends before it begins, PostgreSQL would refuse the whole batch; none of its time
    # is a moment, here as where it is compared.
    return func.int8range(func.least(since, until), until)


@compiles(_StoodAt)
def _compare(element: Any, compiler: Any, **given: Any) -> str:
    since, until, at_us = element.clauses
    return f"({compiler.process(and_(since <= at_us, until > at_us), **given)})"


@compiles(_StoodAt, "postgresql")
def _ask_indexes(element: Any, compiler: Any, **given: Any) -> str:
    since, until, at_us = element.clauses
    stands = and_(until == _OPEN, since <= at_us)
    ended = and_(until < _OPEN, _range(since, until).op("@>")(at_us))
    return f"({compiler.process(or_(stands, ended), **given)})"
