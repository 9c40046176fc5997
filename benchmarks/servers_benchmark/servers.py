# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers that are compared. Each is set up as its own documentation says for production.

The files that set them up are in templates/, and each says there what it follows.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

# What is measured at rest: a page with queries and a template, and one that waits for something else
PAGES = {"page": "/articles", "wait": "/work?compute=1&wait=20"}
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


class Server(t.NamedTuple):
    """A server: its units on the host, nginx's port in front of it, and what the documentation says of it."""

    name: str
    title: str
    package: str
    units: tuple[str, ...]
    port: int
    # Brings code live that is at the place of the old
    reload: str
    setup: str
    # None: the role sizes them, from what it is told
    processes: int | None = None
    threads: int | None = None
    sizing: dict | None = None

    @property
    def service(self) -> str:
        """Return the unit whose processes answer."""
        return self.units[-1]

    @property
    def is_role(self) -> bool:
        """Return whether the role runs it."""
        return self.package == "gunicorn"


def role(worker_class: str, port: int, sizing: dict, setup: str) -> Server:
    """Return a service of the role, which sizes it."""
    project = f"site_{worker_class}"
    return Server(
        name=worker_class,
        title=f"this role, `{worker_class}`",
        package="gunicorn",
        units=(f"{project}.socket", f"{project}.service"),
        port=port,
        reload=f"systemctl reload {project}.service",
        setup=f"{setup}, a unix socket, code as a [release](releases.md); reload: `systemctl reload`",
        sizing=sizing,
    )


SERVERS = {
    server.name: server
    for server in (
        role("sync", 8101, {}, "all as it is by default"),
        role(
            "gthread",
            8102,
            {"thread_safe": True, "wait_ratio": 3},
            "`gunicorn_worker_class: gthread`, `gunicorn_sizing: {thread_safe: true, wait_ratio: 3}` "
            "([sizing.md](sizing.md))",
        ),
        Server(
            name="uwsgi",
            title="uWSGI",
            package="uWSGI",
            units=("uwsgi.socket", "uwsgi.service"),
            port=8103,
            reload="systemctl reload uwsgi.service",
            setup="the processes and threads of its "
            "[quickstart](https://uwsgi-docs.readthedocs.io/en/latest/WSGIquickstart.html), behind `uwsgi_pass`, with "
            "[a socket of systemd](https://uwsgi-docs.readthedocs.io/en/latest/Systemd.html), `lazy-apps` and "
            "`need-app`; reload: "
            "[chain reloading](https://uwsgi-docs.readthedocs.io/en/latest/articles/TheArtOfGracefulReloading.html)",
            processes=4,
            threads=2,
        ),
        Server(
            name="mod_wsgi",
            title="mod_wsgi",
            package="mod_wsgi",
            units=("apache2.service",),
            port=8104,
            # The brackets: else pkill would find the shell that runs it.
            reload="pkill -USR1 -f '[w]sgi:servers'",
            setup="daemon mode in Debian's Apache, processes, link `current` and reload (`SIGUSR1` to the daemon "
            "processes, with `eviction-timeout`) as in "
            "[its guide to upgrades](https://modwsgi.readthedocs.io/en/latest/user-guides/upgrading-an-application.html)"
            ", with "
            "[as few threads](https://modwsgi.readthedocs.io/en/latest/configuration-directives/WSGIDaemonProcess.html)"
            " as it advises for code that computes",
            processes=4,
            threads=5,
        ),
        Server(
            name="granian",
            title="Granian",
            package="granian",
            units=("granian.service",),
            port=8105,
            reload="systemctl reload granian.service",
            setup="a worker for each core, `--backpressure` in place of a number of threads, and a unix socket, on "
            "which a reload drops nothing that waits, as in "
            "[its README](https://github.com/emmett-framework/granian#workers-and-threads); reload: `SIGHUP`",
            processes=2,
            threads=8,
        ),
    )
}


def pinned(text: str) -> dict[str, str]:
    """Return the versions that a file of requirements pins."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))
