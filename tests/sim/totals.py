"""What a run's schedules add up to; told at the end of the run."""

from __future__ import annotations

from collections import Counter

TOTALS: Counter[str] = Counter()
