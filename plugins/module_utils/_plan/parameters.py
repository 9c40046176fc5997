# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the values that a deployment is given, one by one and against each other."""

from __future__ import annotations

import math
import os
import re
from typing import NamedTuple

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroups
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import settings
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer, demand, unit_limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses, checks, worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import install, requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec

WORKERS_MAX = 1000
# Directives that would undo what other variables and their checks say.
ROLES_OWN = frozenset(
    [
        "User",
        "Group",
        "Type",
        "NotifyAccess",
        "ExecStart",
        "ExecReload",
        "RuntimeDirectory",
        "RuntimeDirectoryPreserve",
        "Sockets",
    ]
)
# As PEP 440 has them: what pip's parser refuses would count as met in a venv that has a Gunicorn already.
_SUFFIX = r"((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?"
_RELEASE = r"[0-9]+(\.[0-9]+)*" + _SUFFIX
_SPECIFIER = (
    rf"((<=|>=|<|>|===) *{_RELEASE}|(==|!=) *({_RELEASE}|[0-9]+(\.[0-9]+)*\.\*)|~= *[0-9]+(\.[0-9]+)+{_SUFFIX})"
)
_VERSION = re.compile(rf"(newest|{_RELEASE}|{_SPECIFIER}( *, *{_SPECIFIER})*)\Z")
_BOUND = re.compile(r"\s*(===|==|~=|<=|<|)\s*([0-9]+(?:\.[0-9]+)*)")
_SIZING_NUMBERS = {"wait_ratio": float, "share": float, "cpus": float, "minimum": int, "maximum": int}
_COUNT = re.compile(r"[1-9][0-9]{0,3}\Z")


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


def check_parameters(given: dict, ipv6: bool) -> DeploymentParameters:
    """Check every parameter that needs more than a type; raises InvalidValue for the first that can't be used."""
    # First, since by default the other names are made of it.
    project = checks.check_project("gunicorn_project", given["project"])
    user = checks.check_name("gunicorn_user", given["user"])
    group = checks.check_name("gunicorn_group", given["group"])
    if user == "root":
        raise InvalidValue("gunicorn_user", user, "an unprivileged user: the application must not run as root")
    binds = (
        addresses.parse_binds(given["bind"], user, group)
        if given["bind"]
        else addresses.default_binds(given["port"], ipv6)
    )
    checks.check_app("gunicorn_app", given["app"])
    worker_classes.check_worker_class("gunicorn_worker_class", given["worker_class"])
    _check_count("gunicorn_workers", given["workers"])
    _check_count("gunicorn_threads", given["threads"])
    _check_version(given["version"])
    checks.check_url_path("gunicorn_health_path", given["health_path"])
    checks.check_host("gunicorn_health_host", given["health_host"])
    for status in given["health_statuses"]:
        checks.check_status("gunicorn_health_statuses", status)
    for argument in given["pip_extra_args"]:
        checks.check_pip_argument("gunicorn_pip_extra_args", argument)
    checks.check_environment_names("gunicorn_pip_environment", given["pip_environment"])
    checks.check_text("gunicorn_description", given["description"])
    checks.check_path("gunicorn_code_directory", given["code_directory"])
    _check_directives(given["service_directives"])
    sizing = sizing_options(given["sizing"])
    settings.check_settings(given["settings"])
    _check_secrets(given["unfit_secrets"])
    if given["installer"] == "uv":
        install.find_uv()
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
        environment=checks.check_environment("gunicorn_environment", given["environment"]),
        config_directory=checks.check_path("gunicorn_config_directory", given["config_directory"]),
        data_directory=checks.check_path("gunicorn_data_directory", given["data_directory"]),
        log_files=_check_log_files(given["log_file"], given["access_log_file"]),
        sizing={
            **sizing,
            "worker_class": given["worker_class"],
            "threads": None if given["threads"] == "auto" else int(given["threads"]),
            "slice": given["service_directives"].get("Slice") or answer.DEFAULTS["slice"],
            "service_directives": given["service_directives"],
        },
    )


def _check_secrets(unfit: list[str]) -> None:
    if unfit:
        expected = "names of letters, digits and underscores which systemd, Gunicorn and the role don't use"
        expected += ", and strings without NUL characters"
        raise InvalidValue("gunicorn_secrets, gunicorn_credentials", ", ".join(unfit), expected)


def _check_count(variable: str, value: str) -> None:
    if value != "auto" and not (_COUNT.match(value) and int(value) <= WORKERS_MAX):
        raise InvalidValue(variable, value, f"auto or a whole number from 1 to {WORKERS_MAX}")


def _check_version(value: str) -> None:
    if not _VERSION.match(value):
        raise InvalidValue("gunicorn_version", value, "newest, a version (27.0.1) or specifiers (>=25.3,<28)")
    if any(_is_too_old(bound) for bound in value.split(",")):
        raise InvalidValue(
            "gunicorn_version", value, f"{requirements.FLOOR} or newer: older ones let requests be smuggled"
        )


def _is_too_old(bound: str) -> bool:
    """Whether a version, or one specifier of several, leaves none but versions below the floor."""
    floor = int(requirements.FLOOR.partition(".")[0])
    found = _BOUND.match(bound)
    if not found:
        return False
    first, *others = (int(number) for number in found[2].split("."))
    return first < floor or (found[1] == "<" and first == floor and not any(others))


def _check_directives(directives: dict) -> None:
    for name in ROLES_OWN.intersection(directives):
        expected = "other directives: this one is made of the role's variables"
        raise InvalidValue(f"gunicorn_service_directives['{name}']", directives[name], expected)
    unit_limits.check_limits("gunicorn_service_directives", directives)
    if directives.get("Slice"):
        cgroups.check_slice(directives["Slice"], "gunicorn_service_directives['Slice']")
    try:
        quoting.directives(directives)
    except ValueError as error:
        raise InvalidValue(
            "gunicorn_service_directives", directives, f"names and values of systemd ({error})"
        ) from None


def sizing_options(given: dict) -> dict:
    """The options of gunicorn_sizing_info, checked where the message can still name the role's variable."""
    options = dict(answer.DEFAULTS)
    for name, value in given.items():
        if value is not None:
            options[name] = _sizing_value(name, value)
    try:
        demand.read_demand(options)
        demand.read_resources(options)
    except InvalidValue as error:
        raise InvalidValue(f"gunicorn_sizing['{error.variable}']", error.value, error.expected) from None
    return options


def _sizing_value(name: str, value: object) -> object:
    if name in _SIZING_NUMBERS:
        return _number(name, value)
    if name != "thread_safe":
        return str(value)
    try:
        return boolean(value)
    except TypeError:
        raise InvalidValue("gunicorn_sizing['thread_safe']", value, "true or false") from None


def _number(name: str, value: object) -> float:
    try:
        number = _SIZING_NUMBERS[name](str(value))
    except ValueError:
        number = math.nan
    if math.isnan(number):
        expected = "a whole number" if _SIZING_NUMBERS[name] is int else "a number"
        raise InvalidValue(f"gunicorn_sizing['{name}']", value, expected)
    return number


def _check_log_files(log_file: str, access_log_file: str | None) -> dict[str, str]:
    """The log files that are files: "-" sends a log to the journal, and an access log may be off."""
    named = {"gunicorn_log_file": log_file, "gunicorn_access_log_file": access_log_file or "-"}
    return {name: checks.check_path(name, path) for name, path in named.items() if path != "-"}


def wanted_venv(given: dict) -> VenvSpec:
    """What gunicorn_venv will be asked for; raises InvalidValue where the requirements can't be read."""
    return VenvSpec(
        path=os.path.abspath(given["venv"]),
        python=given["python"],
        version=given["version"],
        requirements=requirements.read_requirements(given["requirements"]),
        pip_extra_args=given["pip_extra_args"],
        upgrade=given["upgrade"],
        rebuild=given["venv_rebuild"],
        activate=False,
        settings=given["settings"],
        worker_class=given["worker_class"],
        installer=given["installer"],
    )
