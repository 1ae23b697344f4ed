"""One running job for all tests of the job: it takes a minute to start, and no test harms it."""

from collections.abc import Iterator

import pytest

from tests.flink.runtime import Runtime


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A running job; every test uses keys of its own."""
    with Runtime(tmp_path_factory.mktemp("runtime")) as started:
        yield started
