"""What the entry script makes of Flink's settings."""

from __future__ import annotations

import pytest

from headgate.flink.entry import may_recover, restored_path


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, None),
        ({"execution.state-recovery.path": "file:///chk-1"}, "file:///chk-1"),
        ({"execution.savepoint.path": "file:///chk-2"}, "file:///chk-2"),
        ({"execution.state-recovery.path": ""}, None),
    ],
)
def test_the_checkpoint_is_the_one_that_flink_restores(
    settings: dict[str, str], path: str | None
) -> None:
    assert restored_path(settings) == path


@pytest.mark.parametrize(
    ("availability", "target", "may"),
    [
        (None, "embedded", False),
        ("NONE", "embedded", False),
        ("zookeeper", "embedded", True),
        # In session mode the client runs the script once, whatever the cluster does later.
        ("zookeeper", "remote", False),
    ],
)
def test_a_jobmanager_that_takes_over_is_not_held_up(
    availability: str | None, target: str, may: bool
) -> None:
    settings = {"execution.target": target}
    if availability is not None:
        settings["high-availability.type"] = availability
    assert may_recover(settings) is may
