"""Kafka with TLS, certificates of clients and SASL: the whole job over it, and no secret in sight.

One broker that lets nobody in otherwise, started once: its clients of Java, of librdkafka and of
kafka-python have to get in, and all of Headgate that reaches Kafka is one of these.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis
from confluent_kafka import KafkaError, Producer
from typer.testing import CliRunner

from headgate.bootstrap import PLAINTEXT, Bootstrap, Security
from headgate.cli import app
from headgate.config import Config, load
from headgate.config.redis import RedisConfig
from headgate.flink.credentials import PLAIN, client_properties
from headgate.kafka.connect import admin_client
from headgate.kafka.credentials import librdkafka_settings
from headgate.kafka.errors import BrokerRefusesError, UnknownTopicError
from headgate.kafka.publish import Publisher
from headgate.kafka.transactions import abort
from headgate.local.jars import fetch, require_java, settings_folder
from headgate.local.redis import NoRedisServerError, program
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from headgate.redis.keys import PartitionKeys
from headgate.repair.fill import fill
from headgate.repair.gaps import Gap
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from tests.flink.runtime import JOB_SECONDS, mirror
from tests.flink.test_door import opened
from tests.otlp_collector import Took, grpc_collector
from tests.secure_kafka import PASSWORD, PRODUCERS, SHOP, USER, let_in, make_listener, rights

pytestmark = [pytest.mark.flink, pytest.mark.slow]

VARIABLE = "HEADGATE_TEST_KAFKA_PASSWORD"
ADDRESS = "mirror/locked"
PLACE = f"/agents/{ADDRESS}?type=test"

TOML = """
[kafka]
bootstrap = "{bootstrap}"
partitions = 1
security_protocol = "SASL_SSL"
ca_file = "{folder}/ca.crt"
cert_file = "{folder}/client.crt"
key_file = "{folder}/client.key"
sasl_mechanism = "SCRAM-SHA-512"
username = "{user}"
password_file = "{folder}/password"

[[topics]]
name = "events"
format = "json"
type = "test"

[[routes]]
topic = "events"
agent = "mirror"

[agents.mirror]
endpoint = "{endpoint}"

[tracing]
endpoint = "{collector}"

[redis]
url = "{redis}"
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A stack whose Kafka is locked, with the job and what stands beside it."""

    stack: LocalStack
    folder: Path
    file: Path
    config: Config
    job: str
    spans: Took

    def changed(self, **keys: Any) -> Bootstrap:
        """The way in of headgate.toml, with other keys."""
        given = self.config.kafka.bootstrap
        return Bootstrap(given.servers, replace(given.security, **keys))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The job over SASL_SSL by SCRAM, and what stands beside: history service, console, export of
    spans and Redis' feed.
    """
    try:
        program()
    except NoRedisServerError as error:
        pytest.skip(str(error))
    home = tmp_path_factory.mktemp("locked")
    folder = home / "secrets"
    listener = make_listener(folder)
    with (
        Serving(mirror()) as served,
        LocalStack(home / "stack", kafka_listener=listener) as stack,
        grpc_collector() as (spans, collector),
    ):
        let_in(stack.kafka.bootstrap, USER, rights("headgate", "headgate"))
        let_in(stack.kafka.bootstrap, SHOP, PRODUCERS)
        file = home / "headgate.toml"
        file.write_text(
            TOML.format(
                bootstrap=stack.kafka.bootstrap,
                folder=folder,
                user=USER,
                endpoint=served.endpoint,
                collector=collector,
                redis=stack.start_redis().url,
            ),
            encoding="utf-8",
        )
        script = settings_folder().parent / "jobs" / "agent_runtime.py"
        job = submit(stack.flink, script, ["--config", str(file)])
        stack.flink.rest.await_running(job, JOB_SECONDS)
        stack.start_history(file)
        stack.start_console(file)
        stack.start_trace_export(file)
        stack.start_redis_service("feed", file)
        yield Site(stack, folder, file, load(file), job, spans)


def run(site: Site, *arguments: str) -> Any:
    """Run a command of ours; return what it says."""
    done = CliRunner().invoke(app.app, [*arguments, "--config", str(site.file), "-o", "json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert PASSWORD not in done.output
    return json.loads(done.stdout)


def test_the_job_runs_over_tls_and_sasl_and_no_secret_is_seen(site: Site) -> None:
    with Records(site.config) as records:
        done = CliRunner().invoke(
            app.app,
            ["send", "events", '{"n": 1}', "--key", "locked", "--config", str(site.file)],
        )
        assert done.exit_code == 0, done.output
        # Java's source and sink, librdkafka's journal, kafka-python's registry: all had to get in.
        records.await_found(lambda: records.outbox_of.get(ADDRESS), "an answer of the agent")
        records.await_found(lambda: records.history_of.get(ADDRESS), "the turn's history")
        # What repairs and restores writes by itself.
        abort(site.config.kafka.bootstrap, f"{site.config.job.name}-records-9")
        gap = Gap(
            site.config.topic_names.dead_letters, 0, ADDRESS, "x", b"\xff", int(time.time() * 1_000)
        )
        fill(site.config, [gap])
        records.await_found(lambda: records.dead_letters, "what a repair wrote")
        site.spans.await_found(lambda: bool(site.spans.spans), "the turn's span")
    await_fed(site.config.redis)
    assert run(site, "instances", "describe", ADDRESS)
    findings = run(site, "doctor", "--flink", site.stack.flink.rest_url)["findings"]
    assert not [each for each in findings if each["rule"] in {"kafka-away", "kafka-readable"}]
    assert list(shown(site)) == []


@pytest.mark.parametrize("topic", ["headgate.journal", "headgate.inbox", "headgate.registry"])
def test_who_sends_events_cannot_write_what_is_the_jobs_to_say(site: Site, topic: str) -> None:
    """The job runs with the rights of docs/security.md, as all of this module shows; a producer of
    events has two.
    """
    shop = site.changed(username=SHOP)
    with Publisher(shop) as publisher:
        assert publisher.send("events", "locked", b'{"n": 2}').wait().offset >= 0
        with pytest.raises(UnknownTopicError, match=topic):
            publisher.send(topic, "locked", b"garbage")
    # Nor one that does not look for it first.
    told: list[int] = []
    producer = Producer(librdkafka_settings(shop))
    producer.produce(topic, b"garbage", on_delivery=lambda error, _: told.append(error.code()))
    assert producer.flush(60) == 0
    assert told == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def await_fed(settings: RedisConfig) -> None:
    """Wait until Redis has what the agent remembers."""
    deadline = time.monotonic() + JOB_SECONDS
    key = PartitionKeys(settings.prefix, 0).state(ADDRESS)
    with redis.Redis.from_url(settings.url) as client:
        while not client.exists(key):
            assert time.monotonic() < deadline, client.keys()
            time.sleep(0.2)


def test_the_front_door_asks_and_is_answered(site: Site) -> None:
    with opened(site.file) as door, httpx.Client(base_url=door["http"], timeout=60) as http:
        wait, deadline = {"prefer": "wait=60"}, time.monotonic() + JOB_SECONDS
        # It follows the registry by itself, and has not read of the agent yet.
        while (asked := http.post(PLACE, json={"n": 3}, headers=wait)).status_code == 404:
            assert time.monotonic() < deadline, asked.text
        assert asked.status_code == 200, asked.text
        assert http.get(f"/agents/{ADDRESS}").json()["turn"] >= 1


def shown(site: Site) -> Iterator[str]:
    """Every place where somebody who has no business with it could read the password."""
    mine = psutil.Process()
    for process in [mine, *mine.children(recursive=True)]:
        if PASSWORD in " ".join(process.cmdline()):
            yield f"the command line of process {process.pid}"
    for path in REST:
        text = json.dumps(site.stack.flink.rest.get(path.format(job=site.job)))
        assert len(text) > 2, f"{path} says nothing"
        if PASSWORD in text:
            yield path
    logs = [*site.stack.flink.logs.rglob("*.log"), site.stack.home / "kafka" / "kafka.log"]
    # Kafka's clients log how they were made: a search that finds nothing of it looks elsewhere.
    assert any("SASL_SSL" in each.read_text(errors="replace") for each in logs)
    # Everything that the stack wrote, checkpoints and logs among it; the broker's own settings
    # alone hold the password.
    own = site.stack.home / "kafka" / "server.properties"
    assert PASSWORD in own.read_text(encoding="utf-8")
    # os.walk: other than rglob it lets folders go that are removed meanwhile, as RocksDB's are.
    for folder, _, names in os.walk(site.stack.home):
        for name in names:
            file = Path(folder, name)
            if file == own or file.suffix in EMPTY:
                continue
            with contextlib.suppress(FileNotFoundError):
                if file.is_file() and PASSWORD.encode() in file.read_bytes():
                    yield str(file)


# Indexes of Kafka's, made 10 MB large for each partition.
EMPTY = {".index", ".timeindex"}
REST = (
    "/jobs/{job}",
    "/jobs/{job}/config",
    "/jobs/{job}/plan",
    "/jobs/{job}/exceptions",
    "/jobmanager/config",
    "/jobmanager/environment",
    "/taskmanagers",
)


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "password": ({"password_file": "{folder}/wrong"}, "kafka.password_file"),
    "user": ({"username": "nobody"}, "kafka.username"),
    "mechanism": ({"mechanism": "SCRAM-SHA-256"}, "kafka.sasl_mechanism"),
    "authority": ({"ca_file": "{folder}/stranger.crt"}, "kafka.ca_file"),
    "no-certificate": ({"cert_file": "", "key_file": ""}, "kafka.cert_file"),
    "no-login": ({"protocol": "SSL"}, "set it to SASL_SSL"),
}


@pytest.mark.parametrize("name", WRONG)
def test_who_is_not_let_in_is_told_which_key_is_wrong(site: Site, name: str) -> None:
    (site.folder / "wrong").write_text("not-the-password")
    keys, told = WRONG[name]
    bootstrap = site.changed(**{key: each.format(folder=site.folder) for key, each in keys.items()})
    with pytest.raises(BrokerRefusesError, match=told) as caught, admin_client(bootstrap):
        pass
    assert PASSWORD not in str(caught.value)
    assert "not-the-password" not in str(caught.value)


def test_a_plain_client_is_told_that_the_broker_speaks_tls(site: Site) -> None:
    plain = Bootstrap(site.config.kafka.servers, PLAINTEXT)
    with pytest.raises(BrokerRefusesError, match=r"kafka\.security_protocol"), admin_client(plain):
        pass


def test_javas_client_takes_the_password_from_a_variable(site: Site, tmp_path: Path) -> None:
    given: Security = site.changed(password_file="", password_env=VARIABLE).security
    properties = client_properties(given, PLAIN)
    assert PASSWORD not in str(properties)
    file = tmp_path / "client.properties"
    lines = (f"{name}={value}" for name, value in properties.items())
    file.write_text("\n".join(line.replace("\n", r"\n") for line in lines), encoding="utf-8")
    command = [require_java(), "-cp", f"{fetch()}/kafka/*", "kafka.admin.ConfigCommand"]
    command += ["--bootstrap-server", site.config.kafka.servers, "--command-config", str(file)]
    command += ["--describe", "--entity-type", "topics", "--entity-name", "events"]
    done = subprocess.run(
        command,
        env={**os.environ, VARIABLE: PASSWORD},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Dynamic configs for topic events" in done.stdout, done.stdout + done.stderr
