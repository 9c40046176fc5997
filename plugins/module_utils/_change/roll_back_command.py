# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command on the host that goes back to a kept release: what the module does, without Ansible."""

from __future__ import annotations

import argparse
import os
import sys
import time

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import roll_back
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner, run_command
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import host_command, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def install(service: str, directory: str) -> None:
    """Have a service's command on the host; `directory` is that of the releases."""
    host_command.install(names.roll_back_command(service), __name__, directory)


def main(directory: str, arguments: list[str] | None = None) -> int:
    """Go back to a kept release of `directory`, or list them; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Go back to a release that is kept on this host, without the network and without losing a request."
    )
    parser.add_argument("release", nargs="?", default="previous", help="its ID; the default is the previous one")
    parser.add_argument("--list", action="store_true", help="list the kept releases, the live one first")
    parser.add_argument("--check", action="store_true", help="say what would be done")
    parser.add_argument("--force", action="store_true", help="even if a step of a later release can't be undone")
    asked = parser.parse_args(arguments)
    try:
        if asked.list:
            _say("\n".join(listing(directory)))
            return 0
    except PermissionError:
        return _fail("only root can read the releases: use sudo")
    if os.geteuid() != 0:
        return _fail("only root can do this: use sudo")
    os.umask(0o022)
    runner = Runner(run_command)
    try:
        way = roll_back.find(directory, asked.release, "RELEASE", asked.force)
        told = roll_back.go(way, runner, lambda text: _say(f"Note: {text}"), asked.check)
    except InvalidValue as error:
        return _fail(f"{error}. Nothing was changed.")
    except (DeployError, Failed, NotOurs, OSError, SupervisorError) as error:
        return _fail(str(error))
    done = f", after the steps {', '.join(told['done'])}" if told["done"] else ""
    if asked.check:
        _say(f"{told['before']} is live, {told['id']} would be{done}." if told["changed"] else "Nothing to do.")
    else:
        _say(f"{told['id']} is live{done}{'' if told['changed'] else ', and was before'}.")
    return 0


def listing(directory: str) -> list[str]:
    """The kept releases, a line each: the live one first, then the others in the order in which they were live last."""
    live = notes.read_live(directory)
    found = {note.id: note for note in notes.read(directory) if note.venv}
    order = dict.fromkeys([live.id, *(event["id"] for event in reversed(live.history))])
    previous = notes.previous(live)
    lines = []
    for name in order:
        if name in found:
            note = found[name]
            since = next(event["at"] for event in reversed(live.history) if event["id"] == name)
            mark = "live" if name == live.id else "previous" if name == previous else ""
            source = next((f"{key} {value}" for key, value in note.source.items() if key != "identity"), "")
            version = note.source.get("version", "")
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(since))
            lines.append(f"{name}  {when}  {mark:<8}  {source} {version}".rstrip())
    return lines


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1
