# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import ENTER, WRITE, Account


class TestAccounts:
    def test_a_user_of_the_host(self) -> None:
        """The ids and all groups are those that the kernel would give the user's processes."""
        assert accounts.read_account("root") == Account(0, 0, tuple(os.getgrouplist("root", 0)))

    def test_what_the_host_lacks(self) -> None:
        """A missing user or group is no error: it is to be made."""
        assert accounts.read_account("no-such-user") is None
        assert not accounts.has_group("no-such-group")
        assert accounts.has_group("root")

    @pytest.mark.parametrize(
        ("owner", "group", "mode", "writable"),
        [
            (1000, 9, 0o700, True),
            (1000, 9, 0o300, True),
            (1000, 9, 0o600, False),
            (1000, 9, 0o577, False),  # an owner's own bits count, and no others
            (0, 1001, 0o770, True),
            (0, 1002, 0o730, True),
            (0, 1002, 0o757, False),  # so do a group's
            (0, 1002, 0o760, False),
            (0, 9, 0o770, False),
            (0, 9, 0o777, True),
            (0, 9, 0o1777, True),
            (0, 9, 0o772, False),
        ],
    )
    def test_who_may_make_a_file(self, owner: int, group: int, mode: int, writable: bool) -> None:
        """To make a file in a directory takes writing and searching, by the one class that the account is in."""
        status = os.stat_result((0o040000 | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
        assert accounts.allows(status, Account(1000, 1001, (1001, 1002)), WRITE | ENTER) is writable


USER = Account(4242, 4243, (4243, 4244))


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of root's, with nothing above it that others can change."""
    path = tmp_path_factory.mktemp("host")
    real = os.lstat
    above = {str(parent) for parent in path.parents}

    def lstat(name: str) -> os.stat_result:
        status = real(name)
        return os.stat_result((0o040755, *status[1:4], 0, 0, *status[6:])) if str(name) in above else status

    monkeypatch.setattr(accounts.os, "lstat", lstat)
    path.chmod(0o755)
    return path


def make(path: Path, uid: int = 0, gid: int = 0, mode: int = 0o755) -> Path:
    """Make a directory."""
    path.mkdir()
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


class TestChangeable:
    @pytest.mark.parametrize(
        ("uid", "gid", "mode", "changeable"),
        [
            (0, 0, 0o755, False),
            (0, 4244, 0o755, False),
            (1000, 1000, 0o775, False),  # another user
            (4242, 0, 0o555, True),  # the owner can change the mode
            (0, 4244, 0o775, True),
            (0, 0, 0o777, True),
            (0, 0, 0o775, False),
        ],
    )
    def test_every_directory_on_the_way_counts(
        self, folder: Path, uid: int, gid: int, mode: int, changeable: bool
    ) -> None:
        """Who can rename a directory can put another one in its place, however deep the path goes on."""
        outer = make(folder / "outer", uid, gid, mode)
        inner = make(outer / "inner")
        expected = str(outer) if changeable else None
        for path in (outer, inner, inner / "missing", inner / "missing" / "file"):
            assert accounts.changeable_by(str(path), USER) == expected

    def test_links_are_followed(self, folder: Path) -> None:
        """The way as it is written counts, and the way on which the links lead."""
        theirs = make(folder / "theirs", uid=4242)
        ours = make(folder / "ours")
        make(ours / "deep")
        (ours / "out").symlink_to("../theirs")
        (ours / "absolute").symlink_to(theirs)
        (theirs / "back").symlink_to(ours)
        (ours / "loop").symlink_to("loop")
        for path in (ours / "out", ours / "absolute" / "x", theirs / "back" / "deep"):
            assert accounts.changeable_by(str(path), USER) == str(theirs)
        assert accounts.changeable_by(f"{ours}/deep/../../ours/./deep/", USER) is None
        assert accounts.changeable_by(f"{ours}/loop/x", USER) is None

    def test_in_a_sticky_directory_the_owner_of_an_entry_counts(self, folder: Path) -> None:
        """As in /tmp: everybody can make what is missing there, and nobody can exchange what is another's."""
        shared = make(folder / "shared", mode=0o1777)
        make(shared / "ours")
        make(shared / "theirs", uid=4242)
        (shared / "link").symlink_to(shared / "ours")
        (shared / "their-link").symlink_to(shared / "ours")
        os.chown(shared / "their-link", 4242, 4242, follow_symlinks=False)
        assert accounts.changeable_by(f"{shared}/ours/file", USER) is None
        assert accounts.changeable_by(f"{shared}/link/file", USER) is None
        for name in ("theirs", "their-link", "missing"):
            assert accounts.changeable_by(f"{shared}/{name}/file", USER) == f"{shared}/{name}"
        assert accounts.changeable_by(str(shared), USER) == str(shared)
        os.chown(shared, 4242, 0)
        assert accounts.changeable_by(f"{shared}/ours/file", USER) == str(shared)

    def test_the_file_itself_counts(self, folder: Path) -> None:
        """Though its directory is root's."""
        file = folder / "file"
        file.touch(0o644)
        assert accounts.changeable_by(str(file), USER) is None
        os.chown(file, 4242, 0)
        assert accounts.changeable_by(str(file), USER) == str(file)

    def test_an_access_control_list_counts(self, folder: Path) -> None:
        """It names users and groups that the mode does not show."""
        listed = make(folder / "listed")

        def allow(tag: int, number: int, mask: int = 7) -> None:
            entries = [(1, 7, -1), (tag, 7, number), (4, 5, -1), (0x10, mask, -1), (0x20, 5, -1)]
            text = b"".join(struct.pack("<HHi", *entry) for entry in sorted(entries))
            try:
                os.setxattr(listed, "system.posix_acl_access", struct.pack("<I", 2) + text)
            except OSError as error:
                pytest.skip(f"no access control lists here: {error}")

        for tag, number, expected in ((2, 4242, True), (8, 4244, True), (2, 4244, False), (8, 4242, False)):
            allow(tag, number)
            assert accounts.changeable_by(f"{listed}/x", USER) == (str(listed) if expected else None)
        allow(2, 4242, mask=5)
        assert accounts.changeable_by(f"{listed}/x", USER) is None

    def test_an_account_that_does_not_exist_yet(self, folder: Path) -> None:
        """It owns nothing, and can write where everybody can; a group that is there counts."""
        account = accounts.service_account("no-such-user", "no-such-group")
        make(folder / "removed", uid=4242)
        make(folder / "open", mode=0o777)
        assert accounts.changeable_by(f"{folder}/removed/x", account) is None
        assert accounts.changeable_by(f"{folder}/open/x", account) == f"{folder}/open"
        assert accounts.service_account("no-such-user", "daemon").groups == (accounts.group_id("daemon"),)
        assert accounts.service_account("root", "daemon").uid == -1
        assert accounts.service_account("nobody", "daemon").groups[-1] == accounts.group_id("daemon")
