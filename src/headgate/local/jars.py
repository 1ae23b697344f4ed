"""The jars of Kafka and of Flink's Kafka connector, fetched once through Maven."""

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from headgate.errors import HeadgateError

SETS = ("kafka", "flink")  # one profile of jars.xml and one folder each
JAVA_MAJOR = 17  # what Flink 2.3 was measured on; Kafka 4.1 brokers need at least 17
STAMP = ".stamp"


class MissingToolError(HeadgateError):
    """A program that the embedded stack needs is not installed.

    Operator action: install the package that the message names.
    """


def settings_folder() -> Path:
    """Return `flink-conf/` of the working copy, or of the installation."""
    named = os.environ.get("HEADGATE_FLINK_CONF")
    places = [
        *([Path(named)] if named else []),
        Path(__file__).parents[3] / "flink-conf",
        Path(sys.prefix) / "share" / "headgate" / "flink-conf",
    ]
    for place in places:
        if (place / "jars.xml").is_file():
            return place.resolve()
    looked = ", ".join(str(place) for place in places)
    message = f"no folder flink-conf with a jars.xml; looked at {looked}"
    raise HeadgateError(message)


def default_folder() -> Path:
    """Return where all stacks of this working copy share their jars."""
    named = os.environ.get("HEADGATE_JARS")
    return Path(named) if named else settings_folder().parent / ".headgate" / "jars"


def fetch(folder: Path | None = None, say: Callable[[str], None] = lambda _: None) -> Path:
    """Fetch what `jars.xml` names into `folder/kafka` and `folder/flink`; twice costs nothing.

    Raises MissingToolError without Java 17 or (if there is something to fetch) Maven.
    """
    folder = (folder or default_folder()).resolve()
    pom = settings_folder() / "jars.xml"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()
    require_java()
    for name in SETS:
        target = folder / name
        if _is_stamped(target, digest):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            # Two first starts at once (tests beside a demo) must not delete each other's jars.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_stamped(target, digest):
                say(f"fetching the jars of {name} (once)")
                _fetch_set(pom, name, target)
                (target / STAMP).write_text(digest, encoding="ascii")
    return folder


@functools.cache  # asking takes 0.1 s, which would count towards the outage of every kill
def require_java() -> str:
    """Return the path of a Java 17 or newer; raises MissingToolError."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        message = "Java is missing. Debian and Ubuntu: apt install openjdk-17-jdk-headless"
        raise MissingToolError(message)
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    major = java_major(shown)
    if major < JAVA_MAJOR:
        message = (
            f"{java} is Java {major}, and Kafka and Flink need {JAVA_MAJOR}. Debian and Ubuntu: "
            "apt install openjdk-17-jdk-headless (then set JAVA_HOME if both are to stay)"
        )
        raise MissingToolError(message)
    return java


def java_major(version_output: str) -> int:
    """Return the major version in the output of `java -version`, 0 if there is none.

    >>> java_major('openjdk version "17.0.15" 2025-04-15')
    17
    """
    found = re.search(r'version "(?:1\.)?(\d+)', version_output)
    return int(found[1]) if found else 0


def _is_stamped(target: Path, digest: str) -> bool:
    stamp = target / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == digest


def _fetch_set(pom: Path, name: str, target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        message = "Maven is missing; it fetches Kafka. Debian and Ubuntu: apt install maven"
        raise MissingToolError(message)
    # An older version of a jar beside the new one would be on the class path too.
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    command = [maven, "-B", "-q", "-f", str(pom), "-P", name, "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if "[ERROR]" in line]
        message = f"Maven could not fetch the jars of {name}:\n" + "\n".join(lines[:3])
        raise HeadgateError(message)


if __name__ == "__main__":
    try:
        print(f"jars in {fetch(say=print)}")
    except HeadgateError as error:
        sys.exit(str(error))
