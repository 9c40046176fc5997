# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Debian packages a deployment needs and the host lacks."""

from __future__ import annotations

import os
import re
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager as service_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_DEBIAN_PYTHON = re.compile(r"(python|pypy)3(\.[0-9]+)?\Z")


def missing_packages(wanted: DeploymentParameters, has_venv: bool, manager: str) -> list[str]:
    """The packages to install; raises InvalidValue if gunicorn_python is no interpreter of the host."""
    missing = [] if has_venv else _missing_venv_package(wanted.python)
    if manager == service_manager.SUPERVISOR and not os.path.exists(programs.PROGRAM):
        missing.append("supervisor")
    if wanted.log_files and not os.path.exists("/usr/sbin/logrotate"):
        missing.append("logrotate")
    return missing


def _missing_venv_package(python: str) -> list[str]:
    """Debian packages venv and ensurepip apart from the interpreter, in pythonX.Y-venv."""
    interpreter = os.path.realpath(shutil.which(python) or "")
    version = os.path.basename(interpreter)
    if os.path.isdir(interpreter) or (interpreter.startswith("/usr/bin/") and not _DEBIAN_PYTHON.match(version)):
        raise InvalidValue("gunicorn_python", python, "a Python 3 interpreter of the host, by its name or path")
    if not interpreter.startswith("/usr/bin/"):
        return []  # not Debian's: it has its own ensurepip
    return [] if os.path.isdir(f"/usr/lib/{version}/ensurepip") else [f"{version}-venv"]
