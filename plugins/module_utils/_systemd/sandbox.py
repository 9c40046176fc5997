# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directives of a unit that its host can't apply, as in some containers: the unit does without them, and says so.

A comment in the unit has their names, and with what they were tried. On a host that has changed, they are tried again.
"""

from __future__ import annotations

import glob
import os
import re
from typing import Collection, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import capabilities
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read

_COMMENT = re.compile(r"^# This host can't apply (\w+(?:, \w+)*) \(tried with (.*)\)\.\n", re.MULTILINE)
_LIBRARIES = ("usr/lib/*/systemd", "usr/lib/systemd", "lib/systemd")


class LeftOut(NamedTuple):
    """Directives that a unit does without, and what describes the host on which they were tried."""

    directives: tuple[str, ...] = ()
    tried_with: str = ""


def read_left_out(text: str | None, named: Collection[str], root: str = "/") -> LeftOut:
    """What a unit does without, as long as its host is the same; directives that a user named are tried in any case."""
    found = _COMMENT.search(text or "")
    if not found or found[2] != conditions(root):
        return LeftOut()
    directives = tuple(name for name in found[1].split(", ") if name not in named)
    return LeftOut(directives, found[2]) if directives else LeftOut()


def left_out_of(text: str) -> tuple[str, ...]:
    """The directives that a unit says that it does without."""
    found = _COMMENT.search(text)
    return tuple(found[1].split(", ")) if found else ()


def without(text: str, left_out: LeftOut) -> str:
    """The text of a unit without these directives, and with a comment in place of the first."""
    lines = text.splitlines(keepends=True)
    gone = [line.partition("=")[0] in left_out.directives for line in lines]
    if True not in gone:
        return text
    comment = f"# This host can't apply {', '.join(left_out.directives)} (tried with {left_out.tried_with}).\n"
    first = gone.index(True)
    kept = [line for line, is_gone in zip(lines, gone) if not is_gone]
    return "".join([*kept[:first], comment, *kept[first:]])


def conditions(root: str = "/") -> str:
    """What decides which directives a host can apply: systemd's version, the container, and what that allows."""
    container = read(join(root, "/run/systemd/container")).strip()
    return ", ".join(
        [
            f"systemd {'/'.join(sorted(versions(root))) or 'of unknown version'}",
            re.sub(r"\W", "", container) or "no container",
            *(["mapped users"] if capabilities.are_users_mapped(root) else []),
            f"capabilities {capabilities.read_set('CapBnd', root) or 'unknown'}",
        ]
    )


def versions(root: str = "/") -> set[str]:
    """The versions of systemd that a host has, such as 257; more than one in the middle of an upgrade."""
    paths = (path for folder in _LIBRARIES for path in glob.glob(join(root, f"{folder}/libsystemd-shared-*.so")))
    return {os.path.basename(path)[len("libsystemd-shared-") : -len(".so")] for path in paths}
