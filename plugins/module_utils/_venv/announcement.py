# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says what will be installed and where from, before that takes its minutes. No password is in it."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import pip_configuration
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec

_PYPI = "PyPI"
# Of a longer list, only the number is said.
_LINES_MAX = 5
# An argument that names the index
_INDEX = {"-i", "--index-url", "--default-index"}
# The first one that is set counts.
_VARIABLES = {"pip": ["PIP_INDEX_URL"], "uv": ["UV_DEFAULT_INDEX", "UV_INDEX_URL"]}


def sentence(wanted: VenvSpec, is_new: bool, names_places: bool = False) -> str:
    """What installs what into which virtual environment, a new one or the user's own, and where from.

    `names_places` is whether a line of the requirements says where packages are.
    """
    where, source = _where(wanted, is_new), _source(wanted, names_places)
    return f"{wanted.installer} installs {_what(wanted)} into {where}, from {source}. This can take minutes."


def _what(wanted: VenvSpec) -> str:
    gunicorn = "Gunicorn" if wanted.version == "newest" else f"Gunicorn {wanted.version}"
    if wanted.requirements_file:
        return f"{gunicorn} and the requirements in {values_text.shown(wanted.requirements_file)}"
    if len(wanted.requirements) > _LINES_MAX:
        return f"{gunicorn} and the {len(wanted.requirements)} requirements of gunicorn_requirements"
    shown = [values_text.shown(line) for line in urls.without_passwords(list(wanted.requirements))]
    return ", ".join([gunicorn, *shown])


def _where(wanted: VenvSpec, is_new: bool) -> str:
    if not is_new:
        return wanted.path
    return f"a new virtual environment {'beside' if os.path.lexists(wanted.path) else 'for'} {wanted.path}"


def _source(wanted: VenvSpec, names_places: bool) -> str:
    if "--no-index" in wanted.pip_extra_args:
        return "where gunicorn_pip_extra_args say, and no index"
    return _index(wanted) + (" and where the requirements say" if names_places else "")


def _index(wanted: VenvSpec) -> str:
    """The index's URL, or what names it, as pip and uv look for it."""
    given = list(wanted.pip_extra_args)
    for number, argument in enumerate(given):
        option, _sign, value = argument.partition("=")
        if option in _INDEX and (value or given[number + 1 :]):
            return _shown(value or given[number + 1])
    for name in _VARIABLES[wanted.installer]:
        if name in wanted.environment:
            return f"the index in gunicorn_pip_environment['{name}']"
        if os.environ.get(name):
            return _shown(os.environ[name])
    if wanted.installer == "uv":
        # uv's files are TOML, which older Pythons can't read.
        files = ("/etc/uv/uv.toml", os.path.expanduser("~/.config/uv/uv.toml"))
        found = [path for path in files if os.path.exists(path)]
        return f"the index of {found[-1]}" if found else _PYPI
    if "PIP_CONFIG_FILE" in wanted.environment:
        return "the index of the file in gunicorn_pip_environment['PIP_CONFIG_FILE']"
    return _shown(pip_configuration.index_in(os.environ, os.path.realpath(wanted.path))) or _PYPI


def _shown(url: str) -> str:
    return values_text.shown(urls.without_passwords(url))
