# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host on which a project may be removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import plan as removal_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.plan import RemovalPlan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.supervisor import SupervisorManager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.systemd import SystemdManager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import socket_units, units

OURS = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.\n"
NO_UNIT = {"LoadState": "not-found", "ActiveState": "inactive"}


class Host:
    """Its directories are below a temporary one. systemd knows no unit of the project, and supervisor does not run."""

    ours = OURS

    def __init__(self, root: Path) -> None:
        self.root = root
        self.units = root / "units"
        self.runtime_units = root / "runtime-units"
        self.programs = root / "supervisor" / "conf.d"
        self.config = root / "etc" / "shop"
        self.known_units: dict[str, dict[str, str]] = {}
        self.commands: list[list[str]] = []
        self.failing = ""

    def write(self, path: Path | str, text: str = "") -> str:
        """Write a file and its directories; returns its path."""
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def write_program(self, name: str, folder: Path, **description: object) -> str:
        """Write a program that the role made, and its description; returns the program's path."""
        told = {"state": f"/run/gunicorn-{name}", "sockets": [], **description}
        self.write(folder / launcher.DESCRIPTION, json.dumps(told, indent=2))
        options = launcher.program_options(name, str(folder), True, 40, "hash")
        return self.write(self.programs / f"{name}.conf", programs.program_text(name, "", options))

    def know(self, name: str, **properties: str) -> None:
        """Have systemd know a unit by the file that has its name."""
        path = str(self.units / name)
        self.known_units[name] = {"LoadState": "loaded", "FragmentPath": path, **properties}

    def arguments(self, **changes: object) -> dict:
        """The module's arguments."""
        return {
            "project": "shop",
            "service_name": "shop",
            "service_manager": "systemd",
            "user": "shop",
            "group": "shop",
            "manage_user": True,
            "venv": f"{self.root}/opt/shop/venv",
            "code_directory": f"{self.root}/opt/shop",
            "releases_directory": f"{self.root}/opt/shop/releases",
            "static_directory": f"{self.root}/var/cache/shop/static",
            "config_directory": str(self.config),
            "data_directory": f"{self.root}/var/shop",
            "log_file": f"{self.root}/log/shop/gunicorn.log",
            "access_log_file": "",
            "remove": [],
            **changes,
        }

    def run(self, command: list[str]) -> tuple[int, str, str]:
        """Note a command. systemctl show prints what is in `known_units`."""
        self.commands.append(command)
        if command[:2] == ["systemctl", "show"]:
            blocks = ({**NO_UNIT, **self.known_units.get(name, {})} for name in command[4:])
            return 0, "\n\n".join("\n".join(f"{key}={value}" for key, value in each.items()) for each in blocks), ""
        failed = self.failing and self.failing in command
        return int(bool(failed)), "", f"{self.failing}\n  failed\n" if failed else ""

    @property
    def runner(self) -> Runner:
        """Runs commands on this host."""
        return Runner(self.run)

    def plan(self, **changes: object) -> RemovalPlan:
        """What there is to do under systemd."""
        wanted = parameters.check_parameters(self.arguments(**changes))
        return removal_plan.make_plan(wanted, SystemdManager(wanted.service, self.runner))

    def plan_under_supervisor(self, **changes: object) -> RemovalPlan:
        """What there is to do under supervisor."""
        wanted = parameters.check_parameters(self.arguments(**changes))
        return removal_plan.make_plan(wanted, SupervisorManager(wanted.service, wanted.config_directory))


def make_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One without the project."""
    host = Host(tmp_path)
    host.units.mkdir()
    host.programs.mkdir(parents=True)
    (host.root / "notes").mkdir()
    monkeypatch.setattr(names, "NOTES", str(host.root / "notes"))
    monkeypatch.setattr(units, "UNIT_DIRECTORY", str(host.units))
    monkeypatch.setattr(units, "RUNTIME_DIRECTORY", str(host.runtime_units))
    monkeypatch.setattr(socket_units, "ended_flag", lambda name: f"{tmp_path}/run/gunicorn-{name}.ended")
    monkeypatch.setattr(programs, "PROGRAMS", str(host.programs))
    monkeypatch.setattr(programs, "LOGS", str(tmp_path / "log" / "supervisor"))
    socket = f"[unix_http_server]\nfile={tmp_path}/supervisor.sock\n"
    main = host.write("supervisor/supervisord.conf", f"{socket}[include]\nfiles = conf.d/*.conf more/*.ini\n")
    monkeypatch.setattr(configuration, "CONFIGURATION", main)
    return host
