"""README and docs say what is: their examples run, their commands, links and tests exist."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from headgate.cli.app import app
from headgate.config import load
from headgate.sim.face import HeadgateSim
from headgate.sim.scripted import ScriptedAgent

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEMPLATE = ROOT / "docs" / "adr" / "0000-template.md"
DOCS = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page != TEMPLATE]
FOLDERS = sorted([*ROOT.glob("agents/*/README.md"), *ROOT.glob("examples/*/README.md")])
PAGES = [README, ROOT / "CONTRIBUTING.md", *DOCS, *FOLDERS]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
TEST_NAME = re.compile(r"`(?:[^`]*::)?(test_\w+)`")
TARGET = re.compile(r"^([\w-]+):", re.MULTILINE)


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in some of these languages."""
    return [text for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind in languages]


def commands() -> Iterator[list[str]]:
    """Yield every command of every shell block, as words."""
    for page in PAGES:
        for block in blocks(page, "sh", "console", ""):
            for line in block.splitlines():
                if line.removeprefix("$ ").startswith(("headgate ", "make ")):
                    words = shlex.split(line.removeprefix("$ "), comments=True)
                    yield words[: words.index("|")] if "|" in words else words


def named(words: list[str]) -> str:
    return " ".join(words)


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """README's agent, as the module that its test imports."""
    module = ModuleType("order")
    monkeypatch.setitem(sys.modules, "order", module)
    exec(compile(blocks(README, "python")[0], "README.md", "exec"), module.__dict__)  # noqa: S102
    return module


def test_the_agent_that_waits_does_as_the_page_says(headgate_sim: HeadgateSim) -> None:
    """It reminds after two days, or tells the ledger once it is approved."""
    words: dict[str, Any] = {}
    exec(compile(blocks(README, "python")[1], "README.md", "exec"), words)  # noqa: S102
    headgate_sim.attach(words["desk"])
    headgate_sim.attach(ScriptedAgent(), name="ledger")
    for key in ("1", "2"):
        headgate_sim.send(f"desk/{key}", "desk.refund.asked", {"what": "a cake"})
    headgate_sim.signal("desk/1", "approve", {"by": "ann"})
    headgate_sim.advance(timedelta(days=3))
    assert headgate_sim.outputs("desk/1") == []
    assert headgate_sim.outputs("desk/2")[0].data == {"what": "a cake"}
    assert len(headgate_sim.outputs("ledger/1")) == 1


def test_the_workflow_runs_as_its_page_says(headgate_sim: HeadgateSim) -> None:
    """Approved it books both; after two days without a word it ends."""
    words: dict[str, Any] = {"__name__": "page"}
    page = ROOT / "docs" / "workflows.md"
    exec(compile(blocks(page, "python")[0], "workflows.md", "exec"), words)  # noqa: S102
    headgate_sim.attach(words["agent"])
    for key in ("1", "2"):
        headgate_sim.send(f"trip/{key}", "trip.asked")
    headgate_sim.signal("trip/1", "approve", "ann")
    assert headgate_sim.outputs("trip/1")[0].data == {
        "by": "ann",
        "flight": "booked",
        "hotel": "booked",
    }
    headgate_sim.advance(timedelta(days=3))
    assert headgate_sim.state("trip/2").result == {"trip": "not approved"}


def test_the_configuration_loads_and_the_agent_is_attached(
    tmp_path: Path, order: ModuleType
) -> None:
    [text] = blocks(README, "toml")
    path = tmp_path / "headgate.toml"
    path.write_text(text, encoding="utf-8")
    config = load(path)
    attach = f"attach {order.agent.name} --endpoint localhost:7070 --route {config.topics[0].name}"
    assert attach in README.read_text("utf-8")


def test_the_agents_tests_pass(order: ModuleType) -> None:
    *_, text = blocks(README, "python")
    scope: dict[str, Any] = {}
    exec(compile(text, "README.md", "exec"), scope)  # noqa: S102
    scope["test_a_turn"]()
    sim = HeadgateSim()
    scope["test_a_crash_changes_nothing"](sim)
    sim.close()


@pytest.mark.parametrize("words", list(commands()), ids=named)
def test_a_command_exists_with_its_options(words: list[str]) -> None:
    program, *rest = words
    if program == "make":
        known = TARGET.findall((ROOT / "Makefile").read_text("utf-8"))
        assert next(word for word in rest if "=" not in word) in known
        return
    command: Any = typer.main.get_command(app)
    parent = None
    while hasattr(command, "commands"):
        parent = command.make_context(program, [], parent, resilient_parsing=True)
        program, *rest = rest
        command = command.commands[program]
    # Raises for an option that is not there, or a value that it does not take.
    command.make_context(program, rest, parent)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link for link in LINK.findall(text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    tests = "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    missing += [name for name in TEST_NAME.findall(text) if f"def {name}(" not in tests]
    assert missing == []
