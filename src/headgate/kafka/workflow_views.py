"""A workflow's state, for people and programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headgate.core.statuses import ENDED

if TYPE_CHECKING:
    from headgate.v1.history_pb2 import StateAsOf
    from headgate.v1.turn_pb2 import InstanceReport

NO_WORKFLOW = "no workflow"

ROW_VALUES = ("run", "status", "started_us", "pending", "shown", "error")
"""Values of a workflow's state that `workflow_row` reads."""

__all__ = ["ENDED", "NO_WORKFLOW", "ROW_VALUES", "workflow_row", "workflow_view"]


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


def workflow_row(found: StateAsOf) -> dict[str, Any] | None:
    """Return a workflow among others, of its values alone; None where it is another agent's state.

    status: as `workflow_view` has it.
    """
    from headgate.core.render import rfc3339

    values = {name: _json(raw) for name, raw in found.state.values.items()}
    if "run" not in values:
        return None
    status = values.get("status", "new")
    is_parked = status == "running" and found.HasField("parked")
    parts = {
        "address": f"{found.agent_type}/{found.key}",
        "status": "parked" if is_parked else "not started" if status == "new" else status,
        "started": rfc3339(values["started_us"]) if values.get("started_us") else "",
        "waits_for": sorted(label.strip() for label in (values.get("pending") or {}).values()),
        "shown": values.get("shown"),
        "error": values.get("error"),
        "problem": found.parked.message if is_parked else "",
    }
    return {name: part for name, part in parts.items() if part}


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


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
