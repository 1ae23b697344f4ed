"""A bank for the demo: payments in a SQLite file, each made once however often it is asked for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    key TEXT PRIMARY KEY, account TEXT NOT NULL, cents INTEGER NOT NULL, asked INTEGER NOT NULL
)
"""

ASK = """
INSERT INTO payments VALUES (?, ?, ?, 1) ON CONFLICT (key) DO UPDATE SET asked = asked + 1
"""


class Bank:
    """Payments by idempotency key; several processes may use one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pay(self, key: str, account: str, cents: int) -> str:
        """Pay, unless a payment of that key was made; return its key."""
        with closing(self._open()) as database, database:
            database.execute(ASK, (key, account, cents))
        return key

    def payments(self) -> list[tuple[str, str, int, int]]:
        """Return key, account, cents and how often it was asked for, of each payment."""
        with closing(self._open()) as database:
            return list(database.execute("SELECT * FROM payments ORDER BY key"))

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=30)
        database.execute(SCHEMA)
        return database
