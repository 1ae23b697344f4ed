"""Lets a running process be without metrics, tracing and the ledger, and with them again.

`benchmarks.features` copies this module into a tree whose Gate and dispatcher call `follow`. As the
file says that HEADGATE_BENCH_SWITCH names, each function gets the code that it has in the tree that
HEADGATE_BENCH_BARE names, made by `benchmarks.bare`, or its own back: one and the same process,
with what its JVM has made of its code, is both. Each process that follows says so in a file beside
the switch.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

LOOK_SECONDS = 0.05
WITH, WITHOUT = "with", "without"
SWITCH, BARE = "HEADGATE_BENCH_SWITCH", "HEADGATE_BENCH_BARE"


def follow(modules: Iterable[str]) -> None:
    """Follow the switch from now on; ``modules`` are those that the two trees have differently."""
    switch, bare = Path(os.environ[SWITCH]), Path(os.environ[BARE])
    arguments = switch, bare, list(modules)
    threading.Thread(target=_follow, args=arguments, daemon=True).start()


def _follow(switch: Path, bare: Path, modules: list[str]) -> None:
    own: dict[FunctionType, CodeType] = {}
    before = WITH
    said = switch.with_name(f"{switch.name}-{os.getpid()}")
    while True:
        wanted = switch.read_text(encoding="ascii") if switch.exists() else before
        if wanted in {WITH, WITHOUT} and wanted != before:
            for function, without in _differing(bare, modules):
                with_it = own.setdefault(function, function.__code__)
                function.__code__ = without if wanted == WITHOUT else with_it
            before = wanted
            said.write_text(wanted, encoding="ascii")
        time.sleep(LOOK_SECONDS)


def _differing(bare: Path, modules: list[str]) -> Iterator[tuple[FunctionType, CodeType]]:
    """Yield the functions of loaded modules that the bare tree has otherwise, and its code."""
    for name in modules:
        module = sys.modules.get(name)
        if module is None:
            continue
        file = bare.joinpath(*name.split(".")).with_suffix(".py")
        made = compile(file.read_text(encoding="utf-8"), str(file), "exec")
        others = {code.co_qualname: code for code in _within(made)}
        for function in _functions(module):
            other = others.get(function.__qualname__)
            if other is not None and not _is_same(function.__code__, other):
                yield function, other


def _within(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _within(each)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for each in vars(module).values():
        if getattr(each, "__module__", None) != module.__name__:
            continue
        members: list[Any] = list(vars(each).values()) if isinstance(each, type) else [each]
        yield from (member for member in members if isinstance(member, FunctionType))


def _is_same(one: CodeType, other: CodeType) -> bool:
    """Tell whether two do the same, wherever in their files they stand."""
    if (one.co_code, one.co_names) != (other.co_code, other.co_names):
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    return all(
        _is_same(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else a == b
        for a, b in zip(one.co_consts, other.co_consts, strict=True)
    )
