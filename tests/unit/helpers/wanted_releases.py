# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases that are wanted, for unit tests, as the module gunicorn_release gets them."""

from __future__ import annotations

import grp
import os
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import wanted
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.wanted import Wanted

GROUP = grp.getgrgid(os.getegid()).gr_name


def want(directory: Path, source: object, **changes: object) -> Wanted:
    """What the role's defaults want, with these changes."""
    parameters = {
        "source": source,
        "login": "",
        "directory": str(directory),
        "user": "nobody_has_this_name",
        "group": GROUP,
        "steps": [],
        "static": "staticfiles",
        "revision": "",
        "identity": "",
        "file": "",
    }
    return wanted.read({**parameters, **changes})
