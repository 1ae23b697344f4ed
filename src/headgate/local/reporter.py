"""Flink's Prometheus reporter with a host to listen on, compiled against the installed Flink.

Flink's own listens on every interface and has no setting for it. Ours is one Java file, and the
compiler of the Java that runs Flink makes it: a jar in the wheel would be of one Flink for ever.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from headgate.errors import HeadgateError
from headgate.local.flink_home import REPORTER_PLUGIN, wheel_folder
from headgate.local.jars import MissingToolError, default_folder, require_java

FACTORY = "org.apache.flink.metrics.prometheus.LoopbackPrometheusReporterFactory"
SERVICE = "META-INF/services/org.apache.flink.metrics.reporter.MetricReporterFactory"
SOURCE = Path(__file__).with_name("LoopbackPrometheusReporterFactory.java")
# The compiler's module rather than `javac`: it is of the same Java as require_java's, and Debian's
# JRE has it too.
COMPILER = "jdk.compiler/com.sun.tools.javac.Main"
# What any Java that require_java takes can load, also one that is older than the compiler.
# Without --release, which asks for files that a JRE has not got; so javac warns of the platform.
COMPILER_OPTIONS = ("-source", "17", "-target", "17", "-proc:none", "-Xlint:all,-options")


def build(folder: Path) -> Path:
    """Compile the reporter into a jar below `folder`, and return it; twice costs nothing.

    The jar's name has the hash of what it was made of: another Flink, or another source, gets
    another jar. Raises MissingToolError without Java 17 or its compiler.
    """
    [flinks] = wheel_folder().glob(f"plugins/{REPORTER_PLUGIN}/*.jar")
    digest = hashlib.sha256(SOURCE.read_bytes() + flinks.read_bytes()).hexdigest()
    jar = folder.resolve() / f"loopback-prometheus-{digest[:16]}.jar"
    if jar.is_file():
        return jar
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        classes = Path(name) / "classes"
        _compile([flinks, *wheel_folder().glob("lib/flink-dist-*.jar")], classes)
        made = Path(name) / jar.name
        with zipfile.ZipFile(made, "w") as archive:
            for path in sorted(classes.rglob("*.class")):
                archive.write(path, path.relative_to(classes))
            archive.writestr(SERVICE, FACTORY + "\n")
        # Two first starts at once both compile, and either's jar will do; a half one would not.
        os.replace(made, jar)
    return jar


def _compile(class_path: list[Path], target: Path) -> None:
    java = require_java()
    command = [java, "-m", COMPILER, *COMPILER_OPTIONS, "-cp", ":".join(map(str, class_path))]
    command += ["-d", str(target), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if "Module jdk.compiler not found" in output:
        message = (
            f"{java} has no compiler, and metrics take one when a stack first starts: it is a JRE, "
            "and a JDK 17 is needed. Debian and Ubuntu: apt install openjdk-17-jdk-headless (then "
            "set JAVA_HOME if both are to stay)"
        )
        raise MissingToolError(message)
    if done.returncode != 0:
        message = f"the reporter of metrics could not be compiled for this Flink:\n{output}"
        raise HeadgateError(message)


if __name__ == "__main__":
    try:
        print(f"reporter of metrics in {build(default_folder() / 'reporter')}")
    except HeadgateError as error:
        sys.exit(str(error))
