# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deployment will find and need on its host, worked out before anything is changed.

Source of the layout: the book "Deploying Django on a single Debian or Ubuntu server".
"""

from __future__ import annotations

import errno
import glob
import math
import os
import re
import shutil
import socket
from typing import Callable, NamedTuple

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.pyweb.gunicorn.plugins.module_utils import (
    _binds,
    _files,
    _hostfacts,
    _hoststate,
    _limits,
    _manager,
    _observation,
    _quoting,
    _secret_files,
    _settings,
    _sizing,
    _sizing_info,
    _supervisor,
    _switch,
    _validation,
    _venv,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

WORKERS_MAX = 1000
# Directives that would undo what other variables and their checks say.
_ROLES_OWN = frozenset(
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
_DEBIAN_PYTHON = re.compile(r"(python|pypy)3(\.[0-9]+)?\Z")
_SIZING_NUMBERS = {"wait_ratio": float, "share": float, "cpus": float, "minimum": int, "maximum": int}
_COUNT = re.compile(r"[1-9][0-9]{0,3}\Z")


class Wanted(NamedTuple):
    """A deployment's parameters after their checks."""

    project: str
    service: str
    user: str
    group: str
    manage_user: bool
    venv: str
    python: str
    venv_rebuild: bool
    binds: list[_binds.Bind]
    environment: dict[str, str]
    config_directory: str
    data_directory: str
    log_files: dict[str, str]
    sizing: dict  # the options of gunicorn_sizing_info


def check_parameters(given: dict, ipv6: bool) -> Wanted:
    """Check every parameter that needs more than a type; raises InvalidValue for the first that can't be used."""
    # First, since by default the other names are made of it.
    project = _validation.check_project("gunicorn_project", given["project"])
    user = _validation.check_name("gunicorn_user", given["user"])
    group = _validation.check_name("gunicorn_group", given["group"])
    if user == "root":
        raise InvalidValue("gunicorn_user", user, "an unprivileged user: the application must not run as root")
    binds = (
        _binds.parse_binds(given["bind"], user, group) if given["bind"] else _binds.default_binds(given["port"], ipv6)
    )
    _validation.check_app("gunicorn_app", given["app"])
    _sizing.check_worker_class("gunicorn_worker_class", given["worker_class"])
    _check_count("gunicorn_workers", given["workers"])
    _check_count("gunicorn_threads", given["threads"])
    _check_version(given["version"])
    _validation.check_url_path("gunicorn_health_path", given["health_path"])
    _validation.check_host("gunicorn_health_host", given["health_host"])
    for status in given["health_statuses"]:
        _validation.check_status("gunicorn_health_statuses", status)
    for argument in given["pip_extra_args"]:
        _validation.check_pip_argument("gunicorn_pip_extra_args", argument)
    _validation.check_environment_names("gunicorn_pip_environment", given["pip_environment"])
    _validation.check_text("gunicorn_description", given["description"])
    _validation.check_path("gunicorn_code_directory", given["code_directory"])
    _check_directives(given["service_directives"])
    sizing = sizing_options(given["sizing"])
    _settings.check_settings(given["settings"])
    _check_secrets(given["unfit_secrets"])
    if given["installer"] == "uv":
        _venv.find_uv()
    return Wanted(
        project=project,
        service=_validation.check_service_name("gunicorn_service_name", given["service_name"]),
        user=user,
        group=group,
        manage_user=given["manage_user"],
        venv=_validation.check_path("gunicorn_venv", given["venv"]),
        python=given["python"],
        venv_rebuild=given["venv_rebuild"],
        binds=binds,
        environment=_validation.check_environment("gunicorn_environment", given["environment"]),
        config_directory=_validation.check_path("gunicorn_config_directory", given["config_directory"]),
        data_directory=_validation.check_path("gunicorn_data_directory", given["data_directory"]),
        log_files=_check_log_files(given["log_file"], given["access_log_file"]),
        sizing={
            **sizing,
            "worker_class": given["worker_class"],
            "threads": None if given["threads"] == "auto" else int(given["threads"]),
            "slice": given["service_directives"].get("Slice") or _sizing_info.DEFAULTS["slice"],
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
        raise InvalidValue("gunicorn_version", value, f"{_venv.FLOOR} or newer: older ones let requests be smuggled")


def _is_too_old(bound: str) -> bool:
    """Whether a version, or one specifier of several, leaves none but versions below the floor."""
    floor = int(_venv.FLOOR.partition(".")[0])
    found = _BOUND.match(bound)
    if not found:
        return False
    first, *others = (int(number) for number in found[2].split("."))
    return first < floor or (found[1] == "<" and first == floor and not any(others))


def _check_directives(directives: dict) -> None:
    for name in _ROLES_OWN.intersection(directives):
        expected = "other directives: this one is made of the role's variables"
        raise InvalidValue(f"gunicorn_service_directives['{name}']", directives[name], expected)
    _limits.check_limits("gunicorn_service_directives", directives)
    if directives.get("Slice"):
        _hostfacts.check_slice(directives["Slice"], "gunicorn_service_directives['Slice']")
    try:
        _quoting.directives(directives)
    except ValueError as error:
        raise InvalidValue(
            "gunicorn_service_directives", directives, f"names and values of systemd ({error})"
        ) from None


def sizing_options(given: dict) -> dict:
    """The options of gunicorn_sizing_info, checked where the message can still name the role's variable."""
    options = dict(_sizing_info.DEFAULTS)
    for name, value in given.items():
        if value is not None:
            options[name] = _sizing_value(name, value)
    try:
        _sizing.read_demand(options)
        _sizing.read_resources(options)
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
    return {name: _validation.check_path(name, path) for name, path in named.items() if path != "-"}


def wanted_venv(given: dict) -> _venv.Wanted:
    """What gunicorn_venv will be asked for; raises InvalidValue where the requirements can't be read."""
    return _venv.Wanted(
        path=os.path.abspath(given["venv"]),
        python=given["python"],
        version=given["version"],
        requirements=_venv.read_requirements(given["requirements"]),
        pip_extra_args=given["pip_extra_args"],
        upgrade=given["upgrade"],
        rebuild=given["venv_rebuild"],
        activate=False,
        settings=given["settings"],
        worker_class=given["worker_class"],
        installer=given["installer"],
    )


def make_plan(wanted: Wanted, run: Callable[[list[str]], str], manager: str = _manager.SYSTEMD) -> dict:
    """Read the host and say what is there and what is missing; raises InvalidValue where the two can't meet."""
    service, sockets = _read_service(wanted.service, run, manager)
    _check_parent("gunicorn_venv", wanted.venv)
    has_venv = _venv.stays(wanted.venv, wanted.python, wanted.venv_rebuild)
    account = _check_accounts(wanted)
    _check_addresses(wanted.service, wanted.binds, service, sockets)
    directories = wanted_directories(wanted, account, service.active)
    return {
        "manager": manager,
        "binds": [bind.gunicorn_bind for bind in wanted.binds],
        "socket_directives": socket_directives(wanted.binds),
        "environment": wanted.environment,
        "packages": _missing_packages(wanted, has_venv, manager),
        "create_user": account is None,
        "create_group": not _hoststate.has_group(wanted.group),
        "directories": directories + (_console_directory(wanted) if manager == _manager.SUPERVISOR else []),
    }


def observe(
    wanted: Wanted, secrets: str, credentials: str, run: Callable[[list[str]], str]
) -> _observation.Observation:
    """Read what the host has and runs of the service; raises NotOurs."""
    secret_files, secrets_hash = _secret_files.secret_files(secrets, credentials, wanted.config_directory)
    files = _observation.paths(wanted.service, wanted.config_directory)
    found = _observation.read(wanted.service, files, wanted.binds, wanted.venv, wanted.group, run)
    return _observation.without_secrets(found, secret_files, secrets_hash)


def lacking(plan: dict, venv: dict) -> list[str]:
    """What the host lacks of a plan, and whether its virtual environment is to be changed, in a few words each."""
    return [
        *(f"the package {name}" for name in plan["packages"]),
        *(["the group"] if plan["create_group"] else []),
        *(["the user"] if plan["create_user"] else []),
        *(f"the directory {directory['path']}" for directory in plan["directories"]),
        *(["what shall be in the virtual environment"] if venv["changed"] else []),
    ]


def socket_directives(binds: list[_binds.Bind]) -> dict:
    """Directives of the socket unit that depend on the addresses, see systemd.socket(5)."""
    wanted: dict = {"ListenStream": [bind.listen_stream for bind in binds]}
    families = {bind.family for bind in binds}
    if {socket.AF_INET, socket.AF_INET6} <= families:
        # else [::]:8000 takes the IPv4 port too, and 0.0.0.0:8000 next to it is "in use"
        wanted["BindIPv6Only"] = "ipv6-only"
    for bind in binds:
        if bind.family == socket.AF_UNIX:
            wanted.update(SocketUser=bind.owner, SocketGroup=bind.group, SocketMode=bind.mode)
    return wanted


def _read_service(name: str, run: Callable[[list[str]], str], manager: str) -> tuple[_hoststate.Unit, _hoststate.Unit]:
    """The service that is there, and its sockets; raises InvalidValue where the name is another's."""
    if manager == _manager.SUPERVISOR:
        return _manager.read_supervised(name)
    service, sockets = _hoststate.read_units([f"{name}.service", f"{name}.socket"], run).values()
    _check_unit(name, ".service", service)
    _check_unit(name, ".socket", sockets)
    _check_drop_ins(name)
    return service, sockets


def _check_unit(name: str, suffix: str, unit: _hoststate.Unit) -> None:
    if unit.masked:
        raise InvalidValue(
            "gunicorn_service_name", name, f"a unit that is not masked (systemctl unmask {name}{suffix})"
        )
    ours = os.path.join(_hoststate.UNIT_DIRECTORY, name + suffix)
    if unit.exists and unit.path != ours and not _switch.is_ours(_files.read(unit.path)):
        source = unit.path or "generated"
        raise InvalidValue(
            "gunicorn_service_name", name, f"a name which no other unit of the host has (it is {source})"
        )


def _check_drop_ins(name: str) -> None:
    """The role can't take a service over whose drop-ins go on to say how it is started."""
    unit = os.path.join(_hoststate.UNIT_DIRECTORY, f"{name}.service")
    text = _files.read(unit)
    if text is None or _switch.is_ours(text):
        return
    for path in sorted(glob.glob(os.path.join(glob.escape(f"{unit}.d"), "*.conf"))):
        for directive in re.findall(r"^[ \t]*(\w+)[ \t]*=", _files.read(path) or "", re.MULTILINE):
            if directive in _ROLES_OWN:
                expected = f"no {directive}= in its drop-ins ({path}): the role's variables say that"
                raise InvalidValue("gunicorn_service_name", name, expected)


def _check_accounts(wanted: Wanted) -> _hoststate.Account | None:
    account = _hoststate.read_account(wanted.user)
    if account is not None and account.uid == 0:
        raise InvalidValue("gunicorn_user", wanted.user, "an unprivileged user: this one has uid 0")
    if account is not None and account.uid < 100 and wanted.user == wanted.project:
        expected = "another user (gunicorn_user): the distribution has one of this name for itself"
        raise InvalidValue("gunicorn_project", wanted.project, expected)
    for name in sorted({bind.group for bind in wanted.binds if bind.group} - {wanted.group}):
        if not _hoststate.has_group(name):
            raise InvalidValue("gunicorn_bind", name, "a group of the host for the unix socket")
    for name in sorted({bind.owner for bind in wanted.binds if bind.owner} - {wanted.user}):
        if _hoststate.read_account(name) is None:
            raise InvalidValue("gunicorn_bind", name, "a user of the host for the unix socket")
    if not wanted.manage_user:
        if account is None:
            raise InvalidValue("gunicorn_user", wanted.user, "an existing user, as gunicorn_manage_user is false")
        if not _hoststate.has_group(wanted.group):
            raise InvalidValue("gunicorn_group", wanted.group, "an existing group, as gunicorn_manage_user is false")
    return account


def _check_addresses(name: str, binds: list[_binds.Bind], service: _hoststate.Unit, sockets: _hoststate.Unit) -> None:
    """Find out now what would else end the start: an address that the host lacks, or that another process holds."""
    ours = sockets.listen if sockets.active else ()
    ports = {address.rpartition(":")[2] for address in ours}
    held: set = set()
    if service.active and not sockets.active:
        # The host would read and compile all of that in vain at each run.
        from ansible_collections.pyweb.gunicorn.plugins.module_utils import _adoption

        # A service that was made by hand and holds its addresses itself hands them over, or gives them up when it goes.
        held = {one.bind.port or one.bind.path for one in _adoption.read_held(f"{name}.service", service.main_pid)}
    for bind in binds:
        if bind.listen_stream in ours:
            continue
        if bind.path is not None:
            _check_unix(bind.path, bind.path in held)
            continue
        error = _hoststate.bind_error(bind.family, bind.host or "", bind.port or 0)
        # Our own socket, open with another address of the same port, stays open for as long as somebody is served.
        if error == errno.EADDRINUSE and bind.port not in held:
            expected = "a port that no other process listens on"
            if str(bind.port) in ports:
                supervised = sockets.path.startswith(_supervisor.PROGRAMS)
                stop = f"supervisorctl stop {name}" if supervised else f"systemctl stop {name}.socket"
                expected += f", or first {stop}, which is open on {', '.join(ours)}"
            raise InvalidValue(_binds.VARIABLE, bind.listen_stream, expected)
        if error in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise InvalidValue(_binds.VARIABLE, bind.listen_stream, "an address of this host")


def _check_unix(path: str, yields: bool) -> None:
    _check_parent(_binds.VARIABLE, path)
    error = _hoststate.unix_error(path)
    if error == errno.EEXIST:
        raise InvalidValue(_binds.VARIABLE, path, "a path for a unix socket at which nothing else is")
    if error == errno.EADDRINUSE and not yields:
        raise InvalidValue(_binds.VARIABLE, path, "a unix socket that no other process listens on")


def _missing_packages(wanted: Wanted, has_venv: bool, manager: str) -> list[str]:
    """Debian packages that the deployment needs and the host lacks."""
    missing = [] if has_venv else _missing_venv_package(wanted.python)
    if manager == _manager.SUPERVISOR and not os.path.exists(_supervisor.PROGRAM):
        missing.append("supervisor")
    if wanted.log_files and not os.path.exists("/usr/sbin/logrotate"):
        missing.append("logrotate")
    return missing


def _missing_venv_package(python: str) -> list[str]:
    """Debian parts venv and ensurepip from the interpreter: pythonX.Y-venv holds them."""
    interpreter = os.path.realpath(shutil.which(python) or "")
    version = os.path.basename(interpreter)
    if os.path.isdir(interpreter) or (interpreter.startswith("/usr/bin/") and not _DEBIAN_PYTHON.match(version)):
        raise InvalidValue("gunicorn_python", python, "a Python 3 interpreter of the host, by its name or path")
    if not interpreter.startswith("/usr/bin/"):
        return []  # not Debian's: it has its own venv
    return [] if os.path.isdir(f"/usr/lib/{version}/ensurepip") else [f"{version}-venv"]


def wanted_directories(wanted: Wanted, account: _hoststate.Account | None, live: bool = False) -> list[dict]:
    """Directories to make, or to hand over to the service's user; those that serve already are left alone."""
    result: list[dict] = []
    for path, (variable, value, owner) in _needed_directories(wanted).items():
        directory = {"path": path, "owner": owner, "group": wanted.group, "mode": "0750"}
        _check_parent(variable, value)
        if not os.path.exists(path):
            result += [parent for parent in _missing_parents(path) if parent not in result]
            result.append(directory)
            continue
        status = os.stat(path)
        writable = account is not None and _hoststate.writable_by(status, account)
        if owner == "root" and writable:
            # Root runs and moves what stands there.
            raise InvalidValue(variable, value, f"a directory in which the user {wanted.user} may not write")
        if owner != "root" and not writable:
            if live and status.st_uid:
                # It would be taken from a service that runs, before it is known whether the new one does.
                raise InvalidValue("gunicorn_user", wanted.user, f"a user who may write in {path} (use chown yourself)")
            result.append(_handed_over(variable, value, directory, status, wanted))
    return result


def _console_directory(wanted: Wanted) -> list[dict]:
    """For what supervisor logs of the service: it opens the file as root, and lets everybody read it."""
    path = os.path.join(_supervisor.LOGS, wanted.service)
    directory = {"path": path, "owner": "root", "group": wanted.group, "mode": "0750"}
    return [] if os.path.isdir(path) else [*_missing_parents(path), directory]


def _needed_directories(wanted: Wanted) -> dict[str, tuple[str, str, str]]:
    """Each directory once, in the order in which they are made: the variable that wants it, its value, the owner."""
    needed = {
        wanted.config_directory: ("gunicorn_config_directory", wanted.config_directory, "root"),
        wanted.data_directory: ("gunicorn_data_directory", wanted.data_directory, wanted.user),
    }
    for variable, path in sorted(wanted.log_files.items(), key=lambda item: item[1]):
        needed.setdefault(os.path.dirname(path), (variable, path, wanted.user))
    for path, (variable, value, _owner) in needed.items():
        if os.path.exists(path) and not os.path.isdir(path):
            raise InvalidValue(variable, value, f"a path in a directory: {path} is none")
    for variable, path in wanted.log_files.items():
        if os.path.isdir(path):
            raise InvalidValue(variable, path, "the path of a file: this is a directory")
    return needed


def _check_parent(variable: str, path: str) -> None:
    """Raise InvalidValue where the innermost that is there of a path's parents is no directory."""
    parent = os.path.dirname(path)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent):
        raise InvalidValue(variable, path, f"a path in a directory: {parent} is none")


def _missing_parents(path: str) -> list[dict]:
    """Root's, as those of a package would be: the file module would hand them to the owner of the innermost."""
    parents = []
    while not os.path.lexists(path := os.path.dirname(path)):
        parents.insert(0, {"path": path, "owner": "root", "group": "root", "mode": "0755"})
    return parents


def _handed_over(variable: str, value: str, directory: dict, status: os.stat_result, wanted: Wanted) -> dict:
    """An existing directory changes hands only if it bears the project's name: /var/log itself must not."""
    if os.path.basename(directory["path"]) not in (wanted.project, wanted.service):
        expected = f"a directory in which the user {wanted.user} may write"
        raise InvalidValue(variable, value, expected)
    return {**directory, "mode": f"{status.st_mode & 0o7777:04o}"}
