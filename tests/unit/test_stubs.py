"""The committed stubs are what grpcio-tools makes of proto/."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = {"agent_pb2_grpc.py", "door_pb2_grpc.py", "history_pb2_grpc.py", "query_pb2_grpc.py"}
COMMITTED = ROOT / "src" / "headgate" / "v1"


def test_stubs_are_up_to_date(tmp_path: Path) -> None:
    protos = sorted((ROOT / "proto").rglob("*.proto"))
    assert protos
    # Only some declare a service: their stubs are the only ones with a grpc part.
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{ROOT / 'proto'}",
            f"--python_out={tmp_path}",
            f"--pyi_out={tmp_path}",
            f"--grpc_python_out={tmp_path}",
            *map(str, protos),
        ],
        check=True,
        capture_output=True,
    )
    made = {
        path.name: path.read_text()
        for path in (tmp_path / "headgate" / "v1").iterdir()
        if path.name in SERVICES or not path.name.endswith("_grpc.py")
    }
    committed = {path.name: path.read_text() for path in COMMITTED.glob("*_pb2*")}
    assert made.keys() == committed.keys()
    stale = sorted(name for name in made if made[name] != committed[name])
    assert stale == [], "regenerate the stubs from proto/"
