# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module gunicorn_release_steps is given."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import steps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.steps import Step

DO, NOTE, LEAVE = "do", "note", "leave"

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "manager": {"type": "str", "choices": ["systemd", "supervisor"], "default": "systemd"},
    "user": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "release": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "phase": {"type": "str", "choices": list(steps.PHASES), "required": True},
    "steps": {"type": "list", "elements": "raw", "required": True},
    "static": {"type": "str", "default": "staticfiles"},
    "switching": {"type": "bool", "default": True},
    "rolling_back": {"type": "bool", "default": False},
    "once": {"type": "str", "choices": [DO, NOTE, LEAVE], "default": DO},
    "venv": {"type": "path", "required": True},
    "venv_directory": {"type": "path", "required": True},
    "config_directory": {"type": "path", "required": True},
    "environment": {"type": "dict", "default": {}},
    "secrets": {"type": "str", "default": "", "no_log": True},
    "credentials": {"type": "str", "default": "e30=", "no_log": True},
    "unit": {"type": "str", "default": ""},
    "optional_directives": {"type": "list", "elements": "str", "default": []},
    "left_out": {"type": "dict", "default": {}},
    "service_directives": {"type": "dict", "default": {}},
    "launcher": {"type": "str", "default": ""},
}


class Wanted(NamedTuple):
    """The steps of a phase of a release that are wanted, for which service."""

    name: str
    release: str
    directory: str  # of all releases
    phase: str
    steps: list[Step]  # of all phases
    switching: bool
    rolling_back: bool
    once: str  # what to do with the steps that one host does for all
    venv: str
    venv_directory: str


def wanted_from(given: Mapping[str, Any]) -> Wanted:
    """What the module's arguments ask for; raises InvalidValue."""
    same = {name: given[name] for name in Wanted._fields if name in given}
    # gunicorn_release has said of each whether it is pending.
    told = [
        {name: step[name] for name in step if name != "pending"} if isinstance(step, dict) else step
        for step in given["steps"]
    ]
    return Wanted(**{**same, "steps": steps.parse(told, given["static"])})
