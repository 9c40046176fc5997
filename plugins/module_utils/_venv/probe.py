# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a virtual environment about itself: its own interpreter runs this file's source, with a request on stdin.

Only the installed Gunicorn knows which settings it has and what they may hold, so its own classes are asked.
"""

from __future__ import annotations

import json
import operator
import os
import re
import sys

# A name, perhaps with versions that are plain numbers.
_RELEASE = r"[0-9]{1,9}(?:\.[0-9]{1,9})*"
_COMPARISON = rf"([<>=]=|[<>])\s*({_RELEASE})"
_PLAIN = re.compile(rf"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*({_COMPARISON}(?:\s*,\s*{_COMPARISON})*)?")
_OPERATORS = {"==": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def answer(request: dict) -> dict:
    """What is installed, which requirements are unmet, and which settings Gunicorn does not accept."""
    versions = installed_versions()
    return {
        "python_version": ".".join(str(part) for part in sys.version_info[:3]),
        "interpreter": interpreter(),
        "gunicorn_version": versions.get("gunicorn"),
        "gunicorn_is_whole": is_whole("gunicorn"),
        "versions": versions,
        "has_pip": "pip" in versions,
        "unmet": [line for line in request["requirements"] if not is_met(line, versions)],
        "problems": setting_problems(request["settings"], request["worker_class"]) if "gunicorn" in versions else [],
    }


def interpreter() -> str:
    """The real path of the interpreter that the virtual environment was made with."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def installed_versions() -> dict:
    """Normalized name and version of each distribution that is installed."""
    # Not at the top: a module that only hands this program over would take as long for it as for all the rest.
    from importlib import metadata

    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name and not is_leftover(distribution):  # a killed pip leaves folders without a name
            found.setdefault(normalized(name), distribution.version)
    return found


def is_leftover(distribution: object) -> bool:
    """Whether a killed pip was about to replace it, and had moved it to a name that begins with ~."""
    return os.path.basename(str(getattr(distribution, "_path", ""))).startswith("~")


def normalized(name: str) -> str:
    """The one spelling of a distribution's name, as in PEP 503."""
    return name.lower().replace("_", "-").replace(".", "-")


def is_whole(name: str) -> bool:
    """Whether every file that the distribution recorded is there, which a killed pip does not see to."""
    from importlib import metadata

    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return False
    return bool(files) and all(path.suffix == ".pyc" or path.locate().exists() for path in files)


def is_met(line: str, versions: dict) -> bool:
    """Whether what is installed satisfies a requirement. One that can't be judged by name and version counts as met."""
    plain = _PLAIN.fullmatch(line.strip())
    if plain:
        version = versions.get(normalized(plain[1]))
        if version is None or not plain[2]:
            return version is not None
        if re.fullmatch(_RELEASE, version):
            pairs = re.findall(_COMPARISON, plain[2])
            return all(_OPERATORS[sign](release(version), release(wanted)) for sign, wanted in pairs)
    # Only now, since this import takes as long as all the rest of the probe.
    try:
        from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        return normalized(line) in versions
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return True
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return True
    version = versions.get(normalized(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def release(version: str) -> tuple:
    """The numbers of a version, without zeros at its end, since 1.0 and 1 are the same."""
    return tuple(int(part) for part in re.sub(r"(\.0+)+\Z", "", version).split("."))


def setting_problems(settings: dict, worker_class: str) -> list:
    """One [name, value, expected] for each setting that the installed Gunicorn does not accept."""
    if not settings:
        return worker_class_problems(worker_class)
    from gunicorn import config

    known = {setting.name: setting for setting in config.KNOWN_SETTINGS}
    problems = []
    for name, value in settings.items():
        if name not in known:
            problems.append([name, value, unknown_setting(name, known)])
        elif known[name].section == "Server Hooks":
            if not (isinstance(value, str) and "." in value):
                problems.append([name, value, "the dotted path of a function, such as 'project.hooks.post_fork'"])
        else:
            try:
                config.Config().set(name, value)
            except Exception as error:  # a validator may raise anything
                problems.append([name, value, f"a value that Gunicorn takes ({error})"])
    return problems + worker_class_problems(worker_class)


def unknown_setting(name: str, known: dict) -> str:
    """What is expected in place of a setting that this Gunicorn does not have."""
    import difflib

    nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
    return f"the name of a setting of Gunicorn; the nearest is {nearest[0]!r}"


def worker_class_problems(worker_class: str) -> list:
    """One [name, value, expected] if this Gunicorn lacks the worker class, or the venv lacks its library.

    A dotted path is a class of the application's own, which is not looked at.
    """
    if worker_class == "sync":
        return []  # it needs no library
    from gunicorn.workers import SUPPORTED_WORKERS

    if worker_class in SUPPORTED_WORKERS:
        from gunicorn import util

        try:
            util.load_class(SUPPORTED_WORKERS[worker_class])
        except Exception as error:
            return [["worker_class", worker_class, f"a class whose library is in the venv ({last_line(error)})"]]
    elif "." not in worker_class and ":" not in worker_class:
        return [["worker_class", worker_class, f"one of {', '.join(sorted(SUPPORTED_WORKERS))}, or a dotted path"]]
    return []


def last_line(error: Exception) -> str:
    """The last line of an error's message, which says most, or the error's type."""
    # Gunicorn puts a traceback into brackets, and the last bracket on a line of its own.
    lines = [line for line in str(error).splitlines() if line.strip("[] ")]
    return lines[-1].strip() if lines else type(error).__name__


if __name__ == "__main__":
    from importlib import util

    if util.find_spec("importlib.metadata") is None:
        raise SystemExit("its Python is older than 3.8")
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
