"""The load generator on a test host; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import contextlib
import json
import time


class Load:
    """The load generator in a unit of its own, to which prepare.yml has brought it."""

    def __init__(self, host, name: str, targets: tuple[str, ...], *options: str) -> None:
        self._host = host
        self._control = f"/run/load-{name}.sock"
        self.results = None
        arguments = ["run", f"--control={self._control}", *options, *targets]
        quoted = " ".join(f"'{argument}'" for argument in arguments)
        host.check_output(f"systemd-run --quiet --collect --unit=load-{name} /usr/local/bin/load.py {quoted}")
        wait_for(lambda: host.file(self._control).exists)

    @contextlib.contextmanager
    def phase(self, name: str):
        """Count what happens meanwhile under a name; yields a dictionary, which holds the results afterwards."""
        results = {}
        self._tell("phase", name)
        try:
            yield results
            # What a change leaves behind shows itself a moment later.
            time.sleep(1)
        finally:
            results.update(self._tell("phase", f"after {name}"))

    def stop(self) -> dict:
        """Stop it, and return all results."""
        if self.results is None:
            self.results = self._tell("stop")
        return self.results

    def _tell(self, *words: str) -> dict:
        told = " ".join(f'"{word}"' for word in words)
        return json.loads(self._host.check_output(f"/usr/local/bin/load.py tell {self._control} {told}"))


def wait_for(condition, seconds: float = 30) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
