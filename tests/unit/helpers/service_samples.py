# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service as it must be and as a host has it, for the unit tests: nothing is to be done."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import FileState, WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import SupervisorSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

SOCKET_TEXT = """\
[Unit]
Description=shop

[Socket]
ListenStream=127.0.0.1:8000
ListenStream=[::1]:8000
FreeBind=yes
Service=shop.service

[Install]
WantedBy=sockets.target
"""
COMMON = {
    "name": "shop",
    "started": True,
    "companions_started": True,
    "companions": (),
    "run_group": "",
    "user": "shop",
    "group": "shop",
    "log_file": "-",
    "configuration": WantedFile("/etc/opt/shop/gunicorn.conf.py", "threads = 1\n"),
    "memory_note": WantedFile(
        "/var/lib/gunicorn-shop.memory",
        "# Managed by Ansible (role pyweb.gunicorn.gunicorn): the sizing of other projects on this host reads it.\n"
        "memory=672M\nslice=system.slice\n",
    ),
    "logrotate": WantedFile("/etc/logrotate.d/gunicorn-shop", "/var/log/shop/gunicorn.log {\n}\n"),
    "secret_files": (WantedFile("/etc/opt/shop/secrets.env", "A=1\n", 0o600, secret=True),),
    "binds": (Address("127.0.0.1", 8000), Address("::1", 8000)),
    "argv": ("/opt/shop/venv/bin/gunicorn", "--workers=3", "shop.wsgi"),
    "workers": 3,
    "venv": "/opt/shop/venv",
    "venv_directory": "/opt/shop/venv-12345678",
    "venv_backup": "",
    "gunicorn_version": "27.0.1",
    "configuration_hash": "hash",
    "secrets_hash": "secrets",
    "health": HealthRequest("/", "localhost", "http", ()),
    "health_timeout": 30,
    "release": None,
    "code_directory": "/opt/shop",
    "asked": {"venv_fingerprint": ""},
}
SYSTEMD_SPEC = SystemdSpec(
    **COMMON,
    enabled=True,
    companions_enabled=True,
    unit=WantedFile("/etc/systemd/system/shop.service", "[Service]\n"),
    socket=WantedFile("/etc/systemd/system/shop.socket", SOCKET_TEXT),
    standin_unit="[Service]\n",
)
SUPERVISOR_SPEC = SupervisorSpec(
    **COMMON,
    launcher=WantedFile("/etc/opt/shop/gunicorn.launch.py", ""),
    description=WantedFile("/etc/opt/shop/gunicorn.launch.json", "{}"),
    program=WantedFile("/etc/supervisor/conf.d/shop.conf", "[program:shop]\n"),
    trial="{}",
    stop_timeout=40,
)
UNIT = Unit(exists=True, active=True, starting=False, enabled=True, main_pid=7, stale=False, path="", listen=())
GONE = UNIT._replace(exists=False, active=False, enabled=False, main_pid=0)
RUNNING = Running(
    pid=7,
    configuration="hash",
    secrets="secrets",
    argv=COMMON["argv"],
    prefix=COMMON["venv_directory"],
    gunicorn_version="27.0.1",
    configuration_sha256=files.text_hash("threads = 1\n"),
    workers=3,
    holds_sockets=True,
)
ADDRESSES = ("127.0.0.1:8000", "[::1]:8000")
FILES = {
    file.path: FileState(files.text_hash(file.content or ""), file.owner, file.group, file.mode)
    for file in SYSTEMD_SPEC.all_files
}
SYSTEMD_STATE = SystemdState(
    service=UNIT,
    socket=UNIT._replace(main_pid=0),
    standin=GONE,
    running=RUNNING,
    files=dict(FILES),
    addresses=ADDRESSES,
    listening=ADDRESSES,
    venv_directory=COMMON["venv_directory"],
    interrupted=False,
    group=0,
)


def without(path: str) -> dict[str, FileState | None]:
    """The files of a host that lacks one of them."""
    return {**FILES, path: None}
