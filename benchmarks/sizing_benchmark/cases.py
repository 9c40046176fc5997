# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured: the applications, the limits, and a setting of workers and threads."""

from __future__ import annotations

import typing as t

MIB = 1 << 20


class Setting(t.NamedTuple):
    """How Gunicorn is started."""

    workers: int
    threads: int = 1

    @property
    def worker_class(self) -> str:
        """The worker class that Gunicorn uses: gthread if there are threads."""
        return "gthread" if self.threads > 1 else "sync"

    def __str__(self) -> str:
        return f"{self.workers} x {self.threads}" if self.threads > 1 else str(self.workers)


class Application(t.NamedTuple):
    """A path of the benchmark's project. Passenger's rule depends on whether it waits."""

    name: str
    title: str
    path: str
    waits: bool
    environment: t.Mapping[str, str] = {}


class Limit(t.NamedTuple):
    """Directives that limit the service."""

    name: str
    directives: t.Mapping[str, str] = {}

    @property
    def quota(self) -> float | None:
        """The CPUs that the service may use by its quota; None without one."""
        quota = self.directives.get("CPUQuota")
        return float(quota.rstrip("%")) / 100 if quota else None


def _work(compute: int, wait: int) -> str:
    """Return the path of an application that computes and waits for so many milliseconds."""
    return f"/work?compute={compute}&wait={wait}"


APPLICATIONS = {
    application.name: application
    for application in (
        Application("cpu", "computes 10 ms", _work(10, 0), waits=False),
        Application("mixed", "computes 5 ms, waits 5 ms", _work(5, 5), waits=True),
        Application("wait", "computes 2 ms, waits 40 ms", _work(2, 40), waits=True),
        Application(
            "memory", "computes 8 ms, holds 60 MiB", _work(8, 0), waits=False, environment={"SIZING_HELD_MIB": "60"}
        ),
        Application("page", "a Django page with PostgreSQL", "/articles", waits=True),
        Application("search", "a Django page for which PostgreSQL searches all texts", "/search", waits=True),
        Application("api", "asks a service that takes 50 ms", "/ask", waits=True),
    )
}
LIMITS = {
    limit.name: limit
    for limit in (
        Limit("none"),
        *(Limit(quota, {"CPUQuota": quota, "MemoryMax": "256M"}) for quota in ("50%", "100%", "150%")),
    )
}
