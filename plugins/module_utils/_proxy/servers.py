# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The web servers of the distribution: where Debian and Ubuntu put their files, and how they are called.

Sources: the packages nginx-common and apache2, README.Debian and a2enmod(8) of the latter.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

# The first line of each file that the role writes begins with it.
MARK = "# Managed by Ansible (role pyweb.gunicorn.proxy)"
# The user of both servers' workers
USER = "www-data"
_DEPENDS = re.compile(r"^#\s*Depends:(.*)$", re.MULTILINE)


class WebServer(NamedTuple):
    """A web server of the distribution; a site's file and link end in `suffix`."""

    title: str
    package: str
    program: str
    unit: str
    folder: str
    suffix: str
    default_site: str
    check: tuple[str, ...]
    error_log: str

    def site_file(self, site: str) -> str:
        """The path of a site's configuration."""
        return os.path.join(self.folder, "sites-available", site + self.suffix)

    def site_link(self, site: str) -> str:
        """The path of the link that enables a site."""
        return os.path.join(self.folder, "sites-enabled", site + self.suffix)

    @property
    def default_link(self) -> str:
        """The path of the link that enables the distribution's own site."""
        return self.site_link(self.default_site)


SERVERS = {
    "nginx": WebServer(
        title="nginx",
        package="nginx",
        program="/usr/sbin/nginx",
        unit="nginx.service",
        folder="/etc/nginx",
        suffix="",
        default_site="default",
        check=("nginx", "-t"),
        error_log="/var/log/nginx/error.log",
    ),
    "apache": WebServer(
        title="Apache",
        package="apache2",
        program="/usr/sbin/apache2",
        unit="apache2.service",
        folder="/etc/apache2",
        suffix=".conf",
        default_site="000-default",
        check=("apache2ctl", "configtest"),
        error_log="/var/log/apache2/error.log",
    ),
}


def module_links(folder: str, modules: list[str]) -> dict[str, str]:
    """The links that are missing to enable Apache's modules and those that they depend on, and what each names.

    A module that the host does not have is left out: the server's own check names it.
    """
    links: dict[str, str] = {}
    seen: set[str] = set()
    left = list(modules)
    while left:
        name = left.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for file in (f"{name}.load", f"{name}.conf"):
            available = os.path.join(folder, "mods-available", file)
            link = os.path.join(folder, "mods-enabled", file)
            if os.path.exists(available) and not os.path.lexists(link):
                links[link] = f"../mods-available/{file}"
        left += _dependencies(os.path.join(folder, "mods-available", f"{name}.load"))
    return links


def _dependencies(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [name for found in _DEPENDS.findall(file.read()) for name in re.split(r"[\s,]+", found) if name]
    except OSError:
        return []
