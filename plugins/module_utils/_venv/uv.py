# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's uv, and how it is told what nobody else may read."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

if TYPE_CHECKING:
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Requirements

# The environment that says the same as an option of uv, with what is between several values
_VARIABLES = {
    "-i": ("UV_INDEX_URL", ""),
    "--index-url": ("UV_INDEX_URL", ""),
    "--default-index": ("UV_DEFAULT_INDEX", ""),
    "--index": ("UV_INDEX", " "),
    "--extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "-f": ("UV_FIND_LINKS", ","),
    "--find-links": ("UV_FIND_LINKS", ","),
}


def find() -> str:
    """The path of the host's uv; raises InvalidValue if there is none."""
    found = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/bin"]))
    if found is None:
        raise InvalidValue("gunicorn_installer", "uv", "pip, or a host with uv on root's PATH or in /usr/local/bin")
    return found


def configurations(folder: str) -> list[str]:
    """The files of the host that uv takes settings from if it is run in a folder: they say where it installs."""
    folders = [folder]
    while folders[-1] != os.path.dirname(folders[-1]):
        folders.append(os.path.dirname(folders[-1]))
    named = (os.path.join(each, name) for each in folders for name in ("uv.toml", "pyproject.toml"))
    return [path for path in ("/etc/uv/uv.toml", *named) if os.path.lexists(path)]


def split_arguments(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments that everybody may read, and the environment that says the same as the others.

    InvalidValue for an argument with a password that uv does not take from its environment.
    """
    shown: list[str] = []
    environment: dict[str, str] = {}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        option, sign, value = argument.partition("=")
        if option in _VARIABLES and not sign and left and urls.passwords_in(left[0]):
            sign, value = "=", left.pop(0)
        if not urls.passwords_in(value or argument):
            shown.append(argument)
        elif sign and option in _VARIABLES:
            name, separator = _VARIABLES[option]
            before = environment.get(name)
            environment[name] = f"{before}{separator}{value}" if before and separator else value
        else:
            expected = "arguments of uv without a password in a URL: gunicorn_pip_environment can have one"
            raise InvalidValue("gunicorn_pip_extra_args", urls.without_passwords(argument), expected)
    return shown, environment


def refreshes(found: Requirements, is_offline: bool) -> list[str]:
    """Options that make uv look at local directories and at what may move, since its cache goes by their version."""
    moving = [item for item in found.items if item.applies and (item.kind == "directory" or not item.is_fixed)]
    if moving and is_offline:
        return ["--no-cache"]  # uv takes the others for a contradiction
    if any(not item.name for item in moving):
        return ["--refresh"]
    return [f"--refresh-package={name}" for name in sorted({item.name for item in moving})]


def is_offline(arguments: list[str], environment: Mapping[str, str]) -> bool:
    """Whether uv is told not to use the network."""
    said = {**os.environ, **environment}.get("UV_OFFLINE", "")
    return "--offline" in arguments or said.lower() in ("1", "true", "t", "yes", "y", "on")
