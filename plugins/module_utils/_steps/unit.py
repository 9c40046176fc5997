# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit of a step, made of the unit of its service: the same user, environment, credentials and sandbox."""

from __future__ import annotations

import json
import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import unit_base
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting

_STOP_TIMEOUT = 10  # seconds in which the processes that a step leaves can end
_OTHER_COMMANDS = ("ExecCondition", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost", "ExecReload")
_NOTE = "# The step: "


def base(unit: str, config_directory: str, secrets_directory: str) -> str:
    """What a step has of its service's unit; its secrets are where they are for the time of the step."""
    lines = ["[Unit]", "Description=A step of a release", "", "[Service]"]
    for line in unit_base.service_lines(unit):
        if line.startswith(("EnvironmentFile=", "LoadCredential=")):
            for path in ("/secrets.env", "/credentials/"):
                line = line.replace(config_directory + path, secrets_directory + path)
        lines.append(line)
    return "\n".join(lines) + "\n"


def own(step: Execution, runtime_directory: str, output: str) -> str:
    """What a step has of its own, as a drop-in that comes after all others; `output` is where it writes."""
    values = {
        "Type": "oneshot",
        # What has succeeded stays to be seen until it is stopped, also by the run after one that was killed.
        "RemainAfterExit": True,
        # systemd would begin it anew after some of its failures.
        "Restart": "no",
        **dict.fromkeys(
            ("ExecCondition", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost", "ExecReload"), ""
        ),
        "ExecStart": ["", " ".join(map(quoting.command_argument, step.command))],
        "WorkingDirectory": step.directory,
        "RuntimeDirectory": ["", runtime_directory],
        "RuntimeDirectoryMode": "0750",
        "Environment": [quoting.environment_assignment(name, value) for name, value in step.environment.items()],
        "ReadWritePaths": [quoting.word(path) for path in step.writes],
        "TimeoutStartSec": step.timeout,
        "TimeoutStopSec": _STOP_TIMEOUT,
        # All that a step leaves ends with it.
        "KillMode": "control-group",
        "WatchdogSec": 0,
        "StandardInput": "null",
        "StandardOutput": f"append:{output}",
        "StandardError": "inherit",
    }
    return "\n".join([_NOTE + json.dumps(step.note), "[Service]", *quoting.directives(values)]) + "\n"


def note_of(text: str | None) -> dict[str, str]:
    """What `own` noted in a drop-in, or nothing."""
    found = re.match(rf"{_NOTE}(\{{.*\}})$", text or "", re.MULTILINE)
    return json.loads(found[1]) if found else {}


def has_path(unit: str) -> bool:
    """Whether a unit sets PATH for its processes."""
    return unit_base.has_path(unit.splitlines())
