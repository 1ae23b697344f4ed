"""Lines that are cut, a full disk, a clock that jumps: every event is in one turn, with one output,
in order. What is seen meanwhile stands in docs/guarantees.md.

`HEADGATE_FAULT_SECONDS=60 HEADGATE_HEARTBEAT_MS=50000` does it for longer, with Flink's own
heartbeat timeout.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

from tests.flink.faults import FaultyStage, Postponing, Told
from tests.line import Line

pytestmark = [pytest.mark.flink, pytest.mark.slow, pytest.mark.chaos]

# Of each cut; longer than the JobManager waits for a heartbeat.
SECONDS = float(os.environ.get("HEADGATE_FAULT_SECONDS", "4"))
HEARTBEAT_MS = int(os.environ.get("HEADGATE_HEARTBEAT_MS", "3000"))
HOUR = 3600


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStage]:
    with FaultyStage(tmp_path_factory.mktemp("faults"), HEARTBEAT_MS) as made:
        yield made


def assert_unharmed(told: Told, what: str) -> None:
    print(
        f"{what}: {told.events} events; nothing decided for {told.silent_seconds:.1f} s, all "
        f"visible {told.back_seconds:.1f} s after the mend, {told.failovers} failovers"
    )
    assert told.findings == []
    assert told.letters == 0


def broken(*lines: Line, how: str) -> None:
    """Break lines for a while."""
    for line in lines:
        line.cut() if how == "cut" else line.silence()
    try:
        time.sleep(SECONDS)
    finally:
        for line in lines:
            line.mend()


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_no_way_to_kafka(stage: FaultyStage, how: str) -> None:
    told = stage.play(lambda _: broken(stage.to_kafka, how=how))
    assert_unharmed(told, f"Kafka, {how}")
    # It was cut indeed: nothing can be decided without the journal.
    assert told.silent_seconds > SECONDS - 1


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_no_way_to_the_agent(stage: FaultyStage, how: str) -> None:
    told = stage.play(lambda _: broken(stage.to_agent, how=how))
    assert_unharmed(told, f"agent, {how}")
    assert told.silent_seconds > SECONDS - 1
    assert told.failovers == 0


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_no_way_between_jobmanager_and_taskmanager(stage: FaultyStage, how: str) -> None:
    lines = (stage.to_job_manager, stage.to_task_manager)
    told = stage.play(lambda _: broken(*lines, how=how))
    assert_unharmed(told, f"JobManager, {how}")


def test_a_full_disk_of_checkpoints(stage: FaultyStage) -> None:
    def fault(_: Postponing) -> None:
        make_room = stage.fill("checkpoints")
        try:
            stage.await_failed_checkpoint()
            time.sleep(SECONDS)
        finally:
            make_room()

    told = filled(stage, fault)
    assert_unharmed(told, "full disk of checkpoints")
    # Turns go on, and calls under way with them: they are visible once there is room.
    assert told.failovers == 0


def test_a_full_disk_of_kafka(stage: FaultyStage) -> None:
    def fault(_: Postponing) -> None:
        make_room = stage.fill("kafka")
        try:
            stage.await_end_of_kafka()
        finally:
            make_room()
        stage.start_kafka()

    assert_unharmed(filled(stage, fault), "full disk of Kafka")


def filled(stage: FaultyStage, fault: Callable[[Postponing], None]) -> Told:
    if stage.disk_problem:
        pytest.skip(f"no disk of its own to fill, root may have one: {stage.disk_problem}")
    return stage.play(fault)


@pytest.fixture(scope="module")
def clocks(stage: FaultyStage) -> FaultyStage:
    if not stage.take_clocks():
        pytest.skip("no C compiler: apt-get install gcc")
    return stage


@pytest.mark.parametrize("clock", ["taskmanager", "kafka"])
def test_a_clock_that_jumps_an_hour_and_back(clocks: FaultyStage, clock: str) -> None:
    def fault(stream: Postponing) -> None:
        for ahead in (HOUR, 0):
            stream.postpone()
            time.sleep(2)
            clocks.clocks[clock].put(ahead)
            time.sleep(SECONDS)

    assert_unharmed(clocks.play(fault), f"clock of {clock}")
