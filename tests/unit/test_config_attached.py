"""An agent by options and file: checked as in headgate.toml, and every error says where."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headgate.cli.attach_options import table_of
from headgate.config import LimitsConfig, RouteConfig
from headgate.config.attached import read_attached
from headgate.errors import ConfigError

FILE = """\
endpoint = "far.away:7070"
wire = "headgate"
tls = {ca_file = "ca"}
[policy]
deadline = "5s"
max_batch = 3
[[routes]]
topic = "messages"
type = "shop.*"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "order.toml"
    path.write_text(text, encoding="utf-8")
    return path


def options(*endpoints: str, **policy: Any) -> dict[str, Any]:
    """Return what the command line makes of endpoints and policy options."""
    return table_of(endpoints, wire=None, money={}, policy=policy, has_tls=False, tls={}, token={})


def test_options_alone_are_enough() -> None:
    made = read_attached("order", options("a:1", "b:2"), ["messages", "web:shop.*"])
    agent = made.agents["order"]
    assert (agent.endpoint, agent.replicas) == ("a:1", ("b:2",))
    assert made.routes_of("order") == (
        RouteConfig(topic="messages", agent="order"),
        RouteConfig(topic="web", agent="order", type="shop.*"),
    )


def test_options_win_over_the_file_key_by_key(tmp_path: Path) -> None:
    given = options(max_batch=9, deadline=None)
    made = read_attached("order", given, file=write(tmp_path, FILE))
    agent = made.agents["order"]
    assert agent.endpoint == "far.away:7070"
    assert (agent.policy.max_batch, agent.policy.deadline) == (9, timedelta(seconds=5))
    assert made.routes_of("order") == (RouteConfig(topic="messages", agent="order", type="shop.*"),)
    led = read_attached("order", given, ["web"], file=write(tmp_path, FILE))
    assert [route.topic for route in led.routes_of("order")] == ["web"]


def test_tls_without_anything_else_is_tls() -> None:
    given = table_of(
        ["a:1"], wire=None, money={}, policy={}, has_tls=True, tls={"ca_file": None}, token={}
    )
    assert read_attached("order", given).agents["order"].tls is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FILE.replace('"5s"', "5"), "order.toml:5: policy.deadline: must be a string with a unit"),
        (FILE.replace("max_batch", "max_bach"), "order.toml:6: policy.max_bach: unknown key"),
        (FILE.replace('"shop.*"', '""'), "order.toml:9: routes[0].type: event type pattern '' is"),
        ("endpoint = ", "order.toml:1: not valid TOML"),
        ("routes = 3", "routes"),
        ("[[routes]]\ntopic = 3", "routes[0].topic"),
    ],
)
def test_a_wrong_file_names_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_attached("order", {}, file=write(tmp_path, text))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "given", "routes", "said"),
    [
        ("order", options(), [], "endpoint: is required and missing"),
        ("order", options("http://a:1"), [], "endpoint: must be host:port without a scheme"),
        ("Order", options("a:1"), [], "must match"),
        ("order", options("a:1", deadline="1 fortnight"), [], "policy.deadline: "),
        ("order", options("a:1"), ["messages:"], "routes[0].type: event type pattern '' is empty"),
        ("order", options("a:1"), ["headgate.journal"], "Headgate's own topic"),
        ("order", options("a:1") | {"token": {"env": "T"}}, [], "token: would travel readable"),
    ],
)
def test_wrong_options_are_named(
    name: str, given: dict[str, Any], routes: list[str], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read_attached(name, given, routes)
    assert said in str(refused.value)


def test_limits_are_those_of_headgate_toml() -> None:
    with pytest.raises(ConfigError, match=r"do not fit limits\.endpoint_queue"):
        read_attached("order", options("a:1"), limits=LimitsConfig(endpoint_queue=3_000_000))


def test_whose_its_instances_are_is_part_of_the_agent() -> None:
    money = {"tenant": None, "tenant_before": ":", "estimate": 0.5}
    given = table_of(["a:1"], wire=None, money=money, policy={}, has_tls=False, tls={}, token={})
    agent = read_attached("order", given, ["messages"]).agents["order"]
    assert (agent.tenant, agent.tenant_before, str(agent.estimate)) == (None, ":", "0.5")
