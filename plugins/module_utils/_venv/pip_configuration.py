# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pip's configuration on the host: what of it pip may follow, and which index it names."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Mapping

if TYPE_CHECKING:
    import configparser

# Options with which pip installs elsewhere, or not at all, and says that it has succeeded.
ELSEWHERE = ("target", "prefix", "root", "user", "python", "dry-run")
_VARIABLES = tuple(f"PIP_{name.upper().replace('-', '_')}" for name in ELSEWHERE)
# pip ignores what is empty, and later files override earlier ones.
_SECTIONS = ("global", "install")


def kept_to_the_venv(environment: Mapping[str, str], directory: str, file: str) -> dict[str, str]:
    """Write a `file` that keeps pip, and each pip that it starts, in the venv; returns the environment that tells so.

    With such a file, pip does not read the user's own files, so what they say is in there, too. `environment` is all
    that pip would get.
    """
    blank = dict.fromkeys(_VARIABLES, "")
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:  # pip then reads no file at all
        return blank
    try:
        parser = _read([named] if os.path.exists(named) else _own_files(environment, directory))
    except (OSError, ValueError):  # pip itself tells what is wrong with it
        return blank
    for section in parser.sections():
        for name in parser.options(section):
            if _normalized(name) in ELSEWHERE:
                parser.remove_option(section, name)
    for section in _SECTIONS:
        if not parser.has_section(section):
            parser.add_section(section)
        for name in ELSEWHERE:
            parser.set(section, name, "")
    text = io.StringIO()
    parser.write(text)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as opened:
        opened.write(text.getvalue())
    return {**blank, "PIP_CONFIG_FILE": file}


def index_in(environment: Mapping[str, str], directory: str) -> str:
    """The URL of the index that pip's files or variables name, as it is written there, or ""."""
    if environment.get("PIP_INDEX_URL"):
        return environment["PIP_INDEX_URL"]
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return ""
    own = [] if os.path.exists(named) else _user_files(environment)
    paths = [*_global_files(environment), *own, os.path.join(directory, "pip.conf"), named]
    try:
        parser = _read(paths)
    except (OSError, ValueError):
        return ""
    found = {
        section: value
        for section in _SECTIONS
        if parser.has_section(section)
        for name, value in parser.items(section)
        if _normalized(name) == "index-url" and value
    }
    return found.get("install") or found.get("global", "")


def _read(paths: list[str]) -> configparser.RawConfigParser:
    """What the files say, the last ones last; raises OSError or ValueError."""
    # Not at the top: a run that changes nothing does not need it.
    import configparser

    parser = configparser.RawConfigParser()
    for path in paths:
        if os.path.isfile(path):  # and not a FIFO
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                try:
                    parser.read_file(file)
                except configparser.Error as error:
                    raise ValueError(path) from error
    return parser


def _normalized(name: str) -> str:
    name = name.lower().replace("_", "-")
    return name[2:] if name.startswith("--") else name


def _own_files(environment: Mapping[str, str], directory: str) -> list[str]:
    return [*_user_files(environment), os.path.join(directory, "pip.conf")]


def _user_files(environment: Mapping[str, str]) -> list[str]:
    home = environment.get("HOME") or os.path.expanduser("~")
    folder = environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return [os.path.join(home, ".pip", "pip.conf"), os.path.join(folder, "pip", "pip.conf")]


def _global_files(environment: Mapping[str, str]) -> list[str]:
    folders = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    return [*(os.path.join(folder, "pip", "pip.conf") for folder in folders if folder), "/etc/pip.conf"]
