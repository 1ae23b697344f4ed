"""Agent services live in environments of their own: the SDK must not need the runtime's."""

import json
import subprocess
import sys

FOREIGN = {"pyflink", "apache_beam", "kafka", "confluent_kafka", "pydantic", "typer", "rich"}


def test_the_sdk_imports_neither_flink_nor_kafka_nor_pydantic() -> None:
    code = (
        "import json, sys, headgate.sdk, headgate.sdk.testing, headgate.demo.sgd;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(json.loads(out.stdout))
    assert "headgate" in loaded
    assert loaded & FOREIGN == set()
