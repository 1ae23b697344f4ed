"""`headgate schedules` against a running job: made, fired, at rest, gone."""

from __future__ import annotations

import pytest

from headgate.cli.scheduling import ScheduleError
from headgate.schedules.agent import make_scheduler
from headgate.testing.serving import Serving
from tests.flink.runtime import Runtime, mirror

pytestmark = [pytest.mark.flink, pytest.mark.slow]


def test_a_schedule_from_its_making_to_its_end(runtime: Runtime) -> None:
    name = runtime.fresh("report")
    made = ("schedules", "create", "poll", f"{name}/all", "report.due", '{"n": 1}', "--every", "1s")
    with Serving(mirror(name)) as reports, Serving(make_scheduler()) as scheduler:
        runtime.headgate("agents", "attach", name, "--endpoint", reports.endpoint)
        with pytest.raises(ScheduleError, match="headgate schedules serve"):
            runtime.headgate(*made)
        runtime.headgate("agents", "attach", "schedule", "--endpoint", scheduler.endpoint)
        with pytest.raises(ScheduleError, match="'soon' is no cron expression"):
            runtime.headgate(*made[:6], "--cron", "soon")
        assert runtime.headgate("schedules", "list") == []
        assert runtime.headgate(*made)["due"]
        answers = runtime.answers_of(f"{name}/all", 3)
        assert [each["data"]["count"] for each in answers[:3]] == [1, 2, 3]
        assert answers[0]["data"]["seen"] == {"n": 1}
        assert runtime.headgate("schedules", "pause", "poll")["paused"] is True
        fired = runtime.headgate("schedules", "describe", "poll")["fired"]
        assert runtime.headgate("schedules", "trigger", "poll")["fired"] == fired + 1
        assert len(runtime.answers_of(f"{name}/all", fired + 1)) == fired + 1
        [listed] = runtime.headgate("schedules", "list")
        assert (listed["name"], listed["when"], listed["data"]) == ("poll", "every 1s", {"n": 1})
        runtime.headgate("schedules", "delete", "poll")
        with pytest.raises(ScheduleError, match="no schedule 'poll'"):
            runtime.headgate("schedules", "resume", "poll")
        runtime.headgate("agents", "detach", "schedule", "--now")
        runtime.headgate("agents", "detach", name, "--now")
    runtime.assert_unharmed()
