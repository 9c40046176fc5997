"""Waiting for a condition; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], seconds: float = 30, what: str = "the condition") -> None:
    """Wait until a condition holds; fail if it does not hold within so many seconds."""
    begin = time.monotonic()
    while not condition():
        waited = time.monotonic() - begin
        assert waited < seconds, f"not within {seconds} s: {what}"
        # Most conditions are commands on a host, so a long wait asks seldom: it ends a tenth later at most.
        time.sleep(min(1, max(0.1, waited / 10)))
