"""Every claim of docs/security.md names a test, and these tests exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
# `test_one`, `test_two` and `test_three` (`folder/test_file.py`)
_CLAIM = re.compile(r"((?:`test_\w+`(?:,| and)?\s+)+)\(`([\w/]+\.py)`\)")
# Sections that promise something.
PROMISES = ("Kafka", "Secrets", "Agent services", "The console", "The network")


def written_in(path: Path) -> set[str]:
    """The names of a file's tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def claims() -> list[tuple[str, str]]:
    """(test, file below tests/) of all that the page names."""
    text = PAGE.read_text(encoding="utf-8")
    return [
        (name, found[2])
        for found in _CLAIM.finditer(text)
        for name in re.findall(r"`(test_\w+)`", found[1])
    ]


def test_every_test_that_the_page_names_is_there() -> None:
    missing = [
        f"{name} in {file}"
        for name, file in claims()
        if not (ROOT / "tests" / file).is_file() or name not in written_in(ROOT / "tests" / file)
    ]
    assert missing == []


def test_no_test_is_named_without_its_file() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named == {name for name, _ in claims()}
    assert len(named) > 30


def test_each_section_that_promises_names_tests() -> None:
    text = PAGE.read_text(encoding="utf-8")
    sections = dict(
        (title.strip(), body)
        for title, _, body in (part.partition("\n") for part in text.split("\n## ")[1:])
    )
    assert [each for each in PROMISES if not _CLAIM.search(sections[each])] == []
