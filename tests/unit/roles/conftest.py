"""What tests of the roles share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Callable

import pytest

HOOKS = Path(__file__).parents[3] / "roles/gunicorn/files/gunicorn_hooks.py"


@pytest.fixture
def runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that the service has as its runtime directory."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.fixture
def load_configuration(runtime_directory: Path) -> Callable[[Path], ModuleType]:
    """A function that executes a configuration file in the way in which Gunicorn does."""

    def load(path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location("__config__", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def hooks(load_configuration: Callable[[Path], ModuleType]) -> ModuleType:
    """The hooks without a template around them, executed anew."""
    return load_configuration(HOOKS)
