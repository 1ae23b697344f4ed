"""Loads parts of the agents in agents/, whose folders are no packages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

AGENTS = Path(__file__).parents[1] / "agents"


def load(folder: str, name: str = "agent") -> ModuleType:
    """Load agents/<folder>/<name>.py under a name of its own, with its neighbours in reach."""
    unique = f"headgate_agent_{folder}_{name}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, AGENTS / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    # Run as a script, an agent finds its neighbours; so it must here.
    sys.path.insert(0, str(AGENTS / folder))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    finally:
        sys.path.remove(str(AGENTS / folder))
    return module
