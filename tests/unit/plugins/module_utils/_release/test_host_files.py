# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import host_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

NOBODY = Account(65534, 65534, (65534,))


def test_the_hash_of_a_file_and_of_its_copy(tmp_path: Path) -> None:
    """What is copied is what was hashed."""
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    wanted = hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert host_files.hash_of("v", str(tmp_path / "a"), NOBODY) == wanted
    assert host_files.copy(str(tmp_path / "a"), str(tmp_path / "b")) == wanted
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_what_is_no_file(tmp_path: Path) -> None:
    """Nobody waits for a FIFO."""
    os.mkfifo(tmp_path / "fifo")
    for name, said in (("fifo", "no regular file"), ("gone", "No such file"), (".", "no regular file")):
        with pytest.raises(InvalidValue, match=rf"^v: .* expected a file of the host \(.*{said}"):
            host_files.hash_of("v", str(tmp_path / name), NOBODY)


def test_what_the_services_user_could_change(tmp_path: Path) -> None:
    """The requirements of a release are installed by root, so its user must not write them."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("x")
    (tmp_path / "mine").chmod(0o777)
    with pytest.raises(InvalidValue, match=f"the service's user can change {tmp_path}/mine$"):
        host_files.hash_of("v", str(tmp_path / "mine" / "a"), NOBODY)


def test_a_target_is_not_followed(tmp_path: Path) -> None:
    """Nothing is written through a link."""
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to(tmp_path / "c")
    with pytest.raises(FileExistsError):
        host_files.copy(str(tmp_path / "a"), str(tmp_path / "b"))
