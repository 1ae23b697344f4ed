"""The example projects' own tests pass, run as a user would: in their folder, by their settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(project: str, *options: str) -> str:
    """Run a project's tests and return what pytest says."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(
        command, cwd=EXAMPLES / project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_orders_in_memory() -> None:
    assert "4 passed, 4 deselected" in run("orders", "-k", "headgate_sim")


@pytest.mark.flink
@pytest.mark.slow
def test_orders_on_the_stack() -> None:
    assert "4 passed, 4 deselected" in run("orders", "-k", "headgate_stack")
