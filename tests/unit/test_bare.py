"""The bench of what metrics, tracing and the ledger cost: its copy without them is whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import bare

ROOT = Path(__file__).resolve().parents[2]


def test_the_copy_lacks_what_is_cut_and_can_be_imported(tmp_path: Path) -> None:
    made = bare.make(ROOT, tmp_path / "bare")
    for cut in bare.CUTS:
        assert cut.text not in (made / "src" / "headgate" / cut.module).read_text(encoding="utf-8")
    look = (
        "import headgate.flink.job, headgate.rpc.dispatcher, headgate.core.machine; "
        "print(headgate.__file__)"
    )
    found = subprocess.run(
        [sys.executable, "-c", look],
        env={"PYTHONPATH": str(made / "src")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(made / "src" / "headgate" / "__init__.py")


def test_a_cut_that_finds_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bare, "CUTS", (bare.Cut("core/trace.py", "no such line"),))
    with pytest.raises(ValueError, match=r"core/trace\.py has 0 times instead of once"):
        bare.make(ROOT, tmp_path / "bare")
