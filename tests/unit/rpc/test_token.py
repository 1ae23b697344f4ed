"""A token file is read again when it has changed, by the very same connection."""

from __future__ import annotations

import os
from pathlib import Path

from headgate.rpc.channel import Token
from headgate.v1.connection_pb2 import Token as Source


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    token = Token(Source(file=str(path)))
    assert token.metadata() == (("authorization", "Bearer one"),)
    path.write_text("another")
    assert token.metadata() == (("authorization", "Bearer another"),)
    # Of the same size, at another time.
    path.write_text("someone")
    os.utime(path, ns=(1, 1))
    assert token.metadata() == (("authorization", "Bearer someone"),)
