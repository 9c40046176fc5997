# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host on which a project may be removed."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

import pytest
from removal_host import Host, make_host


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One without the project."""
    return make_host(tmp_path, monkeypatch)


@pytest.fixture
def system_user(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a system user and of its group, as the role makes them."""
    user, group = pwd.getpwuid(2), grp.getgrgid(pwd.getpwuid(2).pw_gid)
    users, groups = pwd.getpwnam, grp.getgrnam
    made = pwd.struct_passwd([user[0], "x", 150, *user[3:]]), grp.struct_group([group[0], "x", 150, []])
    monkeypatch.setattr(pwd, "getpwnam", lambda name: made[0] if name == user.pw_name else users(name))
    monkeypatch.setattr(grp, "getgrnam", lambda name: made[1] if name == group.gr_name else groups(name))
    assert user.pw_name == group.gr_name
    return user.pw_name
