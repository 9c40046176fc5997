# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What root may not read of a process without the capability SYS_PTRACE, as in many containers; its own user may.

A child takes on the user of the process and reads. Nothing of that user's is executed, and the kernel lets no process
of that user look into the child, which was root's.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import kernel_files

# Seconds. The user can stop the child by a signal.
_PATIENCE = 5.0
_LONGEST = 4 * 1024 * 1024


def run(pid: int, read: t.Callable[[], bytes], root: str = "/") -> bytes:
    """Return what the function returns as the user of a process; nothing if that is root, or does not answer."""
    try:
        owner = os.stat(kernel_files.join(root, f"/proc/{pid}"))
    except OSError:
        return b""
    if os.geteuid() != 0 or owner.st_uid == 0:
        return b""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(owner, read, sink)
    os.close(sink)
    try:
        return _receive(source)
    finally:
        os.close(source)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def read_bytes(pid: int, path: str, longest: int = -1, root: str = "/") -> bytes:
    """Return the bytes of a file that procfs has of a process, as root or as its user; empty if neither may."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(longest) or b""
    except PermissionError:
        return run(pid, lambda: kernel_files.read_bytes(path, longest), root)
    except OSError:
        return b""


def read_link(pid: int, path: str, root: str = "/") -> str | None:
    """Return where a link that procfs has of a process leads, for root or for its user; None if neither may see it."""
    try:
        return os.readlink(path)
    except PermissionError:
        return os.fsdecode(run(pid, lambda: os.fsencode(os.readlink(path)), root)) or None
    except OSError:
        return None


def _answer(owner: os.stat_result, read: t.Callable[[], bytes], sink: int) -> t.NoReturn:
    try:
        os.setgroups([])
        os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
        os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
        with os.fdopen(sink, "wb") as file:
            file.write(read())
    finally:
        os._exit(0)


def _receive(source: int) -> bytes:
    deadline = time.monotonic() + _PATIENCE
    found = b""
    while len(found) < _LONGEST:
        ready, _writable, _failed = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return b""
        block = os.read(source, 65536)
        if not block:
            return found
        found += block
    return b""
