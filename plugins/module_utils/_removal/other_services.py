# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the units and programs of other services name: a removal leaves that in place."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units


def read_others(own: tuple[str, ...]) -> list[tuple[str, str]]:
    """The file names and texts of all units and programs except `own`, whichever manager runs this host."""
    paths = sorted(glob.glob(os.path.join(units.UNIT_DIRECTORY, "*.service")))
    texts = {path: files.read(path) or "" for path in paths}
    for path, text in configuration.read_files().items():
        # A program that the role made says no more than where its description is.
        described = [files.read(each) or "" for each in launcher.descriptions_in(text)]
        texts[path] = "\n".join([text, *described])
    return [(os.path.basename(path), text) for path, text in texts.items() if path not in own]


def naming_path(others: list[tuple[str, str]], path: str) -> str:
    """The first service that names a path or something below it, or an empty string."""
    named = re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w.-])")
    return next((name for name, text in others if named.search(text)), "")


def names_account(text: str, kind: str, name: str) -> bool:
    """Whether a unit, a program or a description has this user or group; `kind` is one of these two words."""
    return re.search(rf'^\s*"?{kind}"?\s*[=:]\s*"?{re.escape(name)}(?![\w.-])', text, re.MULTILINE | re.I) is not None
