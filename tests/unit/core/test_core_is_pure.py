"""The core imports what it may and reaches for nothing outside: no clock, no chance, no I/O."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import headgate.core

FILES = sorted(Path(headgate.core.__path__[0]).rglob("*.py"))
OURS = ("headgate.core", "headgate.v1", "google.protobuf")
IMPURE = frozenset(
    ("asyncio", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "socket")
) | frozenset(("subprocess", "sys", "tempfile", "threading", "time", "uuid"))
CALLS = frozenset(["now", "today", "utcnow", "open", "print", "input", "id", "hash"])


def imports_of(tree: ast.AST) -> set[str]:
    """Return every module that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where things come from"
            found.add(node.module or "")
    return found


def calls_of(tree: ast.AST) -> set[str]:
    """Return the last name of every function that a file calls."""
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {f.attr for f in functions if isinstance(f, ast.Attribute)} | {
        f.id for f in functions if isinstance(f, ast.Name)
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_module_is_pure(path: Path) -> None:
    """Standard library without its impure parts, the committed stubs, and the core itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for module in imports_of(tree):
        top = module.partition(".")[0]
        assert module.startswith(OURS) or top in sys.stdlib_module_names, f"imports {module}"
        assert top not in IMPURE, f"imports {module}"
    assert not calls_of(tree) & CALLS
