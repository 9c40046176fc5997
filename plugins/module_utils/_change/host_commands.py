# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that a service has on its host, and who may call them."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import roll_back_command
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import host_command, manager, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import run_command


def install(wanted: ServiceSpec) -> None:
    """Have the commands of a service that works on its host."""
    told = run_command.Project(
        service=wanted.name,
        manager=manager.SYSTEMD if "unit" in wanted.asked else manager.SUPERVISOR,
        config_directory=wanted.asked["config_directory"],
        venv=wanted.venv,
        code_directory=wanted.code_directory,
        releases_directory=wanted.release.directory if wanted.release else "",
        group=wanted.run_group,
    )
    host_command.install(names.run_command(wanted.name), run_command.__name__, told._asdict())
    files.put(wanted.sudoers)
    if wanted.release:
        roll_back_command.install(wanted.name, wanted.release.directory)
