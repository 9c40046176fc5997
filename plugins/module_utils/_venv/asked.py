# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requirements as they are given, and the one for Gunicorn itself: all that a run that changes nothing needs."""

from __future__ import annotations

import os
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import stamp

FLOOR = "23.0.0"  # older versions let requests be smuggled: CVE-2024-1135, CVE-2024-6827
VARIABLE = "gunicorn_requirements"
# An extra knows what else the class imports, and which versions of its library this Gunicorn works with: from 26.1 on,
# only the extra "gevent" brings "packaging". pip only warns of an extra that a Gunicorn does not have.
_EXTRAS_OF_CLASSES = {
    "eventlet": ("eventlet", "egg:gunicorn#eventlet", "gunicorn.workers.geventlet.EventletWorker"),
    "gevent": (
        *(f"{prefix}gevent{suffix}" for prefix in ("", "egg:gunicorn#") for suffix in ("", "_wsgi", "_pywsgi")),
        *(f"gunicorn.workers.ggevent.Gevent{kind}Worker" for kind in ("", "PyWSGI")),
    ),
    "tornado": ("tornado", "egg:gunicorn#tornado", "gunicorn.workers.gtornado.TornadoWorker"),
}


class Asked(NamedTuple):
    """The requirements as they were given: the lines of a list, or the path of a file; and pip's further arguments."""

    lines: list[str]
    file: str
    pip_extra_args: list[str]
    version: str  # gunicorn_version
    installer: str

    @property
    def hash(self) -> str:
        """A hash of what is asked for, without the content of files."""
        extra = urls.without_passwords(self.pip_extra_args)
        return stamp.hash_of([self.version, self.file, "", *self.lines, "", *extra])

    @property
    def folder(self) -> str:
        """The folder that paths are relative to."""
        return os.path.dirname(self.file) or "/"


def gunicorn_specifiers(version: str) -> list[str]:
    """The specifiers that say the same as gunicorn_version, and never allow a version below the floor."""
    floor = f">={FLOOR}"
    if version == "newest":
        return [floor]
    return [floor, f"=={version}" if version[0].isdigit() else version.replace(" ", "")]


def gunicorn_requirement(version: str, worker_class: str = "sync", settings: Mapping[str, object] | None = None) -> str:
    """What gunicorn_version says as a requirement, with the extras that the worker class and the settings need."""
    extras = ",".join(gunicorn_extras(worker_class, settings or {}))
    return f"gunicorn{f'[{extras}]' if extras else ''}{','.join(gunicorn_specifiers(version))}"


def gunicorn_extras(worker_class: str, settings: Mapping[str, object]) -> list[str]:
    """Gunicorn's extras that bring the libraries of a worker class and of settings."""
    extras = [extra for extra, names in _EXTRAS_OF_CLASSES.items() if worker_class in names]
    if "h2" in str(settings.get("http_protocols")).lower().replace(" ", "").split(","):
        extras.append("http2")
    if settings.get("http_parser") == "fast":
        extras.append("fast")
    return sorted(extras)


def check(given: list | str | None) -> tuple[list[str], str]:
    """The lines of a list, or the path of a file; raises InvalidValue if the requirements are neither."""
    if not given:
        return [], ""
    if isinstance(given, str):
        return [], os.path.abspath(given)
    if isinstance(given, list) and all(isinstance(line, str) for line in given):
        return given, ""
    shown = urls.without_passwords(given)
    raise InvalidValue(VARIABLE, shown, "a list of requirements, or the path of a file of them")
