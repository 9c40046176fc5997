# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

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
