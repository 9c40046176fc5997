# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the host from which a release is made: root reads them, if the service's user has no hand in them."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import IO

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_PART = 1024 * 1024  # bytes


def check_trust(variable: str, path: str, account: Account, shown: str = "") -> None:
    """Raise InvalidValue if the account of the service could change what is at a path."""
    component = accounts.changeable_by(path, account)
    if component:
        expected = f"a path that only root and who deploys can change: the service's user can change {component}"
        raise InvalidValue(variable, shown or path, expected)


def hash_of(variable: str, path: str, account: Account) -> str:
    """The SHA-256 of a file; raises InvalidValue if root can't read it, or must not rely on it."""
    check_trust(variable, path, account)
    try:
        with _opened(path) as file:
            return _hash_of(file)
    except OSError as error:
        raise InvalidValue(variable, path, f"a file of the host ({error.strerror})") from None


def copy(path: str, target: str) -> str:
    """Copy a file to a path where there is none, for its owner alone; its SHA-256, which is that of the copy."""
    with _opened(path) as file:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as copied:
            return _hash_of(file, copied)


def _opened(path: str) -> IO[bytes]:
    # A FIFO would be waited for, and opening a device can have an effect.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(0, "it is no regular file", path)
    return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")


def _hash_of(file: IO[bytes], copied: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    for part in iter(lambda: file.read(_PART), b""):
        digest.update(part)
        if copied:
            copied.write(part)
    return digest.hexdigest()
