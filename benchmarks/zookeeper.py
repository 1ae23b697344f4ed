"""A ZooKeeper server from Flink's own jar: what a JobManager that is killed is found again by."""

import shutil
from pathlib import Path

from headgate.local.flink_home import wheel_folder
from headgate.local.jars import require_java
from headgate.local.ports import LOOPBACK, accepts_connections, free_ports
from headgate.local.process import Child, Family

MAIN = "org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ZooKeeperServerMain"
START_SECONDS = 30.0
# A JobManager that was killed leads until its session has ended (Flink's default: 60 s).
SESSION_SECONDS = 4
TICK_MS = 1_000

PROPERTIES = """\
dataDir={data}
clientPortAddress={host}
clientPort={port}
tickTime={tick}
admin.enableServer=false
"""


class ZooKeeper:
    """One server on loopback."""

    def __init__(self, family: Family, home: Path) -> None:
        """Choose a port; ``home`` keeps its data."""
        self._family = family
        self._home = home
        self._port = free_ports(1)[0]
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, None while it is down."""
        return self._child.pid if self._child and self._child.is_alive() else None

    def erase(self) -> None:
        """Delete its data, before it is started."""
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        """Start it and wait until it serves."""
        self._home.mkdir(parents=True, exist_ok=True)
        file = self._home / "zoo.cfg"
        file.write_text(
            PROPERTIES.format(
                data=self._home / "data", host=LOOPBACK, port=self._port, tick=TICK_MS
            ),
            encoding="utf-8",
        )
        jars = f"{wheel_folder() / 'lib'}/*"
        command = [require_java(), "-Xmx128m", "-XX:+UseSerialGC", "-cp", jars, MAIN, str(file)]
        self._child = self._family.spawn("zookeeper", command, log=self._home / "zookeeper.log")
        self._child.await_ready(lambda: accepts_connections(self._port), START_SECONDS)

    def flink_settings(self, storage: Path) -> dict[str, str]:
        """Return the settings of a Flink whose JobManager finds its jobs again."""
        return {
            "high-availability.type": "zookeeper",
            "high-availability.zookeeper.quorum": f"{LOOPBACK}:{self._port}",
            "high-availability.storageDir": storage.as_uri(),
            "high-availability.zookeeper.client.session-timeout": f"{SESSION_SECONDS} s",
            "high-availability.zookeeper.client.connection-timeout": f"{SESSION_SECONDS} s",
            "high-availability.zookeeper.client.retry-wait": "500 ms",
        }
