"""The examples in docstrings are executed, for the modules that need no running stack."""

import doctest
import importlib
import pkgutil

import pytest

import headgate.config

MODULES = [
    module.name for module in pkgutil.iter_modules(headgate.config.__path__, "headgate.config.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_say_what_happens(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
