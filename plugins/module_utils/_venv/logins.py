# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that URLs have, handed to pip, uv and git in files that root alone can read.

Every local user can read the command line of a process. pip's and uv's own is kept free of passwords. But pip puts the
URL of an index on that of another pip, and both put the URL of a repository on that of git. So the login is taken out
of the URL.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from typing import Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls

# All readers of a netrc agree on a word of these.
_WORD = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/?^{}|<>\[\]-]+")


class Logins:
    """The logins of some URLs, by host."""

    def __init__(self) -> None:
        self._netrc: dict[str, tuple[str, str]] = {}
        self._git: dict[str, str] = {}

    def without(self, text: str) -> str:
        """The text without the logins of its URLs; a login stays that is not the first of its host, or fits no file."""
        return urls.USER_INFORMATION.sub(self._taken, text)

    def environment(self, folder: str, given: Mapping[str, str]) -> dict[str, str]:
        """Write the files into a folder that is root's alone; returns the `given` environment, with what leads to them.

        What root's own environment leads to stays in use.
        """
        environment = {**os.environ, **given}
        added = {}
        if self._netrc:
            lines = [f"machine {host} login {user} password {word}" for host, (user, word) in self._netrc.items()]
            # The last line for a host counts.
            added["NETRC"] = _written(folder, "netrc", [_present_netrc(environment), *lines])
        if self._git:
            path = _written(folder, "git-credentials", list(self._git.values()))
            number = int(environment.get("GIT_CONFIG_COUNT") or 0)
            added["GIT_CONFIG_COUNT"] = str(number + 1)
            added[f"GIT_CONFIG_KEY_{number}"] = "credential.helper"
            added[f"GIT_CONFIG_VALUE_{number}"] = f"store --file={path}"
        return {**given, **added}

    def _taken(self, match: re.Match) -> str:
        scheme, written = match["scheme"].lower(), match["information"]
        user, _colon, word = (urllib.parse.unquote(part) for part in written.partition(":"))
        host = re.match(r"[^\s/?#]*", match.string[match.end() :])[0].lower()  # type: ignore[index]
        if scheme in ("git+https://", "git+http://"):
            url = f"{scheme[len('git+') :]}{written if _colon else written + ':'}@{host}"
            is_kept = "${" not in written and self._git.setdefault(host, url) == url
        else:
            name = host.rpartition(":")[0] if re.search(r":[0-9]+\Z", host) else host
            is_web = scheme in ("http://", "https://") and _WORD.fullmatch(user) and _WORD.fullmatch(word)
            is_kept = is_web and "${" not in written and self._netrc.setdefault(name, (user, word)) == (user, word)
        return match["scheme"] if is_kept else match[0]


def _written(folder: str, name: str, lines: list[str]) -> str:
    path = os.path.join(folder, name)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def _present_netrc(environment: Mapping[str, str]) -> str:
    """The netrc that pip and uv would have used."""
    try:
        return files.read_regular(environment.get("NETRC") or os.path.expanduser("~/.netrc")).decode()
    except (OSError, UnicodeDecodeError):
        return ""
