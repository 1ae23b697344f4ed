"""Stacks that tests share: one takes a minute to start, and a sixth of a core from all others while
it idles. So tests that share one come together, and it ends with the last of them.
"""

import os
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from headgate.testing.stack import HeadgateStack
from tests.flink.runtime import Runtime


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A running job; every test uses keys of its own."""
    with Runtime(tmp_path_factory.mktemp("runtime")) as started:
        yield started


@pytest.fixture(scope="session")
def session_killed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadgateStack]:
    """Kafka and Flink of their own: others do not like what is killed here. With TEST_ENCRYPTION=1
    payloads are sealed: all that reads and writes them is tried with keys.
    """
    home, settings = tmp_path_factory.mktemp("killed"), ""
    if os.environ.get("TEST_ENCRYPTION"):
        keys = home / "keys"
        keys.write_text(f"k1:{b64encode(os.urandom(32)).decode()}", encoding="utf-8")
        settings = f'\n[encryption]\nkeys = "file:{keys}"\n'
    made = HeadgateStack(home / "stack", settings)
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def killed_stack(session_killed_stack: HeadgateStack) -> HeadgateStack:
    """A stack whose workers and TaskManagers the tests kill."""
    session_killed_stack.begin()
    return session_killed_stack


SHARED = ("runtime", "session_killed_stack", "headgate_session_stack")
# By the names under which tests parametrize themselves with one.
BEHIND = {"killed_stack": "session_killed_stack", "headgate_stack": "headgate_session_stack"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests of this folder by the stack that they share; those with none come first."""
    here = Path(__file__).parent
    places = [place for place, item in enumerate(items) if here in item.path.parents]
    own = sorted((items[place] for place in places), key=_order)
    for place, item in zip(places, own, strict=True):
        items[place] = item


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End a stack whose last test has run. One that is asked for again would be started again."""
    for name in set(_shared_by(item)) - set(_shared_by(nextitem)):
        for fixture in item.session._fixturemanager.getfixturedefs(name, item) or ():
            if fixture.cached_result is not None:
                fixture.finish(item._request)  # type: ignore[attr-defined]


def _shared_by(item: pytest.Item | None) -> Sequence[str]:
    names = set(getattr(item, "fixturenames", ()))
    made = getattr(item, "callspec", None)
    for value in made.params.values() if made is not None else ():
        if isinstance(value, str):
            names.add(BEHIND.get(value, value))
    return [name for name in SHARED if name in names]


def _order(item: pytest.Item) -> int:
    return max((SHARED.index(name) + 1 for name in _shared_by(item)), default=0)
