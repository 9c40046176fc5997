# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a virtual environment about itself: its own interpreter runs this file's source, with a request on stdin.

Only the installed Gunicorn knows which settings it has and what they may hold, so its own classes are asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any


def answer(request: dict) -> dict:
    """What is installed, whether its Gunicorn is one that is wanted, and which settings that does not accept."""
    found = installed()
    versions = {name: version for name, (version, _origin, _seen) in found.items()}
    return {
        "python_version": ".".join(str(part) for part in sys.version_info[:3]),
        "interpreter": interpreter(),
        "gunicorn_version": versions.get("gunicorn"),
        "gunicorn_is_whole": is_whole("gunicorn"),
        "gunicorn_is_wanted": "gunicorn" in versions and is_within(versions["gunicorn"], request["gunicorn"]),
        "has_extras": "gunicorn" in versions
        and all(is_met(each, versions) for each in required_by_extras("gunicorn", request["extras"])),
        "versions": versions,
        "origins": {name: origin for name, (_version, origin, _seen) in found.items() if origin},
        "installed": hash_of([[name, version, seen] for name, (version, _origin, seen) in sorted(found.items())]),
        "has_pip": "pip" in versions,
        "problems": setting_problems(request["settings"], request["worker_class"]) if "gunicorn" in versions else [],
    }


def interpreter() -> str:
    """The real path of the interpreter that the virtual environment was made with."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def installed() -> dict:
    """The version, the origin and the looks of each distribution that is installed, by its normalized name.

    The origin is "" for one from an index; else it has the URL, and a hash of all files that were installed.
    """
    # Not at the top: a module that only hands this program over would take as long for it as for all the rest.
    from importlib import metadata

    found: dict = {}
    for distribution in metadata.distributions():
        # Each time that it is asked for, all of it is parsed, with the description.
        said = distribution.metadata
        name = said["Name"]
        if name and not is_leftover(distribution):  # a killed pip leaves folders without a name
            found.setdefault(normalized(name), (said["Version"], origin(distribution), looks(distribution)))
    return found


def origin(distribution: Any) -> str:
    """Where a distribution is from if that is no index, as PEP 610 has it noted, with a hash of its files."""
    text = distribution.read_text("direct_url.json")
    if not text:
        return ""
    try:
        noted = json.loads(text)
        commit = noted.get("vcs_info", {}).get("commit_id", "")
        url = f"{noted['url']}@{commit}" if commit else noted["url"]
    except (AttributeError, KeyError, TypeError, ValueError):
        url = ""
    record = distribution.read_text("RECORD") or ""
    # Scripts, outside of the directory of packages, name the virtual environment.
    lines = [line for line in record.splitlines() if not line.startswith("../") and ".pyc," not in line]
    lines = [line if line.split(",")[-2:-1] != [""] else with_hash(distribution, line) for line in lines]
    return f"{url}#{hash_of(sorted(lines))}"


def with_hash(distribution: Any, line: str) -> str:
    """A line of a record with the hash that it lacks, as in what some tools build; none for the record itself."""
    path = line.rpartition(",")[0].rpartition(",")[0].strip('"')
    try:
        with open(distribution.locate_file(path), "rb") as file:
            return line if path.endswith("/RECORD") else f"{line}{hashlib.sha256(file.read()).hexdigest()}"
    except OSError:
        return line


def looks(distribution: Any) -> list:
    """When a distribution was installed, which tells if another of the same version took its place."""
    folder = str(getattr(distribution, "_path", ""))
    try:
        status = os.stat(os.path.join(folder, "RECORD"))
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def hash_of(value: object) -> str:
    """A hash of a value that JSON can have."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def is_leftover(distribution: Any) -> bool:
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


def is_within(version: str, specifier: str) -> bool:
    """Whether Gunicorn's version is within a specifier; without a package that can tell, it counts as not."""
    specifiers = packaging("specifiers")
    return specifiers is not None and specifiers.SpecifierSet(specifier).contains(version, prereleases=True)


def packaging(module: str) -> Any:
    """A module of the package packaging, which pip brings in any case; None without both."""
    import importlib

    for package in ("packaging", "pip._vendor.packaging"):
        try:
            return importlib.import_module(f"{package}.{module}")
        except ImportError:
            continue
    return None


def required_by_extras(name: str, extras: list) -> list:
    """What these extras of an installed distribution ask for; nothing where nobody can tell."""
    from importlib import metadata

    module = packaging("requirements") if extras else None
    if module is None:
        return []
    found = [module.Requirement(line) for line in metadata.requires(name) or []]
    return [each for each in found if any(_is_for(each, extra) for extra in extras)]


def _is_for(requirement: Any, extra: str) -> bool:
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def is_met(requirement: Any, versions: dict) -> bool:
    """Whether what is installed satisfies a requirement."""
    version = versions.get(normalized(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


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
