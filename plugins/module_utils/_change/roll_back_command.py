# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command on the host that goes back to a kept release: what the module does, without Ansible and its controller.

It is one file, a zip archive that Python runs, with the modules that made it.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import roll_back
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.launcher import PYTHON
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_PACKAGE = __name__.rpartition("._change.")[0].replace(".", "/")
_TIME = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


def install(service: str, directory: str) -> None:
    """Have a service's command on the host; `directory` is that of the releases."""
    path = names.roll_back_command(service)
    content = _program(directory)
    if os.path.isfile(path) and not os.path.islink(path) and Path(path).read_bytes() == content:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    candidate = files.beside(path, files.CANDIDATE)
    files.remove(candidate)
    descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755)
    with open(descriptor, "wb") as file:
        file.write(content)
    os.chmod(candidate, 0o755)
    os.replace(candidate, path)


def _program(directory: str) -> bytes:
    """A zip archive that Python runs, with all modules of ours that it needs."""
    archive = io.BytesIO()
    archive.write(f"#!{PYTHON} -I\n".encode())
    main = f"from {__name__} import main\n\nraise SystemExit(main({directory!r}))\n"
    texts = {"__main__.py": main.encode(), **_sources()}
    # Python before 3.13 finds no packages in an archive that have no __init__.py.
    packages = {str(parent) for name in texts for parent in Path(name).parents if str(parent) != "."}
    texts.update({f"{package}/__init__.py": b"" for package in packages})
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as program:
        for name, text in sorted(texts.items()):
            program.writestr(zipfile.ZipInfo(name, _TIME), text, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def _sources() -> dict[str, bytes]:
    """The modules that are beside this one, in the archive that Ansible sent or on the disk, by their paths."""
    archive = getattr(__spec__.loader, "archive", "")
    if archive:
        with zipfile.ZipFile(archive) as sent:
            found = [name for name in sent.namelist() if name.startswith(f"{_PACKAGE}/") and name.endswith(".py")]
            return {name: sent.read(name) for name in found}
    top = Path(__file__).parents[1]
    return {f"{_PACKAGE}/{path.relative_to(top)}": path.read_bytes() for path in top.rglob("*.py")}


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
    runner = Runner(_run_command)
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


def _run_command(command: list[str], **_options: Any) -> tuple[int, str, str]:
    """What AnsibleModule.run_command does, as far as it is used here."""
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape")
