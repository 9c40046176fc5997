# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's uv, and how it is told what nobody else may read."""

from __future__ import annotations

import os
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

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
