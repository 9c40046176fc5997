# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which service manager a host has, and which one is used."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

SYSTEMD, SUPERVISOR = "systemd", "supervisor"


def choose(wanted: str, root: str = "/") -> str:
    """The manager to use; raises InvalidValue if the host does not have the wanted one."""
    # As sd_booted(3) finds out
    booted = os.path.isdir(os.path.join(root, "run/systemd/system"))
    if wanted == SYSTEMD and not booted:
        expected = "auto or supervisor: systemd does not run this host"
        raise InvalidValue("gunicorn_service_manager", wanted, expected)
    return wanted if wanted in (SYSTEMD, SUPERVISOR) else SYSTEMD if booted else SUPERVISOR
