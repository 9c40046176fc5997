# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host on which a project may be removed."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

import pytest
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, units


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One without the project."""
    host = Host(tmp_path)
    host.units.mkdir()
    host.programs.mkdir(parents=True)
    monkeypatch.setattr(units, "UNIT_DIRECTORY", str(host.units))
    monkeypatch.setattr(runtime_units, "DIRECTORY", str(host.runtime_units))
    monkeypatch.setattr(programs, "PROGRAMS", str(host.programs))
    monkeypatch.setattr(programs, "LOGS", str(tmp_path / "log" / "supervisor"))
    socket = f"[unix_http_server]\nfile={tmp_path}/supervisor.sock\n"
    main = host.write("supervisor/supervisord.conf", f"{socket}[include]\nfiles = conf.d/*.conf more/*.ini\n")
    monkeypatch.setattr(configuration, "CONFIGURATION", main)
    return host


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
