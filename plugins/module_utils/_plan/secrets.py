# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that would silently replace a variable of the same name, since systemd reads their file last."""

from __future__ import annotations

import shlex
from typing import Collection, Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def check_names(wanted: DeploymentParameters, given: dict) -> None:
    """Raise InvalidValue, which shows no value, for a variable of a single process that has the name of a secret.

    One of gunicorn_environment may have it: the secret is then the value for all processes, as the documentation says.
    """
    secrets = set(quoting.environment_file_names(given["secrets"]))
    for variable, names in _variables(wanted, given) if secrets else ():
        for name in sorted(secrets.intersection(names)):
            expected = (
                f"another name, or no secret of this name: the one in gunicorn_secrets[{name!r}] would replace it"
            )
            raise InvalidValue(variable, name, expected)


def _variables(wanted: DeploymentParameters, given: dict) -> Iterator[tuple[str, Collection[str]]]:
    yield "gunicorn_service_directives['Environment']", _assigned(given["service_directives"].get("Environment"))
    for number, step in enumerate(given["release_steps"]):
        yield f"gunicorn_release_steps[{number}]['environment']", _set_names(step)
    for each in wanted.companions:
        yield f"{companion.VARIABLE}[{each.name!r}]['environment']", each.environment


def _set_names(step: object) -> list[str]:
    """The variables of a step, which has been checked unless the role is asked for less than a deployment."""
    environment = step.get("environment") if isinstance(step, dict) else None
    return [name for name, value in environment.items() if value is not None] if isinstance(environment, dict) else []


def _assigned(lines: object) -> list[str]:
    """The variables that lines of Environment= set."""
    words: list[str] = []
    for line in lines if isinstance(lines, list) else [lines or ""]:
        try:
            words += shlex.split(str(line))
        except ValueError:  # systemd does not take it, either
            words += str(line).split()
    return [word.partition("=")[0] for word in words]
