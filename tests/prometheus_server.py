"""A real Prometheus for tests, with the files of monitoring/: it scrapes, and names faults."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest
import yaml

from headgate.local.ports import LOOPBACK, free_ports
from headgate.local.process import Family

MONITORING = Path(__file__).parents[1] / "monitoring"
START_SECONDS = 60.0
POLL_SECONDS = 0.2


def need(program: str) -> str:
    """Return the path of a program of Debian's `prometheus`; skips the test where there is none."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"found no {program!r} on the PATH; on Debian: apt-get install prometheus")
    return found


class Prometheus:
    """Answers of a running server."""

    def __init__(self, port: int) -> None:
        self._url = f"http://{LOOPBACK}:{port}"

    def is_ready(self) -> bool:
        """Tell whether it serves."""
        try:
            with urlopen(f"{self._url}/-/ready", timeout=5) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of every series; fails for what is no PromQL."""
        found = self._get("query", query=expression)["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def firing(self) -> list[dict[str, str]]:
        """Return the labels of every alert that fires, `alertname` among them."""
        alerts = self._get("alerts")["alerts"]
        return [each["labels"] for each in alerts if each["state"] == "firing"]

    def await_alert(self, name: str, within_seconds: float, **labels: str) -> float:
        """Wait until an alert with these labels fires; return how long it took, seconds."""
        began = time.monotonic()
        wanted = {"alertname": name, **labels}.items()
        while not any(wanted <= each.items() for each in self.firing()):
            took = time.monotonic() - began
            assert took < within_seconds, f"{wanted} does not fire; firing: {self.firing()}"
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began

    def await_found(
        self, expression: str, within_seconds: float = 60.0
    ) -> list[tuple[dict[str, str], float]]:
        """Wait until an expression has a result, and return it."""
        deadline = time.monotonic() + within_seconds
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"{expression} is nothing"
            time.sleep(POLL_SECONDS)
        return found

    def _get(self, what: str, **parameters: str) -> Any:
        asked = f"{self._url}/api/v1/{what}?{urlencode(parameters)}"
        with urlopen(asked, timeout=30) as answer:  # noqa: S310 - our own
            return json.load(answer)["data"]


@contextmanager
def prometheus_server(home: Path, urls: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run a server that scrapes these addresses, by process, each second."""
    program = need("prometheus")
    home.mkdir(parents=True, exist_ok=True)
    settings = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    settings["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    settings["rule_files"] = [str(MONITORING / "alerts.yml")]
    settings["scrape_configs"][0]["static_configs"] = [
        {"targets": [urlsplit(url).netloc], "labels": {"process": process}}
        for process, url in urls.items()
    ]
    config = home / "prometheus.yml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (port,) = free_ports(1)
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}"]
    command += [f"--web.listen-address={LOOPBACK}:{port}"]
    with Family() as family:
        child = family.spawn("prometheus", command, log=home / "prometheus.log")
        made = Prometheus(port)
        child.await_ready(made.is_ready, START_SECONDS)
        try:
            yield made
        finally:
            family.end(child)
