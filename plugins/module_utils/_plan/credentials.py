# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials that are too much for systemd, which would only say "Protocol error" when it starts the service."""

from __future__ import annotations

import re
from typing import Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import credentials, sandbox
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_TMPFS_SINCE = 254  # of systemd's versions


def check_size(contents: Mapping[str, str], root: str = "/") -> None:
    """Raise InvalidValue, which shows no content."""
    size, pages = credentials.size(contents), credentials.pages(contents)
    what = f"{len(contents)} credential{'s' if len(contents) != 1 else ''}"
    if size > credentials.LIMIT:
        expected = f"{credentials.LIMIT} bytes (1 MiB) at most: systemd gives a service no more"
        raise InvalidValue("gunicorn_credentials", f"{what} of {size} bytes, names included", expected)
    if pages > credentials.PAGES and _has_tmpfs(root):
        expected = f"{credentials.PAGES} pages at most: this host's systemd gives a service no more"
        raise InvalidValue("gunicorn_credentials", f"{what} in {pages} pages of 4096 bytes", expected)


def _has_tmpfs(root: str) -> bool:
    numbers = (re.match(r"\d+", version) for version in sandbox.versions(root))
    return any(int(number[0]) >= _TMPFS_SINCE for number in numbers if number)
