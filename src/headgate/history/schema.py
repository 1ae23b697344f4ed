"""The store's tables: the same on SQLite and PostgreSQL, where the large ones are in parts and what
stood at a moment has an index.

Times are microseconds since the epoch. A cell is one value, or one item of a list, from the turn
that wrote it until the one that replaced it: what was at a moment are the cells around it.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
)

from headgate.history.partitions import in_parts
from headgate.history.standing import index_times

VERSION = 2
UNKNOWN = -1

VALUE, ITEM = 0, 1

PARKED = ""
"""Name of the value, a ParkedInstance, that an instance has while it is parked: no value of an
agent's has that name."""


class Name(TypeDecorator[str]):
    """Text that may hold any character, as keys of Kafka's do; PostgreSQL's holds no NUL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Write a backslash for what cannot be written."""
        if value is None or not ("\\" in value or "\0" in value):
            return value
        return value.replace("\\", "\\\\").replace("\0", "\\0")

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        """Read it as it was."""
        if value is None or "\\" not in value:
            return value
        return _ESCAPED.sub(lambda found: "\0" if found[0] == "\\0" else "\\", value)


_ESCAPED = re.compile(r"\\[\\0]")

metadata = MetaData()

settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# What has been read of the topic, written in one transaction with what it said.
positions = Table(
    "positions",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("closed_us", BigInteger, nullable=False),
    Column("late_turns", BigInteger, nullable=False),
    # Records that are none of Headgate's, and were passed over.
    Column("strange_records", BigInteger, nullable=False),
    # Where the topic's beginning was gone when the store was made: the time of the first record
    # that was there, UNKNOWN until one has been read. 0: nothing was gone.
    Column("begin_us", BigInteger, nullable=False),
)

instances = Table(
    "instances",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("address", Name, nullable=False, unique=True),
    Column("agent_type", Name, nullable=False, index=True),
    Column("partition", Integer, nullable=False),
    # Its newest turn and that one's time.
    Column("turn", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    # False: turns before the first one seen had been removed from the topic.
    Column("is_complete", Boolean, nullable=False),
    # True: retention has removed what it had once; the second axis would need it.
    Column("is_thinned", Boolean, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("instance_id", BigInteger, ForeignKey("instances.id"), primary_key=True),
    Column("turn", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("valid_us", BigInteger, nullable=False),
    # The HistoryRecord as it came.
    Column("record", LargeBinary, nullable=False),
    Index("turns_at", "instance_id", "at_us"),
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (instance_id)",
)

# Every name that an instance's state ever had: where to look for the cell of a moment.
names = Table(
    "names",
    metadata,
    Column("instance_id", BigInteger, ForeignKey("instances.id"), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    # Of a value: since when it is as it is; of a list: its length. 0: it is not there now.
    Column("now", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

cells = Table(
    "cells",
    metadata,
    Column("instance_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Name, primary_key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("from_us", BigInteger, primary_key=True, autoincrement=False),
    # Of an item: its index in the list.
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("to_us", BigInteger, nullable=False),
    Column("valid_us", BigInteger, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("cells_named", "name", "to_us"),
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (instance_id)",
)

# Names that were deleted: the second axis puts deletions in their own order.
deletions = Table(
    "deletions",
    metadata,
    Column("instance_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Name, primary_key=True),
    Column("valid_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Messages between instances. Either side may be read first: sent at 0, that is not known yet. What
# was not taken is under way until OPEN.
messages = Table(
    "messages",
    metadata,
    Column("id", Name, primary_key=True),
    Column("sender", Name, nullable=False),
    Column("receiver", Name, nullable=False),
    Column("type", Name, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("sent_us", BigInteger, nullable=False),
    Column("taken_us", BigInteger, nullable=False),
    Index("messages_under_way", "taken_us", "sent_us"),
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (id)",
)

for large in (turns, cells, messages):
    in_parts(large)
index_times("cells", cells.c.from_us, cells.c.to_us)
index_times("messages", messages.c.sent_us, messages.c.taken_us)
