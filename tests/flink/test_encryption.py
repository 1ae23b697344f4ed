"""Payload encryption on the running job: what stands on disk and in Kafka, turning it on, new keys,
keys that are missing, and what somebody has changed.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from json import dumps
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from headgate.config import Config, load
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.inspect import inspect
from headgate.kafka.letters import read_letters
from headgate.kafka.publish import Publisher
from headgate.kafka.signals import send_signal
from headgate.kafka.tail import Tail
from headgate.kafka.views import view
from headgate.local.jars import settings_folder
from headgate.local.rest import POLL_SECONDS
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from headgate.sdk import Agent, Event, Log, TerminalError, Turn, log
from headgate.sealing.envelope import is_sealed, told
from headgate.sealing.known import know
from headgate.sim.face import HeadgateSim
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from headgate.v1.turn_pb2 import Signal
from tests.flink.configured import headgate_toml
from tests.flink.runtime import JOB_SECONDS

pytestmark = [pytest.mark.flink, pytest.mark.slow]

POLICY = """
[agents.keeper.policy]
max_attempts = 1
on_exhausted = "dead_letter"
"""
ENCRYPTION = """
[encryption]
keys = "file:{keys}"
"""
# Of different letters, so that no compression writes one by reference to another.
CLEAR, SEALED, LATER = "Wombat-4711-Kiwi", "Quokka-0815-Emu", "Dingo-1234-Zebu"
AWAIT_SECONDS = 120.0


@dataclass
class Kept:
    """What an instance was told."""

    count: int = 0
    said: str = ""
    notes: Log[str] = log()  # noqa: RUF009 - how the SDK declares one


def keeper() -> Agent[Kept]:
    """Make an agent that keeps what it is told wherever state may be: value, list, timer, event."""
    agent = Agent("keeper", Kept)

    @agent.on_signal("n")
    @agent.on("*")
    def take(turn: Turn[Kept], event: Event) -> None:
        data: dict[str, Any] = event.data
        turn.state.count += 1
        turn.state.said = data["secret"]
        turn.state.notes.append(data["secret"])
        turn.set_timer("later", timedelta(hours=1), data)
        if "tell" in data:
            turn.send(data["tell"], "told", {"secret": data["secret"]})
        turn.emit("kept", {"count": turn.state.count, "notes": list(turn.state.notes)})
        if "fail" in data:
            message = f"cannot take {data['secret']}"
            raise TerminalError(message)

    return agent


def key(name: str) -> str:
    return f"{name}:{b64encode(os.urandom(32)).decode()}\n"


class Site:
    """A stack and its one job, which is stopped and started with another configuration."""

    def __init__(self, stack: LocalStack, endpoint: str, keys: Path) -> None:
        self.stack, self.keys = stack, keys
        self._endpoint = endpoint
        self._path = stack.home / "headgate.toml"
        self._ids = iter(range(1_000_000))
        self.config: Config
        self.job = ""
        # Where topics ended when the job was last stopped: what comes later is the next one's.
        self.stopped: dict[str, int] = {}

    def run(self, *, encrypted: bool) -> None:
        """Run the job, from where it was."""
        flink = self.stack.flink
        saved = None
        if self.job:
            saved = flink.rest.stop_with_savepoint(self.job, flink.savepoints.as_uri(), JOB_SECONDS)
            self.stopped = self.ends()
        text = headgate_toml(
            self.stack.kafka.bootstrap,
            "keeper",
            self._endpoint,
            kafka="partitions = 1",
            more=POLICY,
        )
        text += ENCRYPTION.format(keys=self.keys) if encrypted else ""
        self._path.write_text(text, encoding="utf-8")
        self.config = load(self._path)
        know(self.config.kafka.bootstrap, self.config)
        script = settings_folder().parent / "jobs" / "agent_runtime.py"
        self.job = submit(flink, script, ["--config", str(self._path)], restore_from=saved)
        flink.rest.await_running(self.job, JOB_SECONDS)

    def send(self, to: str, data: Any) -> None:
        """Publish an event for an instance."""
        value = structured(data, event_type="t", source="tests", event_id=f"{next(self._ids)}")
        with Publisher(self.config.kafka.bootstrap) as publisher:
            publisher.send("events", to, value, dict([CONTENT_TYPE])).wait()

    def raw(self, topic: str, begin: int = 0) -> list[Any]:
        """Return what a topic really holds."""
        place = TopicPartition(topic, 0)
        consumer = KafkaConsumer(bootstrap_servers=str(self.config.kafka.bootstrap))
        try:
            consumer.assign([place])
            end = consumer.end_offsets([place])[place]
            consumer.seek(place, begin)
            found: list[Any] = []
            while consumer.position(place) < end:
                found += consumer.poll(500).get(place, [])
            return found
        finally:
            consumer.close()

    def ends(self) -> dict[str, int]:
        """Return where each of Headgate's own topics ends."""
        consumer = KafkaConsumer(bootstrap_servers=str(self.config.kafka.bootstrap))
        try:
            places = [TopicPartition(name, 0) for name in self.config.topic_names]
            return {p.topic: end for p, end in consumer.end_offsets(places).items()}
        finally:
            consumer.close()

    def write(self, topic: str, to: bytes, value: bytes) -> None:
        """Write a record as it is, as somebody might who can reach Kafka."""
        producer = KafkaProducer(bootstrap_servers=str(self.config.kafka.bootstrap))
        producer.send(topic, key=to, value=value, partition=0).get(30)
        producer.close()

    def holds(self, text: str) -> list[str]:
        """Return the files of checkpoints, savepoints and RocksDB that hold a text."""
        found = []
        for path in (self.stack.home / "flink").rglob("*"):
            # The job removes what it no longer needs.
            with suppress(FileNotFoundError):
                if path.is_file() and path.suffix != ".log" and text.encode() in path.read_bytes():
                    found.append(str(path))
        return found

    def await_checkpoint(self) -> None:
        """Wait for a checkpoint that began after now."""
        url = f"/jobs/{self.job}/checkpoints"
        now_ms = time.time() * 1_000

        def newest() -> bool:
            latest = self.stack.flink.rest.get(url)["latest"]["completed"]
            return latest is not None and latest["trigger_timestamp"] > now_ms

        await_true(newest, "a checkpoint")


def await_true(is_so: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + AWAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(POLL_SECONDS)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A stack, and the honest agent."""
    keys = tmp_path / "keys"
    keys.write_text(key("k1"), encoding="utf-8")
    with Serving(keeper()) as served, LocalStack(tmp_path / "stack") as stack:
        yield Site(stack, served.endpoint, keys)


def test_payloads_are_sealed_wherever_they_rest(site: Site) -> None:
    with ExitStack() as closing:
        site.run(encrypted=False)
        records = closing.enter_context(Records(site.config))

        def count(of: str, number: int) -> None:
            records.await_found(
                lambda: len(records.outbox_of.get(f"keeper/{of}", ())) >= number, f"{of}'s answers"
            )
            newest = records.outbox_of[f"keeper/{of}"][-1]
            assert newest["data"]["count"] == number

        # Without encryption: what is looked for below is found where it is looked for.
        site.send("old", {"secret": CLEAR})
        count("old", 1)
        site.await_checkpoint()
        assert site.holds(CLEAR)
        names = site.config.topic_names
        assert any(CLEAR.encode() in (each.value or b"") for each in site.raw(names.history))

        # Turned on for a job that has clear state, on its way through a savepoint.
        site.run(encrypted=True)
        stopped = site.stopped
        records.close()
        records = closing.enter_context(Records(site.config))
        site.send("old", {"secret": SEALED, "tell": "keeper/told"})
        count("old", 2)
        assert records.outbox_of["keeper/old"][-1]["data"]["notes"] == [CLEAR, SEALED]
        count("told", 1)
        site.send("old", {"secret": SEALED, "fail": True})
        records.await_found(lambda: records.letters_of.get("keeper/old"), "a dead letter")
        signal = Signal(signal_id="s", name="n", data=dumps({"secret": SEALED}).encode())
        send_signal(site.config.kafka.bootstrap, site.config, "keeper/told", signal)
        count("told", 2)
        found = inspect(
            site.config.kafka.bootstrap, site.config, "keeper/told", wait_seconds=AWAIT_SECONDS
        )
        assert found is not None
        assert dict(found.state.values) == {"count": b"2", "said": f'"{SEALED}"'.encode()}
        # The same turns as in memory, where nothing is sealed.
        sim = HeadgateSim()
        sim.attach(keeper())
        for number in range(6):
            data = {"secret": f"{SEALED}-{number}"}
            data |= {"tell": "keeper/same-told"} if number % 2 else {}
            site.send("same", data)
            sim.send("keeper/same", "t", data)
        count("same", 6)
        count("same-told", 3)
        for name in ("same", "same-told"):
            ours = [each["data"] for each in records.outbox_of[f"keeper/{name}"]]
            assert ours == [each.data for each in sim.outputs(f"keeper/{name}")]
        sim.close()
        site.await_checkpoint()

        sealed_topics = ["journal", "inbox", "history", "dead_letters", "answers"]
        for name in sealed_topics:
            topic = getattr(names, name)
            fresh = [each for each in site.raw(topic, stopped[topic]) if each.value]
            assert fresh, f"{name} has records"
            for each in fresh:
                assert is_sealed(each.value), f"{name}@{each.offset}"
                assert SEALED.encode() not in each.value
        assert site.holds(SEALED) == []
        assert any(SEALED.encode() in (e.value or b"") for e in site.raw(names.outbox))

        # A new key: what comes is sealed with it, what was is read with the old one.
        old = site.keys.read_text(encoding="utf-8")
        site.keys.write_text(old + key("k2"), encoding="utf-8")
        await_true(
            lambda: told(site.raw(names.journal)[-1].value).endswith("'k2'"), "a tick under k2"
        )
        site.send("old", {"secret": LATER})
        count("old", 3)

        # The old key is gone: the job stands still, names it, and loses nothing.
        both = site.keys.read_text(encoding="utf-8")
        site.keys.write_text(both.removeprefix(old), encoding="utf-8")
        site.stack.kill_task_manager()
        await_true(
            lambda: "key 'k1'" in "".join(site.stack.flink.rest.exceptions(site.job)), "an error"
        )
        site.send("told", {"secret": LATER})
        letters = len(records.dead_letters)
        site.keys.write_text(both, encoding="utf-8")
        count("told", 3)
        assert len(records.dead_letters) == letters

        # Changed, or moved: found, and given to nobody.
        inbox = next(e for e in site.raw(names.inbox, stopped[names.inbox]) if e.value)
        flipped = bytearray(inbox.value)
        flipped[-20] ^= 1
        site.write(names.inbox, inbox.key, bytes(flipped))
        site.write(names.inbox, b"keeper/other", inbox.value)
        written = next(e for e in site.raw(names.journal, stopped[names.journal]) if e.value)
        spoilt = bytearray(written.value)
        spoilt[-1] ^= 1
        site.write(names.journal, written.key, bytes(spoilt))
        records.await_found(lambda: len(records.dead_letters) >= letters + 3, "their letters")
        reasons = sorted(each["reason"] for each in records.dead_letters[letters:])
        assert reasons == ["bad_inbox_record", "bad_inbox_record", "bad_journal_record"]
        assert all("moved here" in each["message"] for each in records.dead_letters[letters:])
        assert "keeper/other" not in records.outbox_of
        site.send("old", {"secret": LATER})
        count("old", 4)
        assert site.holds(LATER) == []

        # Who has no keys sees that there is something.
        know(site.config.kafka.bootstrap, Config())
        blind = inspect(
            site.config.kafka.bootstrap, site.config, "keeper/told", wait_seconds=AWAIT_SECONDS
        )
        assert blind is not None
        assert blind.problem == "sealed with key 'k2'"
        with Tail(
            site.config.kafka.bootstrap,
            names.history,
            lambda record: view("history", record),
            start="start",
        ) as tail:
            shown = list(tail.backlog())
        assert any(each.get("address") == "keeper/old" for each in shown)
        assert shown[-1]["_unreadable"] == "sealed with key 'k2'"
        letters_shown = list(read_letters(site.config.kafka.bootstrap, names))
        assert {each.letter.reason for each in letters_shown} == {"sealed"}
