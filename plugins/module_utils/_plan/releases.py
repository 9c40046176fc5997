# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deployment of a release finds and needs on its host, beside what every deployment needs."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import directories as plan_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live, notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# What gunicorn_venv would find is not known before the requirements are there, which are a part of the release.
UNKNOWN_VENV = {
    "changed": True,
    "directory": "",
    "backup": "",
    "gunicorn_version": None,
    "python_version": None,
    "fingerprint": "",
    "message": "",
}


def is_there(wanted: DeploymentParameters) -> bool:
    """Whether the code is there; without releases, that is not the role's."""
    return wanted.release is None or (bool(wanted.release.id) and os.path.isdir(wanted.release.path))


def lacking(wanted: DeploymentParameters) -> list[str]:
    """The release, in a few words, if the host lacks it."""
    if is_there(wanted) or wanted.release is None:
        return []
    return [f"the release {wanted.release.id}" if wanted.release.id else "the release"]


def problems(wanted: DeploymentParameters) -> list[str]:
    """What is not as the release's going live left it."""
    return live.problems(wanted.release) if wanted.release else []


def directories_to_make(wanted: DeploymentParameters) -> list[dict]:
    """The directory of the releases, if it is missing; raises InvalidValue for one that others than root can change."""
    if wanted.release is None:
        return []
    path = wanted.release.directory
    _check(wanted, "gunicorn_releases_directory", path)
    whose = notes.read_live(path).asked.get("name", wanted.service)
    # The command stays as long as the service does.
    if whose != wanted.service and os.path.lexists(names.roll_back_command(whose)):
        raise InvalidValue(
            "gunicorn_releases_directory", path, f"a directory of its own: it has the releases of {whose}"
        )
    if wanted.release.public_static:
        _check_apart(wanted, wanted.release.public_static)
        _check(wanted, "gunicorn_static_directory", wanted.release.public_static)
    if os.path.isdir(path):
        return []
    return [*directories.missing_parents(path), {"path": path, "owner": "root", "group": "root", "mode": "0755"}]


def _check_apart(wanted: DeploymentParameters, path: str) -> None:
    """A link replaces what is at the path of the static files: it must not be what holds something else."""
    others = [wanted.release.directory if wanted.release else "", wanted.config_directory, wanted.data_directory]
    others += [wanted.venv, *(os.path.dirname(log) for log in wanted.log_files.values())]
    for other in filter(None, others):
        if f"{other}/".startswith(f"{path.rstrip('/')}/"):
            expected = f"a directory for static files alone, since a link replaces it: it holds {other}"
            raise InvalidValue("gunicorn_static_directory", path, expected)
    if wanted.release and path.startswith(f"{wanted.release.directory}/"):
        raise InvalidValue("gunicorn_static_directory", path, "a directory that is not among the releases")


def _check(wanted: DeploymentParameters, variable: str, path: str) -> None:
    """Root writes there, and what is there is run, or served: the service's user must not be able to change it."""
    directories.check_parent(variable, path)
    directories.check_way(variable, path, os.path.dirname(path))
    plan_directories.check_unchangeable(variable, path, path, wanted)
