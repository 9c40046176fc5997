# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One at a time: locks that end with the process that holds them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from typing import Callable, Iterator


def take(name: str, wait: float) -> int:
    """Wait for a lock, and return its descriptor. The lock lasts while that is open, in a child as well.

    TimeoutError after `wait` seconds.
    """
    path = path_of(name)
    deadline = time.monotonic() + wait
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if _locks(descriptor) and _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)
        if time.monotonic() >= deadline:
            raise TimeoutError(f"another run did not end within {wait:g} s")
        time.sleep(0.2)


@contextlib.contextmanager
def held(name: str, wait: float, refusal: Callable[[str], Exception] = TimeoutError) -> Iterator[None]:
    """Hold a lock meanwhile. If it is not free after `wait` seconds, raise what `refusal` makes of the reason."""
    try:
        descriptor = take(name, wait)
    except TimeoutError as error:
        raise refusal(str(error)) from None
    try:
        yield
    finally:
        os.close(descriptor)


def path_of(name: str) -> str:
    """The path of a lock's file, which the holder of the lock may remove."""
    owner = os.geteuid()
    # Only root can write to /run, so nobody else can hold root's locks. Other users have locks of their own.
    folder = "/run" if owner == 0 and os.path.isdir("/run") else tempfile.gettempdir()
    return os.path.join(folder, f"gunicorn-{owner}-{name}.lock")


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: str) -> bool:
    """Whether the file is still at the path: a lock on a removed file keeps nobody out."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
