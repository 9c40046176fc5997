# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are no requirements files for pip, and what to write instead of them."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_UV = "uv export --no-dev --format requirements.txt --output-file requirements.txt"
# The commands that make a requirements file of each.
_LOCKS = {
    "uv.lock": _UV,
    "poetry.lock": "poetry export --format requirements.txt --output requirements.txt (plugin poetry-plugin-export)",
    "pdm.lock": "pdm export --prod --format requirements --output requirements.txt",
    "pipfile": "pipenv requirements --hash > requirements.txt",
    "pipfile.lock": "pipenv requirements --hash > requirements.txt",
}
_PROJECTS = ("pyproject.toml", "setup.py", "setup.cfg")
_CONDA = ("environment.yml", "environment.yaml", "conda-lock.yml", "pixi.toml", "pixi.lock")
_ARCHIVES = (".whl", ".tar.gz", ".tar.bz2", ".zip")


def check_format(variable: str, path: str, installer: str) -> None:
    """Raise InvalidValue if what a requirements file's place names is none: a lock file, a directory, a project, ...

    `path` is the variable's value, or what -r or -c names; it need not exist. `installer` is pip or uv.
    """
    shown = urls.without_passwords(path)
    instead = _instead_of(path, shown, installer)
    if instead:
        raise InvalidValue(variable, shown, f"a requirements file for {installer}; {instead}")


def _instead_of(path: str, shown: str, installer: str) -> str:
    """What to do instead of naming this as a requirements file, or "" if it may be one."""
    # Of a URL, what comes after the path does not count.
    whole = path.split("#")[0].split("?")[0] if "://" in path else path
    folder, name = os.path.split(whole.rstrip("/"))
    key = name.lower()
    if key in _LOCKS:
        return f"make one of {name} by: {_LOCKS[key]}"
    if _is_pylock(key):
        # Neither an older pip nor the checks of what root installs from can read it, and uv takes nothing beside it.
        return f"make one by the tool that made {name}, such as: {_UV}"
    if key in _PROJECTS:
        project = f'for the project with its dependencies, write ["{folder or "/opt/mysite"}"]'
        if key == "setup.py":
            return project
        command = f"uv pip compile {name} --output-file requirements.txt"
        return f"{project}, for its dependencies alone, make one by: {command}"
    if key in _CONDA:
        return f"{installer} can't install what {name} names: list the packages' names on the package index"
    if os.path.isdir(whole):
        return f'for a project in a directory, write ["{shown}"], with brackets'
    if key.endswith(_ARCHIVES):
        return f'for a package, write ["{shown}"], with brackets'
    return ""


def _is_pylock(key: str) -> bool:
    # The names of PEP 751
    return key == "pylock.toml" or (key.startswith("pylock.") and key.endswith(".toml") and key.count(".") == 2)
