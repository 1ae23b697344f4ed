"""The examples in docstrings are executed, for the modules that need no running stack."""

import doctest
import importlib
import pkgutil

import pytest

import headgate.cli
import headgate.config
import headgate.doctor
import headgate.kafka
import headgate.sealing
import headgate.sizing
import headgate.ui

MODULES = [
    module.name
    for package in (
        headgate.cli,
        headgate.config,
        headgate.doctor,
        headgate.kafka,
        headgate.sealing,
        headgate.sizing,
        headgate.ui,
    )
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_say_what_happens(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
