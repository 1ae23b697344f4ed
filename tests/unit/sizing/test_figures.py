"""The constants stand in docs/benchmarks.md, in the rows that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate.sizing import figures
from headgate.sizing.figures import LADDER, cores_at

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
CONFIG = (ROOT / "flink-conf" / "config.yaml").read_text("utf-8")


def numbers(row: str) -> list[float]:
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*(?:\.\d+)?", row)]


def row(beginning: str) -> str:
    """Return the first line of the page that begins so."""
    return next(line for line in PAGE.splitlines() if line.startswith(beginning))


@pytest.mark.parametrize(
    ("beginning", "step"),
    zip(
        ("| 200/s |", "| 500/s |", "| 1000/s |", "| 2000/s |", "| backlog of 60,000 | balanced"),
        LADDER,
        strict=True,
    ),
)
def test_the_ladder_is_that_of_the_page(beginning: str, step: figures.Step) -> None:
    turns, *parts = row(beginning).split("|")[3], *row(beginning).split("|")[-2].split("/")
    assert numbers(turns) == [step.turns_per_second]
    assert [float(part) for part in parts] == list(step[1:])


def test_other_figures_are_those_of_the_page() -> None:
    measured = numbers(row("| turns/s at saturation |").split("|")[2])
    assert min(measured) == figures.TASK_MANAGER_TURNS
    assert LADDER[-1].turns_per_second > figures.TASK_MANAGER_TURNS
    assert numbers(row("| backlog of 30,000 |"))[1] == figures.HOT_INSTANCE_EVENTS
    assert numbers(row("| one of two TaskManagers"))[-2] == figures.OUTAGE_ONE_OF_TWO_SECONDS
    assert numbers(row("| the only TaskManager "))[-2] == figures.OUTAGE_ONLY_ONE_SECONDS
    in_flight = numbers(row("| 1,000 calls of 30 s |"))
    assert in_flight[2] == figures.IN_FLIGHT_CORES
    kafka, _, _, worker, _ = numbers(row("| 100,000 asleep |"))[-5:]
    assert (kafka, worker) == (figures.KAFKA_MB, figures.WORKER_MB)
    assert "an event 140 to\n200 µs" in PAGE
    assert "an outcome 65" in PAGE
    assert "wake-ups 30; intake and its source\n190" in PAGE


def test_memory_is_that_of_the_configuration() -> None:
    assert f"taskmanager.memory.process.size: {figures.TASK_MANAGER_MB}m" in CONFIG
    assert f"jobmanager.memory.process.size: {figures.JOB_MANAGER_MB}m" in CONFIG


def test_cores_are_those_of_the_rows_and_between_them_in_between() -> None:
    for step in LADDER:
        found = cores_at(step.turns_per_second)
        assert found.workers == pytest.approx(step.worker_ms * step.turns_per_second / 1_000)
    low, middle, high = (cores_at(rate).task_managers for rate in (501, 759.5, 1_018))
    assert middle == pytest.approx((low + high) / 2)
    # Below the ladder: what an idle cluster costs. Above it: as its last row.
    assert cores_at(1) == cores_at(200)
    assert cores_at(6_610).agents == pytest.approx(2 * cores_at(3_305).agents)
