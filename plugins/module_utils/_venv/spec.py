# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of gunicorn_venv, read."""

from __future__ import annotations

import base64
import json
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import asked
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec


def read(options: dict) -> VenvSpec:
    """What the options ask for, with what is confidential in its place; raises InvalidValue."""
    given = {**options, "environment": {}, **_confidential(options["confidential"])}
    del given["confidential"]
    for argument in given["pip_extra_args"]:
        checks.check_pip_argument("gunicorn_pip_extra_args", argument)
    lines, file = asked.check(given["requirements"])
    return VenvSpec(
        **{
            **given,
            "path": os.path.abspath(given["path"]),
            "requirements": lines,
            "requirements_file": file,
            "environment": _environment(given["environment"]),
        }
    )


def _environment(given: dict) -> dict[str, str]:
    """Environment variables as text, as Ansible makes it; an error does not show a value."""
    found = {}
    for name, value in given.items():
        try:
            if isinstance(value, (dict, list)):
                raise ValueError("it is no string")
            found[name] = values_text.checked("" if value is None else str(value))
        except ValueError as error:
            raise InvalidValue(f"gunicorn_pip_environment['{name}']", values_text.MASK, f"a string ({error})") from None
    return found


def _confidential(text: str) -> dict:
    """What the text says; an error does not show it."""
    if not text:
        return {}
    expected = "base64 of a JSON mapping that has requirements, pip_extra_args or environment"
    try:
        found = json.loads(base64.b64decode(text))
    except ValueError:
        found = None
    kinds = {"requirements": (list, str, type(None)), "pip_extra_args": list, "environment": dict}
    if not isinstance(found, dict) or not all(isinstance(found[name], kinds.get(name, ())) for name in found):
        raise InvalidValue("confidential", values_text.MASK, expected)
    return found
