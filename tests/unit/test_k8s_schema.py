"""Everything in k8s/ is what Kubernetes and the two operators take, as far as schemas tell."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.manifests import OVERLAYS, Manifest, base, build

SCHEMAS = Path(__file__).with_name("schemas")
OWN = {
    kind: json.loads((SCHEMAS / f"{kind.lower()}.json").read_text(encoding="utf-8"))
    for kind in ("FlinkDeployment", "PrometheusRule", "ServiceMonitor")
}
# The first that probes gRPC without a feature gate, and the newest whose schemas are there.
KUBERNETES = ("1.27", "1.37")


def pod_templates(node: Any) -> list[Manifest]:
    """Return every pod template of a FlinkDeployment."""
    if not isinstance(node, dict):
        return []
    own = [node["podTemplate"]] if "podTemplate" in node else []
    return own + [each for child in node.values() for each in pod_templates(child)]


def check(manifest: Manifest, version: str) -> None:
    """Raise for a field that is not known, is missing, or has another type."""
    if manifest["kind"] not in OWN:
        kubernetes_validate.validate(manifest, version, strict=True)
        return
    jsonschema.validate(manifest, OWN[manifest["kind"]])
    for template in pod_templates(manifest["spec"]):
        whole = {"apiVersion": "v1", "kind": "PodTemplate", "template": template}
        kubernetes_validate.validate(whole, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_what_kubernetes_takes(overlay: str, version: str) -> None:
    manifests = build(overlay)
    assert len(manifests) > 20
    for manifest in manifests:
        check(manifest, version)


def test_the_base_is_so_where_no_kustomize_is() -> None:
    for manifest in base():
        check(manifest, KUBERNETES[-1])


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("FlinkDeployment", ("spec", "upgradeMod"), "last-state"),
        ("FlinkDeployment", ("spec", "job", "upgradeMode"), "last-save"),
        ("FlinkDeployment", ("spec", "flinkVersion"), "v2_9"),
        ("FlinkDeployment", ("spec", "taskManager", "resources", "limit"), {}),
        ("FlinkDeployment", ("spec", "podTemplate", "spec", "volume"), []),
        ("FlinkDeployment", ("spec", "jobManager", "podTemplate", "spec", "containers"), [{}]),
        ("ServiceMonitor", ("spec", "endpoint"), []),
        ("PrometheusRule", ("spec", "groups"), [{"name": "headgate", "rule": []}]),
        ("Deployment", ("spec", "replicas"), "two"),
        ("Deployment", ("spec", "template", "spec", "container"), []),
        ("NetworkPolicy", ("spec", "ingres"), []),
        ("PodDisruptionBudget", ("spec", "minAvailable"), [1]),
    ],
)
def test_what_is_wrong_is_refused(kind: str, path: tuple[str, ...], value: Any) -> None:
    found = copy.deepcopy(next(each for each in base() if each["kind"] == kind))
    check(found, KUBERNETES[-1])
    *way, last = path
    node = found
    for name in way:
        node = node[name]
    node[last] = value
    with pytest.raises(jsonschema.ValidationError):
        check(found, KUBERNETES[-1])
