"""The cluster of an upgrade, as far as it needs none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.config import Config
from headgate.sealing.known import seals_at
from headgate.upgrade import verify
from headgate.upgrade.site import Cluster
from headgate.upgrade.version import Version


def test_topics_are_read_as_the_version_has_them_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that seals its journal ticks unseen to whoever has not been told of its keys, and a
    question that is not sealed is refused by it.
    """
    seen: list[bool] = []

    def look(*given: Any) -> tuple[()]:
        [config] = [each for each in given if isinstance(each, Config)]
        seen.append(seals_at(config.kafka.bootstrap).sealer is not None)
        return ()

    monkeypatch.setattr(verify, "ends", look)
    monkeypatch.setattr(verify, "verify", look)
    clear, sealed = tmp_path / "clear.toml", tmp_path / "sealed.toml"
    clear.write_text("[kafka]\nbootstrap = 'upgraded:1'\n", encoding="utf-8")
    sealed.write_text(f"{clear.read_text()}[encryption]\nkeys = 'env:SHOP_KEYS'\n", "utf-8")
    nothing: Any = None
    cluster = Cluster(nothing, nothing, (), None, "", None, verify.Patience(), print)
    for file in (clear, sealed, clear):
        version = Version(str(file), "job.py", "python")
        cluster.marks(version)
        cluster.verify("job", version, ())
    assert seen == [False, False, True, True, False, False]
