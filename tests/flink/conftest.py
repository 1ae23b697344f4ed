"""One running job for all tests of the job: it takes a minute to start, and no test harms it."""

from collections.abc import Iterator

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
    """Kafka and Flink of their own: others do not like what is killed here."""
    made = HeadgateStack(tmp_path_factory.mktemp("killed"))
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def killed_stack(session_killed_stack: HeadgateStack) -> HeadgateStack:
    """A stack whose workers and TaskManagers the tests kill."""
    session_killed_stack.begin()
    return session_killed_stack
