# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The companions of a service, from gunicorn_companions: the other processes of its project, checked."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroups
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import unit_limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks, commands, environment
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

VARIABLE = "gunicorn_companions"
INSTANCES_MAX = 100
STOP_TIMEOUT = 300  # seconds
STOP_TIMEOUT_MAX = 604_800
CHECK_TIMEOUT = 60  # seconds
START_SECONDS = 5
JOURNAL = "-"  # in place of a log file, as for Gunicorn
# What the commands may name: which process this is, and which host
INSTANCE, HOSTNAME = "{instance}", "{hostname}"
# What a companion is told in its environment
NAME_IN_ENVIRONMENT, INSTANCE_IN_ENVIRONMENT = environment.COMPANION, environment.COMPANION_INSTANCE
# What else runs beside a service has these names.
RESERVED = ("standin", "step", "run")
# The program is found by PATH, and its log is opened, as the service's user.
TO_LOG = ("/bin/sh", "-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1')
_TO_JOURNAL = ("/bin/sh", "-c", 'exec "$@"')
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,29}[a-z0-9])?\Z")
_SIGNALS = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH")
_ELSEWHERE = "other directives: systemd ignores this one in [Service], put it into a drop-in of the unit"
_SHARED = "other directives: it shares this one with its service"
_ROLES = "other directives: this one is the role's own"
# Directives that would undo what a companion shares with its service, or what its options and their checks say
_NOT_ITS_OWN = {
    **dict.fromkeys(("User", "Group", "DynamicUser", "Sockets"), _SHARED),
    **dict.fromkeys(("WorkingDirectory", "RootDirectory", "RootImage"), _SHARED),
    **dict.fromkeys(("Type", "ExecReload", "RemainAfterExit", "PIDFile"), _ROLES),
    **dict.fromkeys(("StandardOutput", "StandardError"), "the option log_file instead"),
    "ExecStart": "the option command instead",
    "Environment": "the option environment instead",
    "KillSignal": "the option stop_signal instead",
    "TimeoutStopSec": "the option stop_timeout instead",
    "TimeoutSec": "the option stop_timeout instead",
    "MemoryMax": "the option memory_max instead, which the sizing counts",
    "CPUQuota": "the option cpu_quota instead",
    "OnCalendar": "the option calendar instead",
    "Persistent": "the option persistent instead",
    **dict.fromkeys(("RandomizedDelaySec", "FixedRandomDelay", "AccuracySec"), _ELSEWHERE),
    **dict.fromkeys(("OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec"), _ELSEWHERE),
    **dict.fromkeys(("After", "Before", "Wants", "Requires", "Requisite", "BindsTo", "PartOf"), _ELSEWHERE),
    **dict.fromkeys(("OnFailure", "OnSuccess", "ConditionPathExists", "WantedBy", "RequiredBy"), _ELSEWHERE),
}


class Companion(NamedTuple):
    """A process of the project that goes on beside its web workers, or a job that runs by the calendar."""

    name: str
    command: tuple[str, ...]
    instances: int = 1
    stop_signal: str = "TERM"
    stop_timeout: int = STOP_TIMEOUT  # seconds
    single: bool = False  # never two at a time
    calendar: str = ""  # OnCalendar= of a job
    persistent: bool = False
    memory_max: str = ""
    cpu_quota: str = ""
    directives: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    check: tuple[str, ...] = ()
    check_timeout: int = CHECK_TIMEOUT  # seconds
    start_seconds: int = START_SECONDS
    log_file: str = JOURNAL

    @property
    def is_job(self) -> bool:
        """Whether the calendar starts it."""
        return bool(self.calendar)

    @property
    def overlaps(self) -> bool:
        """Whether new processes start while the old ones finish."""
        return not (self.single or self.calendar)


def parse(value: object, log_file: str) -> list[Companion]:
    """The companions that a mapping says, by their names; raises InvalidValue. `log_file` is that of the service."""
    if not isinstance(value, Mapping):
        raise InvalidValue(VARIABLE, value, "a mapping of names to companions")
    return [_companion(name, item, log_file) for name, item in sorted(value.items(), key=lambda pair: str(pair[0]))]


def filled_in(command: tuple[str, ...], instance: str, hostname: str) -> list[str]:
    """A command with the values of its placeholders."""
    return [word.replace(INSTANCE, instance).replace(HOSTNAME, hostname) for word in command]


def environment_of(wanted: Companion, instance: str) -> dict[str, str]:
    """What a process of a companion has in its environment beside what the service has."""
    return {**wanted.environment, NAME_IN_ENVIRONMENT: wanted.name, INSTANCE_IN_ENVIRONMENT: instance}


def by_shell(wanted: Companion, words: list[str]) -> list[str]:
    """The command that becomes the words of a companion's command, and has them write to its log."""
    if wanted.log_file == JOURNAL:
        return [*_TO_JOURNAL, wanted.name, *words]
    return [*TO_LOG, wanted.name, wanted.log_file, *words]


def _companion(name: object, given: object, log_file: str) -> Companion:
    expected = "a name of up to 31 lower-case letters, digits, '_' and '-', a letter or digit first and last"
    if not isinstance(name, str) or not _NAME.match(name):
        raise InvalidValue(VARIABLE, name, expected)
    if name in RESERVED or name.startswith("added-") or name.endswith(tuple(f"-{word}" for word in RESERVED)):
        raise InvalidValue(
            VARIABLE, name, f"{expected}, which does not begin with added- or end as {', '.join(RESERVED)}"
        )
    variable = f"{VARIABLE}['{name}']"
    if not isinstance(given, Mapping):
        raise InvalidValue(variable, given, "a mapping that has a command")
    unknown = [key for key in given if key not in _READERS]
    if unknown:
        raise InvalidValue(f"{variable}[{unknown[0]!r}]", given[unknown[0]], f"one of {', '.join(_READERS)}")
    if given.get("command") in (None, "", []):
        raise InvalidValue(variable, dict(given), "a mapping that has a command")
    # None is what an empty value in YAML is.
    values = {key: _READERS[key](f"{variable}['{key}']", item) for key, item in given.items() if item is not None}
    if "log_file" not in values:
        values["log_file"] = _log_beside(log_file, name)
    companion = Companion(name=name, **values)
    _check_together(variable, companion, {key: given[key] for key in values if key in given})
    if log_file != JOURNAL and companion.log_file == log_file:
        raise InvalidValue(
            f"{variable}['log_file']", companion.log_file, "a file of its own: Gunicorn writes to this one"
        )
    return companion


def _check_together(variable: str, companion: Companion, given: Mapping[str, Any]) -> None:
    """Raise InvalidValue for what has no meaning together."""
    if companion.is_job:
        for name in ("instances", "single", "check", "check_timeout", "start_seconds"):
            if name in given:
                expected = "none beside calendar: systemd starts such a job by the calendar, and one at a time"
                raise InvalidValue(f"{variable}['{name}']", given[name], expected)
    elif companion.persistent:
        raise InvalidValue(f"{variable}['persistent']", True, "none without calendar")
    elif "check_timeout" in given and not companion.check:
        raise InvalidValue(f"{variable}['check_timeout']", given["check_timeout"], "none without check")
    if companion.single and companion.instances > 1:
        raise InvalidValue(f"{variable}['instances']", companion.instances, "1: it is single")


def _log_beside(log_file: str, name: str) -> str:
    return JOURNAL if log_file == JOURNAL else os.path.join(os.path.dirname(log_file), f"{name}.log")


# How the value of each option is read


def _whole_number(smallest: int, largest: int, unit: str = "") -> Callable[[str, object], int]:
    return lambda variable, value: checks.check_whole_number(variable, value, smallest, largest, unit)


def _signal(variable: str, value: object) -> str:
    name = value[len("SIG") :] if isinstance(value, str) and value.startswith("SIG") else value
    if name not in _SIGNALS:
        raise InvalidValue(variable, value, f"a signal that can be obeyed: one of {', '.join(_SIGNALS)}")
    return str(name)


def _single(variable: str, value: object) -> bool:
    """The role makes true of this host's name, and leaves out what names another one."""
    if not isinstance(value, bool):
        raise InvalidValue(variable, value, "true, false or the name of a host in the inventory")
    return value


def _calendar(variable: str, value: object) -> str:
    expected = "a time as systemd.time(7) writes it for OnCalendar=, such as hourly, '*-*-* 03:30' or 'Mon 06:00'"
    if not isinstance(value, str) or not re.fullmatch(r" *[A-Za-z0-9*][A-Za-z0-9*:/.,~ _+-]*", value):
        raise InvalidValue(variable, value, expected)
    return value.strip()


def _limit(directive: str) -> Callable[[str, object], str]:
    def read(variable: str, value: object) -> str:
        text = str(value).strip() if isinstance(value, (str, int)) else ""
        try:
            # Without a text, there would be no limit: a boolean is none in any case.
            unit_limits.check_limits(variable, {directive: text or False})
        except InvalidValue as error:
            raise InvalidValue(variable, value, error.expected) from None
        return text

    return read


def _directives(variable: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidValue(variable, value, "a mapping of directives of systemd to values")
    for name, expected in _NOT_ITS_OWN.items():
        if name in value:
            raise InvalidValue(f"{variable}['{name}']", value[name], expected)
    unit_limits.check_limits(variable, dict(value))
    if value.get("Slice"):
        cgroups.check_slice(value["Slice"], f"{variable}['Slice']")
    try:
        quoting.directives(dict(value))
    except ValueError as error:
        raise InvalidValue(variable, dict(value), f"names and values of systemd ({error})") from None
    return dict(value)


def _environment(variable: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise InvalidValue(variable, value, "a mapping of names to values")
    return environment.check_environment(variable, dict(value))


def _log_file(variable: str, value: object) -> str:
    return JOURNAL if value == JOURNAL else checks.check_path(variable, value)


_READERS: dict[str, Callable[[str, object], Any]] = {
    "command": commands.check_command,
    "instances": _whole_number(1, INSTANCES_MAX),
    "stop_signal": _signal,
    "stop_timeout": _whole_number(1, STOP_TIMEOUT_MAX, "seconds, "),
    "single": _single,
    "calendar": _calendar,
    "persistent": checks.check_flag,
    "memory_max": _limit("MemoryMax"),
    "cpu_quota": _limit("CPUQuota"),
    "directives": _directives,
    "environment": _environment,
    "check": commands.check_command,
    "check_timeout": _whole_number(1, checks.SECONDS_MAX, "seconds, "),
    "start_seconds": _whole_number(1, checks.SECONDS_MAX, "seconds, "),
    "log_file": _log_file,
}
