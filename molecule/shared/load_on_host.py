"""The load generator on a test host; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from waiting import wait_for

# A unit that was told to stop may exist a moment longer, so each one has its own name.
_numbers = itertools.count(1)


class Load:
    """The load generator in a unit of its own; prepare.yml has brought it to the host."""

    def __init__(self, host, name: str, targets: Sequence[str], *options: str) -> None:
        self._host = host
        self._unit = f"load-{name}"
        self._control = f"/run/{self._unit}.sock"
        self.results = None
        arguments = ["run", f"--control={self._control}", *options, *targets]
        quoted = " ".join(f"'{argument}'" for argument in arguments)
        host.check_output(f"systemd-run --quiet --collect --unit={self._unit} /usr/local/bin/load.py {quoted}")
        wait_for(lambda: host.file(self._control).exists)

    @contextlib.contextmanager
    def phase(self, name: str):
        """Count what happens meanwhile under a name. Yield a dictionary, which has the results afterwards."""
        results = {}
        self._tell("phase", name)
        try:
            yield results
            # Some effects of a change show a moment later.
            time.sleep(1)
        finally:
            results.update(self._tell("phase", f"after {name}"))

    def stop(self) -> dict:
        """Stop the load, and return all results."""
        if self.results is None:
            self.results = self._tell("stop")
        return self.results

    def abandon(self) -> None:
        """Stop the load without its results, if the host can be reached."""
        with contextlib.suppress(RuntimeError):
            self._host.run(f"systemctl stop {self._unit}")

    def _tell(self, *words: str) -> dict:
        told = " ".join(f'"{word}"' for word in words)
        return json.loads(self._host.check_output(f"/usr/local/bin/load.py tell {self._control} {told}"))


@contextlib.contextmanager
def under_load(hosts: Sequence, targets: Sequence[str], *options: str):
    """Put hosts under load meanwhile, and fail if a request to one of them is lost."""
    name = f"meanwhile-{next(_numbers)}"
    with ThreadPoolExecutor() as pool:
        loads = list(pool.map(lambda host: Load(host, name, targets, *options), hosts))
    try:
        yield
    except BaseException:
        for load in loads:
            load.abandon()
        raise
    for load in loads:
        phases = load.stop()["phases"]
        assert sum(phase["requests"] for phase in phases) > 0
        lost = [(phase["failures"], phase["details"]) for phase in phases if phase["failed"]]
        assert lost == []
