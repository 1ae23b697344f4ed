"""How many schedules a run plays: few in the inner loop, over 10,000 in continuous integration."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.sim.totals import TOTALS

common = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)
settings.register_profile("dev", common, max_examples=60)
settings.register_profile("ci", common, max_examples=1_000, print_blob=True)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was simulated."""
    if TOTALS:
        told = ", ".join(f"{count:,} {what}" for what, count in TOTALS.items())
        terminalreporter.write_line(f"simulated: {told}")
