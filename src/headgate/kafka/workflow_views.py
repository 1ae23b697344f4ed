"""A workflow's state, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.core.statuses import ENDED

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import InstanceReport

NO_WORKFLOW = "no workflow"

__all__ = ["ENDED", "NO_WORKFLOW", "workflow_view"]


def workflow_view(found: InstanceReport) -> dict[str, Any]:
    """Return how far a workflow is; parts that there are none of are left out.

    status: `not started`, `running`, `parked` (somebody must look: see the instance's failure),
    `completed`, `failed`, `cancelled` or `terminated`; or `no workflow`.
    """
    from headgate.core.render import rfc3339
    from headgate.kafka.reports import report_view

    report = report_view(found)
    values = report.get("values", {})
    steps = report.get("lists", {}).get("steps", {})
    status = values.get("status", "new")
    if values.keys() - {"early"} and "run" not in values:
        # A workflow that has begun has a run; this is another agent's state.
        return {"address": report["address"], "status": NO_WORKFLOW}
    shown: dict[str, Any] = {"address": report["address"]}
    if status == "running" and report["status"] == "parked":
        shown |= {"status": "parked", "failure": report.get("failure")}
    else:
        shown["status"] = "not started" if status == "new" else status
    if status in ENDED and not values.get("error"):
        shown["result"] = values.get("result")
    parts: dict[str, Any] = {
        "problem": report.get("problem"),
        "error": values.get("error"),
        "started": rfc3339(values["started_us"]) if values.get("started_us") else "",
        "run": values.get("run"),
        "shown": values.get("shown"),
        "waits_for": sorted(label.strip() for label in values.get("pending", {}).values()),
        "taken_steps": steps.get("length"),
        "steps": [_step(each, rfc3339) for each in steps.get("newest", [])],
    }
    return shown | {name: part for name, part in parts.items() if part}


def _step(step: dict[str, Any], rfc3339: Any) -> dict[str, Any]:
    """A step as `sdk.workflow.execution` stores it."""
    shown = {"at": rfc3339(step["t"])}
    if "s" in step:
        return shown | {"step": f"signal {step['s']}", "came to": step["d"]}
    if "c" in step:
        return shown | {"step": "cancel", "came to": None}
    if "p" in step:
        return shown | {"step": f"patch {step['p']}", "came to": None}
    came_to = {"error": step["e"]} if "e" in step else step.get("r")
    return shown | {"step": step["k"].strip(), "came to": came_to}
