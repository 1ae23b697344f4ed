"""The commands' help, and errors that need no broker."""

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from headgate.bootstrap import Bootstrap, Security
from headgate.cli import app
from headgate.cli.agent_views import describe, policy_summary
from headgate.cli.broker import NoBrokerError, find_broker
from headgate.cli.checkpoint import config_of
from headgate.cli.tail import StartError, Topic, read_start, topic_name
from headgate.config import Config, loads
from headgate.errors import ConfigError
from headgate.kafka.specs import specs_of
from headgate.rpc.health import Answer

Say = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without headgate.toml and without a stack."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_HOME", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["headgate", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "command",
    [
        ("doctor",),
        ("send",),
        ("size",),
        ("tail",),
        ("record",),
        ("replay",),
        *(("agents", verb) for verb in ("list", "attach", "detach", "describe", "health")),
        *(("agents", verb) for verb in ("pause", "resume")),
        *(("instances", verb) for verb in ("resume", "skip", "cancel", "reset", "park")),
    ],
)
def test_help_has_an_example(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert run(monkeypatch, *command, "--help") == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"headgate {' '.join(command)} " in shown.partition("Example")[2]


def test_without_any_broker_three_ways_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert run(monkeypatch, "tail", "outbox") == 1
    said = capsys.readouterr().err
    assert all(way in said for way in ("headgate dev", "--config", "--bootstrap"))


def test_a_broker_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    assert run(monkeypatch, "agents", "list", "--bootstrap", "127.0.0.1:1") == 1
    assert "no Kafka broker answers at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("send", '{"text": "hi"}', "--key", "17"), "the topic comes first"),
        (
            ("tail", "outbox", "--key", "17"),
            "give agent type and key, such as order/17",
        ),
    ],
)
def test_what_beginners_mistype_is_told_in_a_sentence(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert run(monkeypatch, *arguments, "--bootstrap", "127.0.0.1:1") == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert said in shown
    assert "Traceback" not in shown


def test_own_topics_take_no_events(monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    arguments = ("send", "headgate.journal", "1", "--key", "k", "--bootstrap", "127.0.0.1:1")
    assert run(monkeypatch, *arguments) == 1
    assert "Headgate's own topic" in capsys.readouterr().err


def test_the_address_comes_from_the_option_then_the_file() -> None:
    with pytest.raises(NoBrokerError):
        find_broker(None, None)
    Path("headgate.toml").write_text('[kafka]\nbootstrap = "a:1"\nprefix = "p"\n')
    assert find_broker(None, None).bootstrap == Bootstrap("a:1")
    both = find_broker(None, "b:2")
    assert (both.bootstrap.servers, both.config.kafka.prefix) == ("b:2", "p")


def test_what_the_file_says_of_tls_holds_at_every_address() -> None:
    Path("headgate.toml").write_text("[kafka]\nsecurity_protocol = 'SSL'\nca_file = '/ca.crt'\n")
    found = find_broker(None, "b:2")
    assert found.bootstrap == Bootstrap("b:2", Security("SSL", ca_file="/ca.crt"))
    assert config_of(found).kafka.bootstrap == found.bootstrap


def test_a_file_that_was_named_must_be_there() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find_broker(Path("nowhere.toml"), "b:2")


def test_a_running_stack_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from headgate.local import state_file

    home = tmp_path / "home"
    monkeypatch.setenv("HEADGATE_HOME", str(home))
    lock = state_file.acquire(home)
    try:
        state_file.StackState(1, "running", kafka_bootstrap="c:3").write(home)
        assert find_broker(None, None).bootstrap == Bootstrap("c:3")
    finally:
        import os

        os.close(lock)


@pytest.mark.parametrize(("text", "start"), [("start", "start"), ("end", "end"), ("20", 20)])
def test_from_reads_places(text: str, start: str | int) -> None:
    assert read_start(text) == start


@pytest.mark.parametrize("text", ["", "-1", "first", "1.5"])
def test_from_says_what_it_takes(text: str) -> None:
    with pytest.raises(StartError, match="give start, end, or a number"):
        read_start(text)


def test_every_topic_has_its_kafka_name() -> None:
    names = Config().topic_names
    assert [topic_name(names, topic) for topic in Topic] == [
        "headgate.outbox",
        "headgate.history",
        "headgate.journal",
        "headgate.dead-letters",
    ]


@pytest.mark.parametrize(
    ("answer", "health"),
    [
        (Answer("e:1", "serving", revisions=(("order", "v3"),)), "serving"),
        (Answer("e:1", "serving", revisions=(("other", "v3"),)), "not_hosted"),
        (Answer("e:1", "unreachable", "no answer within 1 s"), "unreachable"),
    ],
)
def test_an_agent_is_as_healthy_as_its_service_says(answer: Answer, health: str) -> None:
    spec = specs_of(loads('[agents.order]\nendpoint = "e:1"\n'))["order"]
    described = describe(spec, {"e:1": answer})
    assert described["health"] == health
    assert described["revisions"] == (["v3"] if health == "serving" else [])
    json.dumps(described)


def test_a_policy_is_summed_up_in_a_line() -> None:
    spec = specs_of(loads('[agents.order]\nendpoint = "e:1"\n'))["order"]
    summary = policy_summary(describe(spec, {"e:1": Answer("e:1", "serving")})["policy"])
    assert summary == "30s, 5 attempts, then dead_letter; batches of 64"


def test_the_version_is_that_of_the_installed_package(
    monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == f"headgate {metadata.version('headgate')}"
