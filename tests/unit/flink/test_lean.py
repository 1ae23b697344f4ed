"""What a worker leaves out when it starts."""

import subprocess
import sys

from headgate.flink.settings import LEAN

START = """
import sys
import pyflink.fn_execution.beam.beam_sdk_worker_main
import headgate.flink.invoke
import headgate.flink.gate
left_out = ("pandas", "pymongo")
print(*(name for name in left_out if hasattr(sys.modules.get(name), "__path__")))
"""


def test_a_worker_starts_without_what_no_operator_uses() -> None:
    """By the path alone: Beam's own imports must not mind."""
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={"PYTHONPATH": str(LEAN)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
