"""Makes the schema that tests hold manifests against out of a CustomResourceDefinition:

    python tests/unit/schemas/reduce.py CRD.yml ORIGIN > tests/unit/schemas/KIND.json

ORIGIN is where the definition is from. What Kubernetes would drop in silence is refused here:
fields that the definition does not know. Descriptions and the status are left out, and so are pod
templates, 99 of 100 lines of a FlinkDeployment's: tests hold those against Kubernetes' own schema.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

NOT_OURS = {"description", "default", "format", "x-kubernetes-validations"}
POD_TEMPLATE = "podTemplate"


def reduce(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema as strict as the definition means to be."""
    kept = {
        key: value
        for key, value in schema.items()
        if key not in NOT_OURS and not key.startswith("x-kubernetes-list")
    }
    is_open = kept.pop("x-kubernetes-preserve-unknown-fields", False)
    kept.pop("x-kubernetes-map-type", None)
    if kept.pop("x-kubernetes-int-or-string", False):
        kept["type"] = ["integer", "string"]
    if kept.get("pattern", "").startswith("^(?i)"):
        # Go reads flags anywhere, Python only at the beginning.
        kept["pattern"] = "(?i)^" + kept["pattern"].removeprefix("^(?i)")
    if "properties" in kept:
        kept["properties"] = {
            name: {"type": "object"} if name == POD_TEMPLATE else reduce(each)
            for name, each in kept["properties"].items()
        }
        if not is_open:
            kept["additionalProperties"] = False
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = reduce(kept["additionalProperties"])
    if "items" in kept:
        kept["items"] = reduce(kept["items"])
    return kept


def of_definition(definition: dict[str, Any], origin: str) -> dict[str, Any]:
    """Return the schema of a definition's one version, with where it is from."""
    [version] = definition["spec"]["versions"]
    found = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    group = f"{definition['spec']['group']}/{version['name']}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"{origin}. Apache License 2.0. Reduced by tests/unit/schemas/reduce.py.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": group},
            "kind": {"const": definition["spec"]["names"]["kind"]},
            "metadata": {"type": "object"},
            "spec": reduce(found),
        },
    }


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    print(json.dumps(of_definition(yaml.safe_load(text), sys.argv[2]), indent=1))
