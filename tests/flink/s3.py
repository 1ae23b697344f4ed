"""An S3-compatible store on loopback, and Flink's plugin for it: what the wheel does not have."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen
from xml.etree import ElementTree as ET

from headgate.local.ports import LOOPBACK, free_ports
from headgate.local.process import Family
from tests.environment import HOME, UnavailableError, interpreter

REQUIREMENT = "moto[s3,server]>=5.2,<6"
BUCKET = "headgate"
PLUGIN = "flink-s3-fs-presto"
START_SECONDS = 60.0
FETCH_SECONDS = 300
"""97 MB; half a minute where a mirror is near."""

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}
"""As a Secret puts them into a pod: nothing about them stands in Flink's configuration."""


class Store:
    """A running store with one bucket."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://{LOOPBACK}:{port}"

    def serves(self) -> bool:
        """Tell whether it answers."""
        try:
            with urlopen(self.endpoint, timeout=5) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def make_bucket(self) -> None:
        """Make the bucket; a second one of the name is the same."""
        request = Request(f"{self.endpoint}/{BUCKET}", method="PUT")  # noqa: S310 - our own
        urlopen(request, timeout=5).close()  # noqa: S310 - our own

    def lose_bucket(self) -> None:
        """Take the bucket away, and all that is in it."""
        request = Request(f"{self.endpoint}/moto-api/reset", method="POST")  # noqa: S310 - our own
        urlopen(request, timeout=5).close()  # noqa: S310 - our own

    def names(self, prefix: str, suffix: str = "") -> list[str]:
        """Return the names of all objects that begin and end so."""
        url = f"{self.endpoint}/{BUCKET}?list-type=2&prefix={prefix}"
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - our own
            listed = ET.fromstring(answer.read())  # noqa: S314 - our own
        space = listed.tag.partition("}")[0] + "}"
        found = [each.findtext(f"{space}Key", "") for each in listed.iter(f"{space}Contents")]
        return [name for name in found if name.endswith(suffix)]


@contextmanager
def serving_store(family: Family, log: Path) -> Iterator[Store]:
    """Serve a store with an empty bucket; raises UnavailableError where moto cannot be had."""
    python = interpreter("moto", REQUIREMENT)
    [port] = free_ports(1)
    store = Store(port)
    command = [str(python.with_name("moto_server")), "-H", LOOPBACK, "-p", str(port)]
    child = family.spawn("s3", command, log=log)
    try:
        child.await_ready(store.serves, START_SECONDS)
        store.make_bucket()
        yield store
    finally:
        family.end(child)


def add_plugin(distribution: Path) -> None:
    """Put the plugin into a FLINK_HOME, as the image has it."""
    jar = fetch_plugin()
    folder = distribution / "plugins" / PLUGIN
    folder.mkdir(parents=True, exist_ok=True)
    (folder / jar.name).symlink_to(jar)


def fetch_plugin() -> Path:
    """Return the plugin's jar, which Flink's distribution has in opt/ and the wheel leaves out;
    raises UnavailableError.
    """
    release = version("apache-flink")
    folder = HOME / "s3"
    jar = folder / f"{PLUGIN}-{release}.jar"
    folder.mkdir(parents=True, exist_ok=True)
    with (HOME / "s3.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if jar.is_file():
            return jar
        maven = shutil.which("mvn")
        if maven is None:
            message = "found no 'mvn' on the PATH"
            raise UnavailableError(message)
        part = folder / f"part-{os.getpid()}"
        command = [maven, "-B", "-q", "dependency:copy", f"-DoutputDirectory={part}"]
        command += [f"-Dartifact=org.apache.flink:{PLUGIN}:{release}"]
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS
            )
            (part / jar.name).rename(jar)
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stdout", "") or str(error)).strip().splitlines()
            raise UnavailableError(said[0] if said else repr(error)) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return jar
