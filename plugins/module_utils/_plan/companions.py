# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the companions of a service against its host."""

from __future__ import annotations

import os
import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, companion_texts, companion_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import directives, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Where units may be that are not an administrator's
_OTHERS = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
# What systemd-analyze says of a time that is over, or of a day that no year has
_NEVER = re.compile(r"^\s*Next elapse: never$", re.MULTILINE)


def check_logs(wanted: DeploymentParameters) -> None:
    """Raise InvalidValue for a log where the service may not write."""
    folders = {os.path.dirname(path) for path in wanted.log_files.values()} | {wanted.data_directory}
    for each in wanted.companions:
        if each.log_file != companion.JOURNAL and os.path.dirname(each.log_file) not in folders:
            expected = f"a file in {' or '.join(sorted(folders))}, or - for the journal"
            raise InvalidValue(_option(each, "log_file"), each.log_file, expected)
        if each.log_file in wanted.log_files.values():
            raise InvalidValue(
                _option(each, "log_file"), each.log_file, "a file of its own: Gunicorn writes to this one"
            )


def logs(wanted: DeploymentParameters) -> list[str]:
    """The logs that are files, each once."""
    return list(dict.fromkeys(each.log_file for each in wanted.companions if each.log_file != companion.JOURNAL))


def check_units(wanted: DeploymentParameters, runner: Runner) -> None:
    """Raise InvalidValue for a companion whose units are somebody else's, or whose time systemd does not take."""
    for each in wanted.companions:
        for suffix in ("service", "timer"):
            unit = f"{wanted.service}-{each.name}.{suffix}"
            for path in (os.path.join(folder, unit) for folder in (units.UNIT_DIRECTORY, *_OTHERS)):
                if os.path.lexists(path) and companion_texts.owner_of(files.read(path)) != (wanted.service, each.name):
                    expected = f"a name of which the host has no unit: {path} is not this companion's. Choose another"
                    expected += " name, or stop, disable and remove that unit"
                    raise InvalidValue(companion.VARIABLE, each.name, expected)
        if each.calendar:
            _check_calendar(wanted, each, runner)


def check_programs(wanted: DeploymentParameters) -> None:
    """Raise InvalidValue for what supervisor can't do, and for a program that is somebody else's."""
    # Only here: a host with systemd would take a hundredth of a second for what this imports.
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_programs
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration

    known = configuration.read_files() if wanted.companions else {}
    for each in wanted.companions:
        companion_programs.check(each)
        name = companion_programs.name_of(wanted.service, each.name)
        for path, text in known.items():
            ours = path == companion_programs.path_of(wanted.service, each.name)
            if ours and companion_programs.owner_of(text) == (wanted.service, each.name):
                continue
            if ours or programs.has_program(name, text):
                expected = f"a name of which supervisor has no program: {path} is not this companion's. Choose another"
                expected += " name, or remove that program"
                raise InvalidValue(companion.VARIABLE, each.name, expected)


def not_enforced(wanted: DeploymentParameters) -> list[str]:
    """A warning for the user, if the companions lack something under supervisor."""
    found = []
    for each in wanted.companions:
        names = [name for name in ("memory_max", "cpu_quota") if getattr(each, name)]
        names += [f"directives ({name})" for name in directives.without_effect(dict(each.directives))]
        if names:
            found.append(f"{companion.VARIABLE}['{each.name}']: {', '.join(names)}")
    return [f"Not enforced under supervisor: {'; '.join(found)}."] if found else []


def _check_calendar(wanted: DeploymentParameters, each: Companion, runner: Runner) -> None:
    # The error is of the user's value, and says so: check_rc would show systemd's words alone.
    code, output, errors = runner.run(["systemd-analyze", "calendar", each.calendar], check_rc=False)
    if code:
        expected = f"a time that systemd takes, see systemd.time(7) ({' '.join(errors.split())})"
        raise InvalidValue(_option(each, "calendar"), each.calendar, expected)
    if _NEVER.search(output) and not _was_to_come(wanted, each):
        raise InvalidValue(_option(each, "calendar"), each.calendar, "a time that comes: this one never does")


def _was_to_come(wanted: DeploymentParameters, each: Companion) -> bool:
    """Whether the host has the timer with this time: it may have come meanwhile, and is no error of this run."""
    text = files.read(companion_units.path_of(companion_units.top_units(wanted.service, each)[0]))
    return companion_units.calendar_of(text or "") == each.calendar


def _option(each: Companion, name: str) -> str:
    return f"{companion.VARIABLE}[{each.name!r}][{name!r}]"
