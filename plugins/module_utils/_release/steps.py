# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a release, from gunicorn_release_steps: checked, with their defaults, and which of them are pending."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks, commands, environment
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

VARIABLE = "gunicorn_release_steps"
# The phases, in their order: into the release, before the switch, after the switch
BUILD, MIGRATE, AFTER = PHASES = ("build", "migrate", "after")
TIMEOUT = 600  # seconds
TIMEOUT_MAX = 86400
# What a step runs with, beside the service's environment
NAME_IN_ENVIRONMENT = environment.STEP
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}\Z")
# Parts of a directory in a release; * stands for any part of a name, and ** for any directories.
_PARTS = re.compile(r"[A-Za-z0-9_@+=,.*-]+(/[A-Za-z0-9_@+=,.*-]+)*\Z")
_DJANGO = ("python", "-m", "django")


class Step(NamedTuple):
    """One step of a release."""

    name: str
    command: tuple[str, ...]
    when: str = MIGRATE
    timeout: int = TIMEOUT
    once: bool = False
    writes: tuple[str, ...] = ()
    repeat: bool = False
    reversible: bool = True
    on_roll_back: bool = False
    environment: Mapping[str, str] = {}

    @property
    def hash(self) -> str:
        """A hash over what the step does. Its time-out, and how often it is done, are no part of that."""
        return _hash([self.command, self.when, self.writes, sorted(self.environment.items())])[:16]

    def as_dict(self) -> dict[str, Any]:
        """The step as plain values, for a note or a result."""
        lists = {name: list(getattr(self, name)) for name in ("command", "writes")}
        return {**self._asdict(), **lists, "environment": dict(self.environment)}


def from_dict(values: Mapping[str, Any]) -> Step:
    """The step that `as_dict` made plain; other names in the mapping are not read."""
    known = {name: values[name] for name in Step._fields if name in values}
    return Step(**{**known, "command": tuple(known["command"]), "writes": tuple(known.get("writes", ()))})


def parse(value: Iterable[Any], static: str) -> list[Step]:
    """The steps that a list of words and mappings says; raises InvalidValue.

    `static` is the directory of the static files in a release, which collectstatic writes.
    """
    words = _words(static)
    steps: list[Step] = []
    for number, item in enumerate(value):
        variable = f"{VARIABLE}[{number}]"
        if isinstance(item, str) and item in words:
            step = words[item]
        elif isinstance(item, Mapping):
            step = _from_mapping(variable, item)
        else:
            raise InvalidValue(variable, item, f"one of {', '.join(words)}, or a mapping with a name and a command")
        if step.name in (other.name for other in steps):
            raise InvalidValue(variable, step.name, "a name that no other step has")
        steps.append(step)
    return steps


def build_hash(steps: Iterable[Step]) -> str:
    """A hash over the steps that write into a release, so that they are a part of what it is; empty for none."""
    built = [[step.name, step.hash] for step in steps if step.when == BUILD and step.writes]
    return _hash(built) if built else ""


def pending(steps: Iterable[Step], done: Mapping[str, Mapping[str, Any]], switching: bool = True) -> list[Step]:
    """The steps that are left, in the order of the phases; `done` is what a release's note has of its steps.

    `switching` says whether the release is to go live, or the service is replaced: only then is a step repeated.
    """
    left = [
        step
        for step in steps
        if (switching and step.repeat) or done.get(step.name, {}).get("hash") != step.hash
    ]  # fmt: skip
    return sorted(left, key=lambda step: PHASES.index(step.when))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _words(static: str) -> dict[str, Step]:
    """What projects with Django need, by a word."""
    return {
        # Its warnings end it with 0.
        "check": Step("check", (*_DJANGO, "check", "--deploy"), BUILD),
        "collectstatic": Step("collectstatic", (*_DJANGO, "collectstatic", "--noinput"), BUILD, writes=(static,)),
        "compilemessages": Step("compilemessages", (*_DJANGO, "compilemessages"), BUILD, writes=("**/locale",)),
        "migrate": Step("migrate", (*_DJANGO, "migrate", "--noinput"), MIGRATE, once=True),
    }


def _from_mapping(variable: str, given: Mapping[str, Any]) -> Step:
    unknown = [name for name in given if name not in Step._fields]
    if unknown:
        raise InvalidValue(f"{variable}[{unknown[0]!r}]", given[unknown[0]], f"one of {', '.join(Step._fields)}")
    missing = [name for name in ("name", "command") if given.get(name) in (None, "", [])]
    if missing:
        raise InvalidValue(variable, dict(given), f"a mapping that has a {missing[0]}")
    when = given.get("when", MIGRATE)
    if when not in PHASES:
        raise InvalidValue(f"{variable}['when']", when, f"one of {', '.join(PHASES)}")
    step = Step(
        name=_name(f"{variable}['name']", given["name"]),
        command=commands.check_command(f"{variable}['command']", given["command"]),
        when=when,
        timeout=checks.check_whole_number(
            f"{variable}['timeout']", given.get("timeout", TIMEOUT), 1, TIMEOUT_MAX, "seconds, "
        ),
        writes=_writes(f"{variable}['writes']", given.get("writes", []), when),
        environment=_environment(f"{variable}['environment']", given.get("environment", {})),
        once=_flag(variable, given, "once", when == MIGRATE),
        **{name: _flag(variable, given, name, name == "reversible") for name in _FLAGS},
    )
    for name, phases in _FITTING.items():
        if getattr(step, name) and when not in phases:
            text = f"false for a step of {when}: it is for {' and '.join(phases)}"
            raise InvalidValue(f"{variable}[{name!r}]", True, text)
    return step


_FLAGS = ("repeat", "reversible", "on_roll_back")
# A release is built on each host, and never changed then. Only what follows a switch can follow one that goes back.
_FITTING = {"once": (MIGRATE, AFTER), "repeat": (MIGRATE, AFTER), "on_roll_back": (AFTER,)}


def _flag(variable: str, given: Mapping[str, Any], name: str, default: bool) -> bool:
    return checks.check_flag(f"{variable}[{name!r}]", given.get(name, default))


def _name(variable: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        expected = "up to 31 lower-case letters, digits, '_' and '-', a letter or digit first"
        raise InvalidValue(variable, value, expected)
    return value


def _writes(variable: str, value: object, when: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidValue(variable, value, "a list of directories")
    if when != BUILD:
        return tuple(checks.check_path(variable, path) for path in value)
    for path in value:
        if not isinstance(path, str) or not _PARTS.match(path) or {".", ".."} & set(path.split("/")):
            expected = (
                "directories in the release, relative to it: of letters, digits and _@+=,.-*, without '.' and '..'"
            )
            raise InvalidValue(variable, path, expected)
    # What is in another one of them is written with that one.
    return tuple(path for path in dict.fromkeys(value) if not any(path.startswith(f"{one}/") for one in value))


def _environment(variable: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise InvalidValue(variable, value, "a mapping of names to values")
    return environment.check_environment(variable, dict(value))
