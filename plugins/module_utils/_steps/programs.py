# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which program a step runs."""

from __future__ import annotations

import os
import shutil
from typing import Iterable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import unit_base
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import StepFailed


def located(command: Iterable[str], directory: str, venv: str) -> list[str]:
    """The command with the path of its program, which may be relative to the release; raises StepFailed."""
    program, *arguments = command
    if "/" in program:
        path = os.path.normpath(os.path.join(directory, program))
        where = f"there is no program {path}"
    else:
        path = shutil.which(program, path=unit_base.search_path(venv)) or ""
        where = f"there is no program {program!r} in {venv}/bin, and none in the search path of the system"
    if not path or not os.path.isfile(path):
        raise StepFailed(where)
    if not os.access(path, os.X_OK):
        raise StepFailed(f"{path} is not executable")
    return [path, *arguments]
