# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of the role on a host: each is one file, a zip archive that Python runs, with the modules that made it."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.launcher import PYTHON

_PACKAGE = __name__.rpartition("._service.")[0].replace(".", "/")
_TIME = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


def install(path: str, module: str, *arguments: object) -> None:
    """Have a command on the host that calls `main` of a module with these arguments; it returns the exit status."""
    content = _program(module, arguments)
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


def _program(module: str, arguments: tuple) -> bytes:
    """A zip archive that Python runs, with all modules of ours."""
    archive = io.BytesIO()
    archive.write(f"#!{PYTHON} -I\n".encode())
    given = ", ".join(map(repr, arguments))
    main = f"from {module} import main\n\nraise SystemExit(main({given}))\n"
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
