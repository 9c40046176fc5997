# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host on which a project may be removed."""

from __future__ import annotations

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
