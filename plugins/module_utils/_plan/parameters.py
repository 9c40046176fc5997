# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the values that a deployment is given, one by one and against each other."""

from __future__ import annotations

import os
import re
from typing import Callable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import (
    directives,
    protocols,
    settings,
    sizing,
    version,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.protocols import Protocols
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.live import Release
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import (
    addresses,
    checks,
    environment,
    worker_classes,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import asked, uv
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec

# The checks of single parameters, in this order. Each is told the name of the variable.
_CHECKS: dict[str, Callable] = {
    "app": checks.check_app,
    "worker_class": worker_classes.check_worker_class,
    "workers": checks.check_workers,
    "threads": checks.check_count,
    "version": version.check_version,
    "health_path": checks.check_url_path,
    "health_host": checks.check_host,
    "health_statuses": checks.check_status,
    "health_timeout": checks.check_seconds,
    "pip_extra_args": checks.check_pip_argument,
    "pip_environment": environment.check_environment_name,
    "description": checks.check_text,
    "code_directory": checks.check_path,
    "service_directives": directives.check_directives,
}
_RELATIVE = re.compile(r"(?!.*\.\.)[A-Za-z0-9_@+=,.][A-Za-z0-9_@+=,.-]*(/[A-Za-z0-9_@+=,.-]+)*")
# Each item of these is checked.
_LISTS = ("health_statuses", "pip_extra_args", "pip_environment")


class DeploymentParameters(NamedTuple):
    """A deployment's parameters after their checks."""

    project: str
    service: str
    user: str
    group: str
    manage_user: bool
    venv: str
    python: str
    venv_rebuild: bool
    binds: list[Address]
    environment: dict[str, str]
    config_directory: str
    data_directory: str
    log_files: dict[str, str]
    sizing: dict  # the options of gunicorn_sizing_info
    release: Release | None = None
    companions: tuple[Companion, ...] = ()
    run_group: str = ""
    serves: bool = True  # whether there are web workers
    protocols: Protocols = Protocols({}, [])


def check_parameters(given: dict, ipv6: bool) -> DeploymentParameters:
    """Check every parameter that needs more than a type; raises InvalidValue for the first that can't be used."""
    # The project first: by default the other names are made of it.
    project = checks.check_project("gunicorn_project", given["project"])
    user, group = _check_accounts(given["user"], given["group"])
    binds = _read_binds(given, user, group, ipv6)
    for name, check in _CHECKS.items():
        for value in given[name] if name in _LISTS else [given[name]]:
            check(f"gunicorn_{name}", value)
    sizing_options = _read_sizing(given)
    settings.check_settings(given["settings"])
    variables = environment.check_environment("gunicorn_environment", given["environment"])
    serves = given["workers"] != checks.NO_WORKERS
    heard = binds if serves else []
    spoken = protocols.of_service(given["settings"], given["worker_class"], given["threads"], variables, heard)
    _check_secrets(given["unfit_secrets"])
    _check_credentials(given["unfit_credentials"])
    if given["installer"] == "uv":
        uv.find()
        uv.split_arguments(given["pip_extra_args"])
    return DeploymentParameters(
        project=project,
        service=checks.check_service_name("gunicorn_service_name", given["service_name"]),
        user=user,
        group=group,
        manage_user=given["manage_user"],
        venv=checks.check_path("gunicorn_venv", given["venv"]),
        python=given["python"],
        venv_rebuild=given["venv_rebuild"],
        binds=binds,
        environment=variables,
        config_directory=checks.check_path("gunicorn_config_directory", given["config_directory"]),
        data_directory=checks.check_path("gunicorn_data_directory", given["data_directory"]),
        log_files=_check_log_files(given["log_file"], given["access_log_file"]),
        sizing=sizing_options,
        release=read_release(given["release"], given["release_steps"]),
        companions=_read_companions(given),
        run_group=given["run_group"] and checks.check_name("gunicorn_run_group", given["run_group"]),
        serves=serves,
        protocols=spoken,
    )


def read_release(given: dict | None, steps: list) -> Release | None:
    """The release that must be live, or None for code in place, which has no steps; raises InvalidValue."""
    if not given:
        if steps:
            expected = "none without gunicorn_release: they are the steps of a release"
            raise InvalidValue("gunicorn_release_steps", steps, expected)
        return None
    checks.check_path("gunicorn_releases_directory", given["directory"])
    if given["public_static"]:
        checks.check_path("gunicorn_static_directory", given["public_static"])
    if given["static"] and not _RELATIVE.fullmatch(given["static"]):
        expected = "a directory in the release, as a relative path of letters, digits and _@+=,.- without '..'"
        raise InvalidValue("gunicorn_release_static", given["static"], expected)
    if not 1 <= given["kept"] <= checks.COUNT_MAX:
        expected = f"a whole number from 1 to {checks.COUNT_MAX}: the live release is one of them"
        raise InvalidValue("gunicorn_releases_kept", given["kept"], expected)
    return Release(**{name: given[name] for name in Release._fields})


def _read_companions(given: dict) -> tuple[Companion, ...]:
    found = tuple(companion.parse(given["companions"], given["log_file"]))
    if given["workers"] == checks.NO_WORKERS and not found:
        raise InvalidValue("gunicorn_workers", given["workers"], "1 or more, or gunicorn_companions: nothing would run")
    return found


def wanted_venv(given: dict) -> VenvSpec:
    """What gunicorn_venv will be asked for; raises InvalidValue if the requirements are neither a list nor a path."""
    lines, file = asked.check(given["requirements"])
    return VenvSpec(
        path=os.path.abspath(given["venv"]),
        python=given["python"],
        version=given["version"],
        requirements=lines,
        pip_extra_args=given["pip_extra_args"],
        upgrade=given["upgrade"],
        rebuild=given["venv_rebuild"],
        activate=False,
        settings=given["settings"],
        worker_class=given["worker_class"],
        installer=given["installer"],
        user=given["user"],
        group=given["group"],
        requirements_file=file,
        # Their values may be secret, and are not needed.
        environment=dict.fromkeys(given["pip_environment"], ""),
        service=given["service_name"],
        revision=given["revision"],
        standing=given["venv_standing"],
    )


def _check_accounts(user: str, group: str) -> tuple[str, str]:
    user, group = checks.check_name("gunicorn_user", user), checks.check_name("gunicorn_group", group)
    if user == "root":
        raise InvalidValue("gunicorn_user", user, "an unprivileged user: the application must not run as root")
    check_group(group, group)
    return user, group


def check_group(value: str, group: str) -> None:
    """Raise InvalidValue if the group that the value means is one of root's, or reads what is not the service's."""
    if group in accounts.POWERFUL | accounts.READERS:
        known_as = "" if value == group else f", which is {group},"
        raise InvalidValue("gunicorn_group", value, f"a group of the service's own: this one{known_as} has privileges")


def _read_binds(given: dict, user: str, group: str, ipv6: bool) -> list[Address]:
    if given["bind"]:
        return addresses.parse_binds(given["bind"], user, group)
    return addresses.default_binds(given["port"], ipv6)


def _read_sizing(given: dict) -> dict:
    return {
        **sizing.read_options(given["sizing"]),
        "worker_class": given["worker_class"],
        "threads": None if given["threads"] == "auto" else int(given["threads"]),
        "slice": given["service_directives"].get("Slice") or answer.DEFAULTS["slice"],
        "service_directives": given["service_directives"],
    }


def _check_secrets(unfit: list[str]) -> None:
    if unfit:
        expected = "names of letters, digits and underscores which systemd, Gunicorn and the role don't use"
        expected += ", and strings without NUL characters"
        raise InvalidValue("gunicorn_secrets", ", ".join(unfit), expected)


def _check_credentials(unfit: list[str]) -> None:
    if unfit:
        expected = "names of at most 240 letters, digits and _ - . @ + = , ~ that do not begin with a dot, and strings "
        raise InvalidValue("gunicorn_credentials", ", ".join(unfit), f"{expected}without NUL characters")


def _check_log_files(log_file: str, access_log_file: str | None) -> dict[str, str]:
    """The logs that are files: "-" sends a log to the journal, and there may be no access log."""
    named = {"gunicorn_log_file": log_file, "gunicorn_access_log_file": access_log_file or "-"}
    return {name: checks.check_path(name, path) for name, path in named.items() if path != "-"}
