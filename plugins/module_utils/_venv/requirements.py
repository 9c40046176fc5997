# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requirements that users give, as pip's own parser reads them.

Only where something may have to be installed.
"""

from __future__ import annotations

import argparse
import base64
import inspect
import json
import os
import re
from typing import Callable, Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import commands, formats, reader, stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.asked import (
    FLOOR,
    VARIABLE,
    Asked,
    gunicorn_specifiers,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError

_FILES_MAX = 100
# The whole value of such a variable is a secret.
_SECRET_NAME = re.compile(r"pass|token|secret|key|auth", re.IGNORECASE)
_LIST = ""  # the name of the list's text


class Line(NamedTuple):
    """One line for pip."""

    number: int  # in its file
    text: str
    include: str  # the path of the file of the host that it includes, or ""
    is_constraint: bool  # whether the file is included as constraints
    is_option: bool = False  # for pip as a whole, such as --index-url, and no more than --require-hashes


class Requirement(NamedTuple):
    """One requirement, as pip's parser reads its line."""

    line: str
    file: str  # that has the line, or "" for the list
    name: str  # normalized, or "" for one that only its source can tell
    pinned: str  # the only version that it allows, or ""
    refused_by: str  # the first specifier of our own that this version does not meet, or ""
    applies: bool  # whether its marker holds for this Python
    is_met: bool  # by what is installed, as far as name and version tell
    is_hashed: bool
    is_editable: bool
    is_constraint: bool
    kind: str  # of its source: "", directory, file, repository, or url
    path: str  # of a directory or file on the host
    is_fixed: bool  # whether it is the same at any time, as with a hash or a commit


class Requirements(NamedTuple):
    """All requirements, with the files that they are from."""

    lines: Mapping[str, list[Line]]  # by the path of their file
    items: list[Requirement]
    hashes: Mapping[str, str]  # of the content of each file, by its path
    paths: list[tuple[str, str]]  # what else the lines name on the host, such as --find-links: line and path
    requires_hashes: bool  # whether a line says so, or a requirement has a hash
    names_places: bool  # whether a line says where packages are, such as another index
    options_for_uv: list[str]  # that uv does not take from a file

    def names(self, name: str) -> bool:
        """Whether a package is required, which a constraint does not."""
        return any(item.name == name and item.applies and not item.is_constraint for item in self.items)

    @property
    def unmet(self) -> set[str]:
        """The names of the packages that the requirements want and what is installed does not meet."""
        return {item.name for item in self.items if not item.is_met}

    @property
    def moves(self) -> bool:
        """Whether a requirement can be another one later without a change here, such as a branch."""
        return any(item.applies and not item.is_fixed for item in self.items)

    @property
    def local(self) -> dict[str, bool]:
        """The paths of the local directories and files to install, each with whether it is editable."""
        return {item.path: item.is_editable for item in self.items if item.path and item.applies}

    @property
    def hash(self) -> str:
        """A hash of the lines, the same after a change of a comment or of a password in a URL."""
        return stamp.hash_of([text for lines in self.lines.values() for text in ("", *(line.text for line in lines))])


NONE = Requirements({}, [], {}, [], False, False, [])


def read(
    asked: Asked,
    python: str,
    versions: Mapping[str, str],
    runner: Runner,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
) -> Requirements | None:
    """Read the requirements with the pip that an interpreter has; None if it has none.

    `versions` are what is installed; with an `account`, the interpreter gets this account's rights. `environment` has
    the variables of what installs, which lines may name.
    InvalidValue if a file can't be read, if pip can't make sense of a line, or if Gunicorn's version is pinned to
    another one than gunicorn_version wants.
    """
    roots = [(asked.file or _LIST, False), *_files_of_arguments(asked)]
    texts: dict[str, list | str] = {} if asked.file else {_LIST: asked.lines}
    hashes: dict[str, str] = {}
    own = {"gunicorn": gunicorn_specifiers(asked.version)}
    request = {
        "folder": asked.folder,
        "roots": roots,
        "texts": texts,
        # Root's alone: there may be passwords.
        "environment": {name: value if account is None else "" for name, value in (environment or {}).items()},
        "versions": dict(versions),
        "own": own,
    }
    # One round for each level of included files
    while True:
        answer = _ask(request, python, runner, account)
        if answer is None:
            return None
        for path in answer["missing"]:
            if len(hashes) > _FILES_MAX:
                raise InvalidValue(VARIABLE, asked.file or asked.lines, f"at most {_FILES_MAX} included files")
            content = _content(path, asked)
            texts[path], hashes[path] = base64.b64encode(content).decode(), stamp.hash_of_file(content)
        _refuse(answer["problem"], secrets_of(environment or {}))
        if not answer["missing"]:
            found = _in_types(answer["files"], hashes)
            _check_gunicorn(found, asked.version)
            return found


def _ask(request: dict, python: str, runner: Runner, account: Account | None) -> dict | None:
    """The reader's answer, or None if there is no pip."""
    command = [python, "-I", "-c", inspect.getsource(reader)]
    failure = f"{VARIABLE}: {python} can't read them"
    answer = commands.run(runner, command, failure, json.dumps(request), account)
    try:
        found = json.loads(answer)
        missing = [path for path in found["missing"] if os.path.isabs(path) and path not in request["texts"]]
        return {**found, "missing": list(dict.fromkeys(missing))} if found["pip"] is True else None
    except (KeyError, TypeError, ValueError, RecursionError):
        raise VenvError(f"{failure}: it answers something else than was asked") from None


def _in_types(found: list, hashes: Mapping[str, str]) -> Requirements:
    entries = [entry for _name, _is_constraint, entries in found for entry in entries]
    items = [Requirement(line=entry["text"], **entry["requirement"]) for entry in entries if entry["requirement"]]
    return Requirements(
        lines={name: [_line(entry) for entry in entries] for name, _is_constraint, entries in found},
        items=items,
        hashes=hashes,
        paths=[(entry["text"], path) for entry in entries for path in entry["paths"]],
        # Also a hash in a constraints file makes pip ask for one everywhere else. uv would ignore it there.
        requires_hashes=any(entry["requires_hashes"] for entry in entries) or any(item.is_hashed for item in items),
        names_places=any(entry["names_places"] for entry in entries),
        options_for_uv=[option for entry in entries for option in entry["options_for_uv"]],
    )


def _line(entry: dict) -> Line:
    is_option = entry["is_option"] and (entry["names_places"] or not entry["requires_hashes"])
    return Line(entry["number"], entry["text"], entry["include"], entry["is_constraint"], is_option)


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """What of the environment must not be shown."""
    passwords = [password for value in environment.values() for password in urls.passwords_in(value)]
    return passwords + [value for name, value in environment.items() if _SECRET_NAME.search(name)]


def _refuse(problem: list[str], secrets: list[str]) -> None:
    """Raise InvalidValue for the line that can't be used, with what pip says about it."""
    if not problem:
        return
    name, line = problem[:2]
    # pip has put the values of variables into its words.
    said, expected = (values_text.masked(text, secrets) for text in problem[2:])
    where = f" in {name}" if name and line else ""
    if expected:
        expected += where
    else:
        reason = values_text.shown(" ".join(urls.without_passwords(said).split()))
        expected = f"what pip reads{where} ({reason})"
    raise InvalidValue(VARIABLE, urls.without_passwords(line or name), expected)


def _check_gunicorn(found: Requirements, version: str) -> None:
    """Raise InvalidValue if the requirements pin a Gunicorn that gunicorn_version, or the floor, does not allow."""
    for item in found.items:
        pinned, where = f"{item.name}=={item.pinned}", f" in {item.file}" if item.file else ""
        if item.refused_by == f">={FLOOR}":
            expected = f"Gunicorn {FLOOR} or newer{where}: older ones let requests be smuggled"
            raise InvalidValue(VARIABLE, pinned, expected)
        if item.refused_by:
            raise InvalidValue("gunicorn_version", version, f"what {VARIABLE} pin{where}, which is {pinned}")


def check_file(asked: Asked) -> None:
    """Raise InvalidValue if the requirements are in a file that is none of requirements, or that can't be read."""
    if asked.file:
        _content(asked.file, asked)


def hash_of_content(asked: Asked) -> str:
    """A hash of Gunicorn's version and of the lines, or of the file that has them, wherever this file is."""
    lines = [stamp.hash_of_file(_content(asked.file, asked))] if asked.file else asked.lines
    return stamp.hash_of([*gunicorn_specifiers(asked.version), *lines])


def _content(path: str, asked: Asked) -> bytes:
    formats.check_format(VARIABLE, path, asked.installer)
    try:
        return files.read_regular(path)
    except OSError as error:
        named = asked.file or path
        reason = error.strerror if path == named else f"{path}: {error.strerror}"
        raise InvalidValue(VARIABLE, named, f"a file of the host ({reason})") from None


def _files_of_arguments(asked: Asked) -> list[tuple[str, bool]]:
    """The requirements files and constraints that pip gets by its arguments: what is in them counts as well."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-r", "--requirement", "--requirements", action="append", default=[], dest="requirements")
    parser.add_argument("-c", "--constraint", "--constraints", action="append", default=[], dest="constraints")
    try:
        found, _others = parser.parse_known_args(asked.pip_extra_args)
    except SystemExit:  # an option without its value: pip says so
        return []
    named = [*((path, False) for path in found.requirements), *((path, True) for path in found.constraints)]
    local = [(path, is_constraint) for path, is_constraint in named if "://" not in path]
    return [(os.path.join(asked.folder, path), is_constraint) for path, is_constraint in local]


def copies_in(folder: str, found: Requirements) -> dict[str, str]:
    """The paths of the copies of the requirements in a folder, by the paths of the files."""
    # Without what means something else in a line of requirements, such as a space
    names = {path: re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(path))[-100:] or "list" for path in found.lines}
    return {path: os.path.join(folder, f"{number}-{name}") for number, (path, name) in enumerate(names.items())}


def write_copies(
    folder: str, asked: Asked, found: Requirements, change: Callable[[str], str] = str, options_only: bool = False
) -> str:
    """Write a copy of the file, or of the list, and of all that it includes, into a folder; its path.

    pip and uv then install what was read here, whatever is done to the files meanwhile, and in an encoding that both
    read. `change` is applied to each line. Lines have the same numbers as in their files, since errors name these.
    With `options_only`, the copies have no requirements, but the options beside these.
    """
    copies = copies_in(folder, found)
    for path, lines in found.lines.items():
        texts = [""] * max((line.number for line in lines), default=0)
        for line in lines:
            option = "--constraint" if line.is_constraint else "--requirement"
            if line.include:
                texts[line.number - 1] = f"{option} {copies[line.include]}"
            elif line.is_option or not options_only:
                texts[line.number - 1] = change(line.text)
        with open(copies[path], "x", encoding="utf-8") as file:
            file.writelines(f"{text}\n" for text in texts)
    return copies[asked.file or _LIST]


def with_names(text: str, folder: str, found: Requirements) -> str:
    """What pip says of the copies in a folder, with the names of the files."""
    for path, copy in copies_in(folder, found).items():
        text = text.replace(copy, path or VARIABLE)
    return text


def write_lines(folder: str, name: str, lines: list[str]) -> str:
    """Write lines of our own for pip into a folder; the path of the file."""
    path = os.path.join(folder, name)
    with open(path, "x", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path
