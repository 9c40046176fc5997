# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command on the host that runs a command of the project, as its service runs, attached to the terminal.

The service's user never gets a descriptor of the caller's terminal: it could type there, or read along.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import sys
import syslog
import time
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes, way_back
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import failures, launcher, manager, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import programs, run_supervisor, run_systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_USAGE = """\
usage: {name} [--release ID] COMMAND [ARGUMENT...]

Run a command of the project as its service runs: as the same user, in the same sandbox, with the environment, secrets
and credentials, in the directory of the live release. A program is looked up in the virtual environment first.

  {name} manage.py shell
  {name} python -m django dumpdata > dump.json

  --release ID    with the code and the virtual environment of another release that is kept; or previous
"""
_NOT_LOGGED_IN = 4294967295  # see audit_setloginuid(3)
_LONGEST = 8000  # characters of a line in the journal
_FAILED = 125  # as of docker and env: the command was not run


class Refused(Exception):
    """The command can't be run; the message says why."""


class Project(NamedTuple):
    """What the command knows of its service."""

    service: str
    manager: str
    config_directory: str
    venv: str
    code_directory: str
    releases_directory: str = ""  # empty without releases
    group: str = ""  # whose members may call it


class Prepared(NamedTuple):
    """What there is to run."""

    release: str  # its ID, or empty
    directory: str  # of the code
    venv: str  # the directory of the virtual environment
    given: Mapping  # of the arguments of the service's module, what is needed here


def main(told: Mapping, arguments: list[str] | None = None) -> int:
    """Run a command of the project that `told` describes; return its exit status, or 125 if it was not run."""
    project = Project(**told)
    name = os.path.basename(names.run_command(project.service))
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        (sys.stdout if words else sys.stderr).write(_USAGE.format(name=name))
        return 0 if words else 2
    if os.geteuid() != 0:
        return _as_root(project, words)
    os.umask(0o022)
    try:
        release, command = _parse(words)
        prepared = _prepare(project, release)
        located = _located(command, prepared)
    except (Refused, InvalidValue, StepFailed) as error:
        sys.stderr.write(f"{name}: {failures.fit(str(error), ())}\n")
        return _FAILED
    run = run_systemd.run if project.manager == manager.SYSTEMD else run_supervisor.run
    _note_begin(name, project, prepared, command)
    began, how = time.monotonic(), "it was cut off"
    try:
        status = run(project.service, prepared.given, prepared.directory, prepared.venv, located)
        how = f"status {status}"
    finally:
        syslog.syslog(syslog.LOG_NOTICE, f"ended after {time.monotonic() - began:.1f} s: {how}")
    return status


def _as_root(project: Project, words: list[str]) -> int:
    """Call itself by sudo, for a member of the group that may; returns only if that is not possible."""
    if project.group and accounts.group_id(project.group) in os.getgroups():
        # Asked for no password: a rule allows it, or nothing does.
        with contextlib.suppress(OSError):
            os.execvp("sudo", ["sudo", "-n", names.run_command(project.service), *words])
    who = f"root and the group {project.group}" if project.group else "root"
    sys.stderr.write(f"only {who} can do this: use sudo\n")
    return _FAILED


def _parse(words: list[str]) -> tuple[str, list[str]]:
    """The release that is asked for, and the command; raises Refused."""
    release = ""
    while words and words[0].startswith("-"):
        option, equals, value = words[0].partition("=")
        words = words[1:]
        if option == "--":
            break
        if option != "--release":
            raise Refused(f"there is no option {option}: expected --release ID, or a command")
        if not equals:
            value, words = (words[0], words[1:]) if words else ("", [])
        if not value:
            raise Refused("--release: expected the ID of a release, or previous")
        release = value
    if not words:
        raise Refused("expected a command, such as manage.py shell")
    return release, words


def _prepare(project: Project, wanted: str) -> Prepared:
    """What there is to run; raises Refused and InvalidValue."""
    if not project.releases_directory:
        if wanted:
            raise Refused("--release: expected none, since the project has no releases")
        return Prepared("", project.code_directory, os.path.realpath(project.venv), _live_texts(project))
    directory = project.releases_directory
    live = notes.read_live(directory)
    if not live.id:
        raise Refused(f"no release of {directory} is live")
    # A step that can't be undone matters for what goes live.
    note = way_back.find(directory, wanted or live.id, "--release", force=True)
    given = way_back.asked_for(live, directory, note)
    if "unit" in given:
        # What the host can't apply, the service does without.
        given["unit"] = sandbox.without(given["unit"], LeftOut(**given.get("left_out", {})))
    return Prepared(note.id, note.path, note.venv["directory"], given)


def _live_texts(project: Project) -> dict:
    """Of the arguments of the service's module, what is needed here, as its files have it; raises Refused."""
    if project.manager == manager.SYSTEMD:
        key, path = "unit", names.paths(project.service, project.config_directory).unit
    else:
        key, path = "description_text", os.path.join(project.config_directory, launcher.DESCRIPTION)
    text = files.read(path)
    if text is None:
        raise Refused(f"there is no {path}: the service is not on this host")
    return {key: text, "config_directory": project.config_directory}


def _located(command: list[str], prepared: Prepared) -> list[str]:
    """The command with the path of its program; a Python file of the code need not be executable. Raises StepFailed."""
    path = os.path.normpath(os.path.join(prepared.directory, command[0]))
    if command[0].endswith(".py") and os.path.isfile(path):
        return [os.path.join(prepared.venv, "bin", "python"), path, *command[1:]]
    return programs.located(command, prepared.directory, prepared.venv)


def _note_begin(name: str, project: Project, prepared: Prepared, command: list[str]) -> None:
    """Note in the journal who runs what."""
    found, _hash = service_secrets.live_files(project.config_directory)
    secrets = service_secrets.secret_values(found)
    # Word by word: a quoted one may not have a secret in it any more as it is.
    said = " ".join(shlex.quote(values_text.masked(word, secrets)) for word in command)
    release = f" in the release {prepared.release}" if prepared.release else ""
    what = values_text.shown(f"{_caller()} runs{release}: {said}".replace("\n", " "), _LONGEST)
    syslog.openlog(name, syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, what)


def _caller() -> str:
    """Who has logged in, whoever that is by now."""
    uid = int((files.read("/proc/self/loginuid") or str(_NOT_LOGGED_IN)).strip() or _NOT_LOGGED_IN)
    if uid == _NOT_LOGGED_IN:
        by_sudo = os.environ.get("SUDO_UID", "")
        uid = int(by_sudo) if by_sudo.isascii() and by_sudo.isdigit() else os.getuid()
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except (KeyError, OverflowError):
        return f"user {uid}"
