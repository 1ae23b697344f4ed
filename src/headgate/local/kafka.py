"""One Kafka server, broker and controller in one process, from the jars that Maven fetched."""

import base64
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from headgate.bootstrap import PLAINTEXT, Bootstrap, Security
from headgate.errors import HeadgateError
from headgate.local.jars import require_java
from headgate.local.ports import LOOPBACK, accepts_connections, is_free, remembered_ports
from headgate.local.process import Child, Family

HEAP = "-Xmx384m"  # serves thousands of records a second at 340 MB in all
START_SECONDS = 60.0
# A broker that is told to end hands over its partitions; alone, it has nobody to hand them to.
GRACE_SECONDS = 20.0

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller}
listeners={listener}://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners={listener}://{host}:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{listener}:{listener}
log.dirs={data}
# One broker: every internal topic has one replica, and few partitions keep the start short.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A typing error in a topic's name is an error, not a new topic.
auto.create.topics.enable=false
# Guarantees need a clean election (the default; said because they need it).
unclean.leader.election.enable=false
# A killed broker's registration blocks its successor until the session ends (default 9 s).
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.partitions=4
"""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where clients come in.

    client: how they do, and with which protocol. properties: further lines of server.properties.
    """

    client: Security = PLAINTEXT
    properties: str = ""


PLAIN_LISTENER = Listener()


class Kafka:
    """A Kafka server on loopback; its ports and its data stay the same across restarts."""

    def __init__(
        self,
        family: Family,
        home: Path,
        jars: Path,
        port: int | None = None,
        listener: Listener = PLAIN_LISTENER,
    ) -> None:
        """Choose the ports; `home` keeps the data, `jars` holds Kafka's jars."""
        self._listener = listener
        self._family = family
        self._home = home
        self._class_path = f"{jars}/*"
        self._log = home / "kafka.log"
        self.port, self._controller_port = remembered_ports(home / "ports", 2)
        if port is not None:
            if not is_free(port):
                message = f"port {port} of {LOOPBACK}, meant for Kafka, is taken by another program"
                raise HeadgateError(message)
            self.port = port
        self._child: Child | None = None

    @property
    def bootstrap(self) -> Bootstrap:
        """How clients get to it."""
        return Bootstrap(f"{LOOPBACK}:{self.port}", self._listener.client)

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it is down."""
        return self._child.pid if self._child and self._child.is_alive() else None

    def launch(self) -> None:
        """Format the data folder if it is new and start the server without waiting for it."""
        if self.pid is not None:
            return
        self._home.mkdir(parents=True, exist_ok=True)
        properties = self._home / "server.properties"
        data = self._home / "data"
        text = PROPERTIES.format(
            host=LOOPBACK,
            broker=self.port,
            controller=self._controller_port,
            data=data,
            listener=self._listener.client.protocol,
        )
        # What a listener adds may hold passwords.
        properties.touch(mode=0o600)
        properties.write_text(text + self._listener.properties, encoding="utf-8")
        if not (data / "meta.properties").is_file():
            self._format(properties)
        command = self._java("-XX:+UseSerialGC", HEAP, "kafka.Kafka", str(properties))
        self._child = self._family.spawn("kafka", command, log=self._log)

    def await_serving(self, timeout_seconds: float = START_SECONDS) -> None:
        """Wait until the server answers with itself as a member of the cluster."""
        if self._child is None:
            message = "Kafka has not been started"
            raise HeadgateError(message)
        self._child.await_ready(self._serves, timeout_seconds)

    def start(self) -> None:
        """Start the server (again) and wait until it serves."""
        self.launch()
        self.await_serving()

    def stop(self) -> None:
        """End the server in order."""
        if self._child is not None:
            self._family.end(self._child, grace_seconds=GRACE_SECONDS)

    def kill(self) -> None:
        """End the server as a crash would, with SIGKILL; `start()` brings it back with its data."""
        if self._child is not None:
            self._family.bury(self._child)

    def _format(self, properties: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode("ascii")
        command = self._java("kafka.tools.StorageTool", "format", "--standalone")
        # With "=": a random id may start with a dash, which the tool would take for an option.
        command += [f"--cluster-id={cluster_id}", "-c", str(properties)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = f"Kafka could not format {self._home}:\n{done.stdout}{done.stderr}"
            raise HeadgateError(message)

    def _java(self, *arguments: str) -> list[str]:
        # Without a configuration file log4j writes to the console; only warnings are news.
        level = "-Dorg.apache.logging.log4j.level=WARN"
        return [require_java(), level, "-cp", self._class_path, *arguments]

    def _serves(self) -> bool:
        if not accepts_connections(self.port):
            return False
        from kafka import KafkaAdminClient
        from kafka.errors import KafkaError

        from headgate.kafka.credentials import python_settings

        try:
            admin = KafkaAdminClient(**python_settings(self.bootstrap), request_timeout_ms=2_000)
        except KafkaError:
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()
