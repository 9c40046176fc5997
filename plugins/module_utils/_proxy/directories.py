# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which directories of static and media files are made, and which are opened for the web server."""

from __future__ import annotations

import os
import stat

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import ENTER, READ, Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.parameters import ProxyParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def wanted_directories(wanted: ProxyParameters, web_server: Account | None) -> list[dict]:
    """The directories to make, and those above them to open for the web server.

    Raises InvalidValue for one that the web server can't read and that is not the service's to open.
    """
    result: list[dict] = []
    service = accounts.read_account(wanted.user)
    for variable, path in wanted.directories.items():
        existing = directories.innermost_existing(path)
        directories.check_directory(variable, path, existing)
        needed = [] if web_server is None else _opened(variable, path, existing, web_server, wanted.user, service)
        if existing != path:
            needed += [*directories.missing_parents(path), _made(variable, path, wanted.user, service)]
        for directory in needed:
            directories.check_way(variable, path, directory["path"])
        planned = [one["path"] for one in result]
        result += [directory for directory in needed if directory["path"] not in planned]
    return result


def media_links_from(wanted: ProxyParameters) -> str:
    """The beginning of the media directory's path after which the web server must not trust links.

    Whoever owns a directory above it, as the service's user owns the data directory, can put a link in its place.
    """
    path = wanted.directories.get("proxy_media_directory", "")
    account = accounts.read_account(wanted.user)
    found = accounts.changeable_by(path, account) if path and account and account.uid else None
    if found is None:
        return path
    steps = directories.steps_to(path)
    return next(step for step in steps if f"{os.path.realpath(step)}/".startswith(f"{found}/") or step == path)


def _opened(
    variable: str, path: str, existing: str, web_server: Account, user: str, service: Account | None
) -> list[dict]:
    """Existing directories on the way that the web server can't enter; those of the service are opened for it."""
    result = []
    for folder in directories.steps_to(existing):
        status = os.stat(folder)
        if accounts.allows(status, web_server, READ | ENTER if folder == path else ENTER):
            continue
        if service is None or status.st_uid != service.uid or folder == path:
            action = "read" if folder == path else "enter"
            raise InvalidValue(
                variable, path, f"a directory that {servers.USER} can {action}: {folder} does not let it"
            )
        # To enter, not to list.
        enter = ENTER << 3 if status.st_gid in web_server.groups else ENTER
        # With the owner, so that what takes its place meanwhile is not opened.
        result.append({"path": folder, "owner": user, "mode": f"{stat.S_IMODE(status.st_mode) | enter:04o}"})
    return result


def _made(variable: str, path: str, user: str, service: Account | None) -> dict:
    """Static files are root's, as root collects them; media are the service's, for the web server's group to read.

    That group comes by the setgid bit: the umask of the service keeps others out, and its own group stays as it is.
    """
    media = variable == "proxy_media_directory" and service is not None
    owner, group, mode = (user, servers.USER, "2750") if media else ("root", "root", "0755")
    return {"path": path, "owner": owner, "group": group, "mode": mode}
