# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which credentials systemd can give a service (LoadCredential=)."""

from __future__ import annotations

import re
from typing import Mapping

LIMIT = 1024 * 1024  # bytes, of a service's credentials with their names
# Since systemd 254 they are in a tmpfs of that size where Linux can keep one out of the swap space.
PAGES = LIMIT // 4096
# systemd also takes other printable characters. In a unit or in the list of names, they would have to be quoted.
# Names with a leading dot are those of files that are about to be renamed.
_NAME = re.compile(r"[A-Za-z0-9_@+=,~-][A-Za-z0-9_@+=,~.-]*")
_LONGEST = 240  # characters: while a file is written, a prefix makes its name longer


def is_name(name: object) -> bool:
    """Whether a credential can have this name, and so can its file."""
    return isinstance(name, str) and len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def size(contents: Mapping[str, str]) -> int:
    """The size of credentials as systemd counts it, in bytes."""
    return sum(len(name) + _length(content) for name, content in contents.items())


def pages(contents: Mapping[str, str]) -> int:
    """How many pages of a tmpfs they need."""
    return sum(-(-_length(content) // 4096) for content in contents.values())


def _length(content: str) -> int:
    return len(content.encode("utf-8", "surrogatepass"))
