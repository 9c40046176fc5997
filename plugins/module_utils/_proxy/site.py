# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site of a web server: what it should be, what the host has and runs, and what has to be done.

The running server counts, not the files alone: a site is done when the server has loaded it.
"""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import links, load_time, names_hash, servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit


class SiteSpec(NamedTuple):
    """A site as it should be. A file without content and links with the target None are to be removed."""

    server: WebServer
    site: str
    file: WantedFile
    links: dict[str, str | None]
    server_names: tuple[str, ...] = ()
    # Files that the server reads when it loads the site
    read_by_server: tuple[str, ...] = ()
    runtime_directory: str = "/run"
    # What long server names need, with the other sites; None if there is nothing to look at
    names_file: WantedFile | None = None

    @property
    def present(self) -> bool:
        """Whether the site is wanted, and not to be removed."""
        return self.file.content is not None

    @property
    def files(self) -> list[WantedFile]:
        """All files of the site, in the order in which they are put in place."""
        return [self.names_file, self.file] if self.names_file else [self.file]

    @property
    def journal(self) -> str:
        """Where a change notes how to go back: a file that no server includes."""
        return os.path.join(self.server.folder, f".{self.site}.gunicorn-proxy.json")

    @property
    def stamp(self) -> str:
        """Where a change notes when the server loaded its configuration."""
        return os.path.join(self.runtime_directory, f"gunicorn-proxy-{self.server.package}.json")


class SiteState(NamedTuple):
    """What the host has; times in epoch seconds."""

    unit: Unit
    # The paths of the files that are not as wanted
    differing: list[str]
    links: dict[str, str | None]
    interrupted: bool
    newest: float
    loaded: float


class SiteDecision(NamedTuple):
    """What is not as wanted, a sentence each, and what has to be done."""

    reasons: list[str]
    write: bool
    load: bool


def spec_from(given: dict) -> SiteSpec:
    """The site that the arguments of the module ask for."""
    server, site = servers.SERVERS[given["server"]], given["site"]
    path, link = server.site_file(site), server.site_link(site)
    present = given["state"] == "present"
    wanted: dict[str, str | None] = {}
    if present:
        wanted.update(servers.module_links(server.folder, given["modules"]))
        if not given["default_site"]:
            wanted[server.default_link] = None
    wanted[link] = os.path.join("..", os.path.relpath(path, server.folder)) if present else None
    return SiteSpec(
        server=server,
        site=site,
        # For root alone, as which both servers read it: it has proxy_extra_config.
        file=WantedFile(path, given["configuration"] if present else None, 0o640),
        links=wanted,
        server_names=tuple(given["server_names"]),
        read_by_server=tuple(given["read_by_server"]) if present else (),
        names_file=names_hash.wanted_file(server, site, given["server_names"] if present else []),
    )


def observe(wanted: SiteSpec, runner: Runner) -> SiteState:
    """Read what the host has and runs."""
    unit = units.read_units([wanted.server.unit], runner)[wanted.server.unit]
    watched = [*(file.path for file in wanted.files), *wanted.links, *wanted.read_by_server]
    return SiteState(
        unit=unit,
        differing=[file.path for file in wanted.files if files.differs(file)],
        links={path: links.target_of(path) for path in wanted.links},
        interrupted=os.path.lexists(wanted.journal),
        newest=max((_changed_at(path) for path in watched), default=0.0),
        loaded=load_time.read(wanted.stamp, unit.main_pid),
    )


def _changed_at(path: str) -> float:
    """When a file, or a link or the file that it names, last changed; 0 if there is none."""
    times = [0.0]
    for read in (os.stat, os.lstat):
        with contextlib.suppress(OSError):
            times.append(read(path).st_ctime)
    return max(times)


def decide(wanted: SiteSpec, observed: SiteState) -> SiteDecision:
    """Compare the site as it should be with the files and with what the running server has loaded."""
    title, unit = wanted.server.title, observed.unit
    written = []
    if observed.interrupted:
        written.append("a change of the site was interrupted")
    written += [f"{path} is not as wanted" for path in observed.differing]
    for path, target in wanted.links.items():
        if observed.links[path] != target:
            written.append(f"the link {path} {'is there' if target is None else 'is not there'}")
    reasons = list(written)
    if wanted.present and not unit.active:
        reasons.append(f"{title} does not run")
    elif not written and unit.active and observed.newest > observed.loaded:
        reasons.append(f"{title} has not loaded the site since it changed")
    load = bool(reasons) and (unit.active or wanted.present)
    if wanted.present and not unit.enabled:
        reasons.append(f"{title} does not start at boot")
    return SiteDecision(reasons, bool(written), load)
