"""How many schedules a run plays: few in the inner loop, over 10,000 in continuous integration."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

common = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)
settings.register_profile("dev", common, max_examples=60)
settings.register_profile("ci", common, max_examples=1_000, print_blob=True)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)
