# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks beside a service's runtime directory, where root alone can write: gunicorn_hooks.py asks whether they exist.

A boot removes them, and with it the processes that they are for.
"""

from __future__ import annotations

import contextlib
import os
from typing import Iterator

DIRECTORY = "/run"


def refused(name: str) -> str:
    """The mark that a change was refused whose code lies in place: new workers would load it."""
    return os.path.join(DIRECTORY, f"gunicorn-{name}.refused")


def untried(name: str) -> str:
    """The mark that what starts was never started before."""
    return os.path.join(DIRECTORY, f"gunicorn-{name}.untried")


def make(path: str) -> None:
    """Make a mark."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))


def remove(path: str) -> None:
    """Remove a mark, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@contextlib.contextmanager
def made(path: str) -> Iterator[None]:
    """Have a mark for a while."""
    make(path)
    try:
        yield
    finally:
        remove(path)
