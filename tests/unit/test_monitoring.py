"""Rules, dashboard, runbook and the one table of metrics agree with each other and the code."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from headgate.core.budgets import Budgets
from headgate.core.model import OutcomeRead, Transition
from headgate.flink.budget_figures import BudgetFigures
from headgate.flink.figures import Heard, Names, figures_of
from headgate.flink.tally import Tally
from headgate.v1.agent_pb2 import Usage
from headgate.v1.cost_pb2 import Budget
from headgate.v1.turn_pb2 import AgentSpec, EndpointCalls, Outcome
from tests.prometheus_server import MONITORING, need

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| `(headgate_\w+)` \| (counter|gauge) \| ([\w, ]*) ?\| .+ \| .+ \| ([\w, ]*) ?\|$", re.M
)
OWN_NAME = re.compile(r"\bheadgate_\w+")


@dataclass
class Row:
    """A row of the table in docs/metrics.md."""

    labels: tuple[str, ...]
    alerts: set[str]


def table() -> dict[str, Row]:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    return {
        name: Row(tuple(_words(labels)), set(_words(alerts)))
        for name, _, labels, alerts in ROW.findall(text)
    }


def rules() -> list[dict[str, Any]]:
    text = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def expressions_of_dashboard() -> Iterator[str]:
    path = MONITORING / "grafana" / "dashboards" / "headgate.json"
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            # What Grafana puts in.
            shown = target["expr"].replace("$__rate_interval", "1m")
            yield shown.replace("$agent", ".*")


def shown() -> dict[str, set[tuple[str, ...]]]:
    """Everything that Gate would show once all has happened, with the labels of each name."""
    tally = Tally()
    outcome = Outcome(called_us=1, answered_us=2_000_001, tenant="acme", cost_nanos=7)
    outcome.completed.SetInParent()
    outcome.usage.append(Usage(model="large", input_tokens=3, output_tokens=5))
    read = OutcomeRead(outcome, b"", 0, 0, 0)
    tally.count("order", "order/1", read, Transition(note="applied", verdict="completed"))
    tally.of("order").call(outcome)
    tally.gave_up("order", "not_json")
    heard = Heard()
    heard.calls = [EndpointCalls(agent_type="order", endpoint="127.0.0.1:7070")]
    specs = {"order": AgentSpec(type="order")}
    found: dict[str, set[tuple[str, ...]]] = {}
    made = figures_of(tally, [{"order": 1}], heard, Names(), specs=specs, tenants=(), now_ms=1_000)
    budgets = BudgetFigures()
    budgets.know(Budgets([Budget(name="day")]))
    for name, labels, _ in (*made, *budgets):
        found.setdefault(name, set()).add(tuple(label for label, _ in labels))
    return found


def test_the_table_has_every_metric_with_its_labels_and_no_other() -> None:
    rows = table()
    assert len(rows) > 20
    assert {name: {row.labels} for name, row in rows.items()} == shown()


def test_the_table_names_the_alerts_that_use_a_metric() -> None:
    used: dict[str, set[str]] = {name: set() for name in table()}
    for rule in rules():
        for name in set(OWN_NAME.findall(rule["expr"])):
            used[name].add(rule["alert"])
    assert {name: row.alerts for name, row in table().items()} == used


def test_every_alert_links_to_a_section_of_the_runbook() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    anchors = {_anchor(title) for title in re.findall(r"^#+ (.+)$", text, re.M)}
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == "docs/runbook.md"
        assert anchor in anchors, rule["alert"]
        assert rule["alert"] in text, f"{rule['alert']} is not named in the runbook"


def test_prometheus_takes_its_files() -> None:
    assert _promtool("check", "config", str(MONITORING / "prometheus.yml"))


def test_alerts_fire_when_they_should_and_not_before() -> None:
    assert _promtool("test", "rules", str(ROOT / "tests" / "unit" / "alerts.yml"))


def test_the_dashboard_asks_what_prometheus_understands_of_metrics_that_there_are(
    tmp_path: Path,
) -> None:
    asked = list(expressions_of_dashboard())
    assert asked
    unknown = {name for each in asked for name in OWN_NAME.findall(each)} - set(table())
    assert unknown == set()
    made = [{"record": f"asked:{number}", "expr": each} for number, each in enumerate(asked)]
    for rule in made:
        rule["record"] = rule["record"].replace(":", "_")
    path = tmp_path / "asked.yml"
    groups = {"groups": [{"name": "dashboard", "rules": made}]}
    path.write_text(yaml.safe_dump(groups), encoding="utf-8")
    assert _promtool("check", "rules", str(path))


def test_every_panel_says_what_it_shows() -> None:
    path = MONITORING / "grafana" / "dashboards" / "headgate.json"
    names = {rule["alert"] for rule in rules()}
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        assert panel["description"]
        assert set(re.findall(r"Headgate\w+", panel["description"])) <= names, panel["title"]


def _promtool(*arguments: str) -> bool:
    done = subprocess.run(
        [need("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return True


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
