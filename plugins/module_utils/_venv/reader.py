# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads requirements with pip's own parser: an interpreter runs this file's source, with a request on stdin.

The interpreter is that of the virtual environment, or the one that will make it: it evaluates the markers. This program
opens no requirements file. It gets their content, and names the included files of which it lacks the content.
"""

from __future__ import annotations

import base64
import glob
import importlib
import json
import os
import re
import shlex
import sys
import sysconfig
import tempfile
import urllib.parse
from typing import Any

# Debian has the wheels of ensurepip here.
_DEBIAN = "/usr/share/python-wheels"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
# As in PEP 508, where blanks are these two. A word that begins with a dash is an option.
_BLANKS = r"[ \t]*"
_IDENTIFIER = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_CLAUSE = rf"(?:[~=!<>]=|[<>]){_BLANKS}[A-Za-z0-9][A-Za-z0-9_.!+*-]*"
# A name, perhaps with extras and versions: what nobody can take for an option, a path, a URL or an archive.
_PLAIN = re.compile(
    rf"({_IDENTIFIER}){_BLANKS}"
    rf"(?:\[{_BLANKS}{_IDENTIFIER}(?:{_BLANKS},{_BLANKS}{_IDENTIFIER})*{_BLANKS}\]{_BLANKS})?"
    rf"({_CLAUSE}(?:{_BLANKS},{_BLANKS}{_CLAUSE})*)?"
)
_ARCHIVE = re.compile(r"\.(?:whl|zip|t[a-z0-9]+|tar\.[a-z0-9]+)$", re.IGNORECASE)
# What a requirement says that names only a package and its versions
_NO_PLACE = {"is_hashed": False, "is_editable": False, "kind": "", "path": "", "is_fixed": True}


class Refused(Exception):
    """What pip would take, or refuse later; the text says what is expected."""


class NoPip(Exception):
    """There is no pip to read the lines with."""


def answer(request: dict) -> dict:
    """What the requirements say.

    The request has `folder`, from which paths are relative; `roots`, the names of the texts to begin with, each with
    whether they are constraints; `texts`, by name: a list of lines, or a file's content in base64; `environment`, the
    variables that lines may name, with "" for a value that is not known; `versions`, what is installed; and `own`,
    specifiers by the name of a package. The answer has `pip`, whether there is a pip to read them with; `missing`, the
    files to be read; `files`, of each text the name, whether it is one of constraints, and its lines, as `_line`
    returns them; and `problem`: the name of a text, its line, what pip says about that, and what is expected in its
    place, or nothing.
    """
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    try:
        return _answer(request)
    except NoPip:
        return {"pip": False, "missing": [], "files": [], "problem": []}


def _answer(request: dict) -> dict:
    files: list = []
    missing: list = []
    waiting = [tuple(root) for root in request["roots"]]
    seen: set = set()
    problem: list = []
    while waiting and not problem:
        name, constraint = waiting.pop(0)
        if (name, constraint) in seen:
            continue
        seen.add((name, constraint))
        if name not in request["texts"]:
            missing.append(name)
            continue
        lines, problem = _read(name, constraint, request)
        files.append([name, constraint, lines])
        waiting += [(line["include"], line["is_constraint"]) for line in lines if line["include"]]
    return {"pip": True, "missing": missing, "files": files, "problem": problem}


def _read(name: str, constraint: bool, request: dict) -> tuple:
    """The lines of a text, and the problem with the first that has one."""
    plain = _plain(name, constraint, request)
    if plain:
        return plain, []
    find("pip._internal.req.constructors", "pip._internal.req.req_file")
    lines: list = []
    text = ""
    try:
        for number, text, expanded in logical_lines(request["texts"][name]):
            lines.append(_line(name, number, text, expanded, constraint, request))
    except Refused as error:
        return lines, [name, text, "", str(error)]
    except Exception as error:  # pip's own are of many types, and an unknown encoding raises LookupError
        return lines, [name, text, str(error), ""]
    return lines, []


def find(*modules: str) -> None:
    """Make modules of pip importable: the virtual environment's own if it works, or that of ensurepip; raises NoPip."""
    try:
        for module in modules:
            importlib.import_module(module)
    except Exception:  # a pip that is older than its Python fails in many ways
        for name in [name for name in sys.modules if name.partition(".")[0] == "pip"]:
            del sys.modules[name]
        bundled = os.path.join(sysconfig.get_path("stdlib"), "ensurepip", "_bundled")
        for folder in (bundled, _DEBIAN):
            for wheel in sorted(glob.glob(os.path.join(glob.escape(folder), "pip-*.whl"))):
                sys.path.insert(0, wheel)
                return
        raise NoPip from None


def _plain(name: str, constraint: bool, request: dict) -> list:
    """The lines of a text in which all are plain; nothing for another text, which is all of pip's to read.

    Plain lines mean the same to everybody, and pip takes long to import: from ensurepip's wheel a whole second.
    """
    lines = plain_lines(request["texts"][name])
    if not lines:
        return []
    find("pip._vendor.packaging.specifiers")
    from pip._vendor.packaging.specifiers import SpecifierSet

    found: list = []
    for number, text, package, versions in lines:
        try:
            judged = _judged(package, SpecifierSet(versions), True, constraint, request)
        except Exception:  # what is no version, or one that is too long: all of pip says what is wrong
            return []
        found.append(_entry(number, text, constraint, {**_NO_PLACE, **judged, "file": name}))
    return found


def plain_lines(content: object) -> list:
    """The number, the text, the name and the versions of each requirement; nothing if a line is more than plain."""
    if isinstance(content, list):
        text = "\n".join(content)
    else:
        data = base64.b64decode(content)
        if not data.isascii() or b"coding" in data:  # a comment may name the encoding
            return []
        text = data.decode()
    if "\\" in text:  # a line may go on in the next one
        return []
    lines: list = []
    for number, line in enumerate(text.splitlines(), start=1):
        requirement = _COMMENT.sub("", line).strip()
        if not requirement:
            continue
        found = _PLAIN.fullmatch(requirement)
        # An archive may have extras, too.
        if not found or _ARCHIVE.search(requirement) or _ARCHIVE.search(found[1]):
            return []
        lines.append((number, requirement, found[1], found[2] or ""))
    return lines


def logical_lines(content: object) -> list:
    """The lines as pip joins them, without comments: the number of each, and it as it is written and as it is meant."""
    from pip._internal.req import req_file

    if isinstance(content, list):
        text = "\n".join(content)
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(base64.b64decode(content))
            file.flush()
            try:
                text = req_file.get_file_content(file.name, None)[1]
            except UnicodeDecodeError as error:
                raise Refused(f"text in UTF-8, or a comment that names its encoding ({error.reason})") from None
    joined = list(req_file.ignore_comments(req_file.join_lines(enumerate(text.splitlines(), start=1))))
    expanded = req_file.expand_env_variables(iter(joined))
    return [(number, written, meant) for (number, written), (_same, meant) in zip(joined, expanded)]


def _line(name: str, number: int, text: str, expanded: str, constraint: bool, request: dict) -> dict:
    """What one line says: `text` for pip, an included file, the requirement, and other local paths that it names."""
    from pip._internal.req import req_file

    arguments, options = req_file.get_line_parser(None)(expanded)
    found = {
        **_entry(number, text, constraint, None),
        "requires_hashes": bool(getattr(options, "require_hashes", False)),
        "names_places": bool(options.index_url or options.extra_index_urls or options.find_links or options.no_index),
        "options_for_uv": options_for_uv(options),
        "is_option": not (arguments or options.editables or options.requirements or options.constraints),
    }
    if any(not request["environment"].get(variable, "-") for variable in _VARIABLE.findall(expanded)):
        return found  # what installs knows the value, which may be a secret
    if arguments or options.editables:
        parsed = req_file.ParsedLine(name, number, arguments, options, constraint)
        found["requirement"] = requirement(parsed, request)
        return found
    folder = os.path.dirname(name) if os.path.isabs(name) else os.getcwd()
    included = (options.requirements or options.constraints or [""])[0]
    if included and not _VARIABLE.search(included):
        found["include"] = _included(name, included, folder)
        found["is_constraint"] = not options.requirements
    for value in (options.find_links or [])[:1]:
        path = _links(name, value, folder)
        if path:
            found["paths"].append(path)
            found["text"] = text if value.lower().startswith("file:") else _with_path(expanded, value, path)
    return found


def _entry(number: int, text: str, constraint: bool, found: object) -> dict:
    """A line that says no more than a requirement."""
    return {
        "number": number,
        "text": text,
        "include": "",
        "is_constraint": constraint,
        "requires_hashes": False,
        "names_places": False,
        "options_for_uv": [],
        "paths": [],
        "is_option": False,
        "requirement": found,
    }


def options_for_uv(options: Any) -> list:
    """The options of a line that uv does not take from a file, but as its arguments."""
    hosts = [f"--allow-insecure-host={host}" for host in getattr(options, "trusted_hosts", None) or []]
    return [*(["--prerelease=allow"] if getattr(options, "pre", False) else []), *hosts]


def _links(name: str, value: str, folder: str) -> str:
    """The path of a folder or page of links on the host, or ""."""
    place = _of_host(name, value)
    if place != value:
        return place
    # As pip looks for it: beside the file first
    found = (path for path in (os.path.join(folder, value), os.path.abspath(value)) if os.path.exists(path))
    return next(found, "")


def _included(name: str, included: str, folder: str) -> str:
    """The path of an included file of the host, or "" for one elsewhere, which pip reads itself."""
    place = _of_host(name, included)
    return os.path.abspath(os.path.join(folder, place)) if place else ""


def _of_host(name: str, value: str) -> str:
    """The path that a value is, or the URL of a file has; "" for another URL. Refused if it can't be relative."""
    from pip._internal.utils import urls

    if value.lower().startswith("file:"):
        return urls.url_to_path(value)
    if "://" in value:
        return ""
    _check_whole(name, value)
    return value


def _check_whole(name: str, path: str) -> None:
    """Raise Refused for a relative path in a list."""
    if not os.path.isabs(name) and not os.path.isabs(path):
        raise Refused("an absolute path: only a file has a folder that others can be relative to")


def _with_path(line: str, value: str, path: str) -> str:
    """A line of options with a whole path in place of the value."""
    words = shlex.split(line)
    places = [word.rfind(value) if word.startswith("-") and word.endswith(value) else -1 for word in words]
    changed: list = []
    for word, place in zip(words, places):
        # uv does not take "-fwheels".
        before = [word[:place]] if place == len("-f") else []
        changed += [*before, path if word == value or before else word[:place] + path if place > 0 else word]
    return " ".join(map(shlex.quote, changed))


def requirement(line: Any, request: dict) -> dict:
    """What a requirement says, and whether what is installed meets it.

    One that names no package, such as a directory, counts as met.
    """
    from pip._internal.req import constructors, req_file
    from pip._vendor.packaging.specifiers import SpecifierSet

    written, file, is_constraint = line.requirement, line.filename, line.constraint
    try:
        parsed = constructors.install_req_from_parsed_requirement(req_file.handle_requirement_line(line))
    except Exception:  # pip's own are of many types
        if "://" not in written and constructors._looks_like_path(written):
            _check_whole(file, written)
        raise
    kind, path, is_fixed = _origin(parsed.link)
    if path:
        if not re.search(r"(?:\A|[@+\s])file:", written, re.IGNORECASE):
            _check_whole(file, written)
        if not os.path.exists(path):
            raise Refused(f"something that is there, unlike {path}")
    specifier = parsed.req.specifier if parsed.req else SpecifierSet()
    judged = _judged(
        parsed.req.name if parsed.req else "", specifier, bool(parsed.match_markers()), is_constraint, request
    )
    return {
        **judged,
        "file": file,
        "is_hashed": bool(parsed.has_hash_options),
        "is_editable": bool(parsed.editable),
        "kind": kind,
        "path": path,
        "is_fixed": is_fixed or bool(parsed.has_hash_options),
    }


def _judged(package: str, specifier: Any, applies: bool, is_constraint: bool, request: dict) -> dict:
    """What a package and its versions say, and whether what is installed meets it."""
    from pip._vendor.packaging.specifiers import SpecifierSet

    # As PEP 503 spells it
    name = re.sub(r"[-_.]+", "-", package).lower()
    version = request["versions"].get(name)
    lacks = not is_constraint if version is None else not specifier.contains(version, prereleases=True)
    pinned = _pinned(specifier)
    own = request["own"].get(name, []) if pinned and applies else []
    return {
        "name": name,
        "pinned": pinned,
        "refused_by": next((one for one in own if not SpecifierSet(one).contains(pinned, prereleases=True)), ""),
        "applies": applies,
        "is_met": not (name and applies and lacks),
        "is_constraint": bool(is_constraint),
    }


def _pinned(specifier: Any) -> str:
    """The only version that a specifier allows, or ""."""
    single = list(specifier)[0] if len(specifier) == 1 else None
    if single is None or single.operator not in ("==", "===") or single.version.endswith(".*"):
        return ""
    return single.version


def _origin(link: Any) -> tuple:
    """Where a requirement is from, if it says so: the kind, its path on the host, and whether it can't move."""
    if link is None:
        return "", "", True
    if link.is_vcs:
        written = urllib.parse.urlsplit(link.url).path.rpartition("@")[2]
        return "repository", "", bool(_COMMIT.fullmatch(written))
    if link.is_file:
        path = link.file_path
        return "directory" if os.path.isdir(path) else "file", path, True
    return "url", "", bool(link.hash)


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
