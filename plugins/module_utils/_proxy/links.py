# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links that enable a site and what it needs."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files


def target_of(path: str) -> str | None:
    """What a link names; the path itself if it is no link, None if nothing is there."""
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return None
    except OSError:
        return path if os.path.lexists(path) else None


def make(wanted: dict[str, str | None]) -> None:
    """Make links, or remove those with the target None."""
    for path, target in wanted.items():
        if target is None:
            files.remove(path)
        elif target_of(path) != target:
            candidate = files.beside(path, files.CANDIDATE)
            files.remove(candidate)
            os.symlink(target, candidate)
            os.replace(candidate, path)
