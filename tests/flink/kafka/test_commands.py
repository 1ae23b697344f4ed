"""send, tail and agents as people run them."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.config import Config
from headgate.core.decode import Record
from headgate.core.identity import partition_of
from headgate.kafka.publish import Publisher
from headgate.kafka.registry import publish_agents
from headgate.kafka.tail import Start, Tail

pytestmark = [pytest.mark.flink, pytest.mark.slow]

AWAIT_SECONDS = 30.0
AGENT = '[agents.order]\nendpoint = "localhost:7070"\n'
Topics = Callable[..., Config]


def values(config: Config, topic: str, start: Start, *, is_committed: bool = False) -> list[bytes]:
    """What a reader finds there now."""
    with Tail(
        config.kafka.bootstrap, topic, value_of, start=start, is_read_committed=is_committed
    ) as tail:
        return list(tail.backlog())


def value_of(record: Record) -> bytes | None:
    """The value."""
    return record.value


def headgate(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "headgate.cli.app", *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=AWAIT_SECONDS,
        check=False,
    )


def write_toml(folder: Path, config: Config) -> str:
    """A headgate.toml that says where the topics are; returns the topic of events."""
    kafka = config.kafka
    name = config.topics[0].name
    (folder / "headgate.toml").write_text(
        f'[kafka]\nbootstrap = "{kafka.bootstrap}"\nprefix = "{kafka.prefix}"\n'
        f'[[topics]]\nname = "{name}"\n{AGENT}'
    )
    return name


def test_what_is_sent_stands_where_the_command_says(topics: Topics, tmp_path: Path) -> None:
    config = topics()
    name = write_toml(tmp_path, config)
    sent = headgate(tmp_path, "send", name, "--key", "17", "--id", "e1", '{"text": "hi"}')
    partition = partition_of(b"17", 4)
    assert sent.stdout.split() == [
        name,
        "partition",
        str(partition),
        "offset",
        "0",
        "key",
        "17",
        "id",
        "e1",
    ]
    lines = headgate(tmp_path, "send", name, "--key", "17", "-", "-o", "json", given="1\n\n2\n")
    assert [line.count('"offset":') for line in lines.stdout.splitlines()] == [1, 1]
    assert len(values(config, name, "start")) == 3


def test_a_bad_line_ends_the_sending_and_is_named(topics: Topics, tmp_path: Path) -> None:
    config = topics()
    name = write_toml(tmp_path, config)
    sent = headgate(tmp_path, "send", name, "--key", "17", "-", given="1\nnope\n3\n")
    assert sent.returncode == 1
    assert "standard input, line 2: not JSON" in sent.stderr
    assert "Traceback" not in sent.stderr
    assert len(values(config, name, "start")) == 1


def test_tail_shows_unreadable_records_and_goes_on(topics: Topics, tmp_path: Path) -> None:
    config = topics()
    write_toml(tmp_path, config)
    with Publisher(config.kafka.bootstrap) as publisher:
        for value in (b"\xff", b'{"specversion":"1.0","type":"t","data":"\\ud800"}', b"["):
            publisher.send(config.topic_names.outbox, "k", value).wait()
    for arguments in ((), ("-o", "json")):
        shown = headgate(tmp_path, "tail", "outbox", "--from", "start", "--no-follow", *arguments)
        assert (shown.returncode, len(shown.stdout.splitlines())) == (0, 3), shown.stderr


def test_a_tail_that_waits_says_how_to_see_more(topics: Topics, tmp_path: Path) -> None:
    config = topics()
    write_toml(tmp_path, config)
    command = [sys.executable, "-m", "headgate.cli.app", "tail", "outbox", "--from", "end"]
    with subprocess.Popen(
        [*command, "-n", "1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as tail:
        assert tail.stderr is not None
        assert "--from start or --from N shows older ones" in tail.stderr.readline()
        with Publisher(config.kafka.bootstrap) as publisher:
            publisher.send(config.topic_names.outbox, "k", b'{"specversion":"1.0","type":"t"}')
        out, rest = tail.communicate(timeout=AWAIT_SECONDS)
    assert (tail.returncode, rest) == (0, "")
    assert out.split()[-1] == "t"


@pytest.mark.parametrize("ending", ["pipe", "ctrl-c"])
def test_a_tail_ends_quietly(ending: str, topics: Topics, tmp_path: Path) -> None:
    config = topics()
    write_toml(tmp_path, config)
    command = [sys.executable, "-m", "headgate.cli.app", "tail", "outbox"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tail:
        assert tail.stderr is not None
        assert tail.stdout is not None
        assert "waiting" in tail.stderr.readline()
        if ending == "pipe":
            tail.stdout.close()
            with Publisher(config.kafka.bootstrap) as publisher:
                publisher.send(config.topic_names.outbox, "k", b'{"specversion":"1.0"}')
        else:
            tail.send_signal(signal.SIGINT)
        try:
            assert tail.wait(AWAIT_SECONDS) == (0 if ending == "pipe" else 130)
        finally:
            tail.kill()
        assert tail.stderr.read() == ""


def test_agents_are_listed_even_if_they_are_away(topics: Topics, tmp_path: Path) -> None:
    config = topics('[agents.order]\nendpoint = "127.0.0.1:1"\n')
    write_toml(tmp_path, config)
    empty = headgate(tmp_path, "agents", "list")
    assert "No agents are attached" in empty.stdout
    publish_agents(config)
    listed = headgate(tmp_path, "agents", "list", "-o", "json")
    assert '"health": "unreachable"' in listed.stdout, listed.stderr
