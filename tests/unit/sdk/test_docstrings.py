"""The examples in the SDK's docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import headgate.demo.sgd
import headgate.sdk

MODULES = [
    *(f"headgate.sdk.{module.name}" for module in pkgutil.iter_modules(headgate.sdk.__path__)),
    headgate.demo.sgd.__name__,
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
