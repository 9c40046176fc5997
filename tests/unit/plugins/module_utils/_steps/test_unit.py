# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit of a step: what it has of the unit of its service, and what not."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution

SERVICE = """\
# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.
[Unit]
Description=shop
Requires=shop.socket

[Service]
Type=notify
NotifyAccess=main
NonBlocking=yes
User=shop
Group=web
WorkingDirectory=/etc/opt/shop
RuntimeDirectory=gunicorn/shop
RuntimeDirectoryMode=0750
Environment=DJANGO_SETTINGS_MODULE=settings
EnvironmentFile=/etc/opt/shop/secrets.env
EnvironmentFile=/etc/shop.env
LoadCredential=key:/etc/opt/shop/credentials/key
Environment=SPT_NOENV=1
Environment=GUNICORN_CONFIGURATION=@CONFIGURATION@
ExecStart=/opt/shop/venv/bin/gunicorn shop.wsgi
ExecStartPost=/bin/sh -c wait
ExecReload=/bin/sh -c "kill -HUP \\"$$MAINPID\\""
KillMode=mixed
TimeoutStartSec=120
Restart=always
RestartSec=500ms
# The sandbox
ProtectSystem=strict
ReadWritePaths=/var/opt/shop
MemoryMax=1G
[Install]
WantedBy=multi-user.target
"""
STEP = Execution(
    note={"release": "3f2a", "name": "migrate", "hash": "12"},
    command=["/opt/shop/venv/bin/python", "-c", "print('$HOME %n')\n"],
    directory="/opt/shop/releases/3f2a",
    environment={"GUNICORN_STEP": "migrate", "A": 'a "b"\nExecStart=/bin/evil'},
    writes=["/srv/a b"],
    timeout=600,
)


def test_a_step_has_the_user_environment_and_sandbox_of_its_service() -> None:
    """And the new secrets, wherever they are; but nothing that makes a service of it, nor its runtime directory."""
    base = unit.base(SERVICE, "/etc/opt/shop", "/run/gunicorn-shop-step.private")
    assert base.splitlines() == [
        "[Unit]",
        "Description=A step of a release",
        "",
        "[Service]",
        "User=shop",
        "Group=web",
        "Environment=DJANGO_SETTINGS_MODULE=settings",
        "EnvironmentFile=/run/gunicorn-shop-step.private/secrets.env",
        "EnvironmentFile=/etc/shop.env",
        "LoadCredential=key:/run/gunicorn-shop-step.private/credentials/key",
        "Environment=SPT_NOENV=1",
        "ProtectSystem=strict",
        "ReadWritePaths=/var/opt/shop",
        "MemoryMax=1G",
    ]


def test_what_a_step_has_of_its_own_is_quoted() -> None:
    """A value does not begin another line, and gets to the process as it is."""
    own = unit.own(STEP, "gunicorn/shop-step", "/run/out").splitlines()
    assert 'Environment="A=a \\"b\\"\\nExecStart=/bin/evil"' in own
    assert "ExecStart=" in own
    assert "ExecStart=/opt/shop/venv/bin/python -c \"print('$$HOME %%n')\\n\"" in own
    assert 'ReadWritePaths="/srv/a b"' in own
    assert "TimeoutStartSec=600" in own
    assert not [line for line in own if line.startswith("ExecStart=/bin")]


def test_the_next_run_reads_which_step_it_was() -> None:
    """A drop-in of others says nothing."""
    assert unit.note_of(unit.own(STEP, "a", "b")) == STEP.note
    assert unit.note_of("[Service]\nType=oneshot\n") == {}
    assert unit.note_of(None) == {}


def test_a_search_path_of_the_service_stays() -> None:
    """In quotes or without; another variable is none."""
    assert unit.has_path("Environment=PATH=/bin\n")
    assert unit.has_path('A=1\nEnvironment="PATH=/a b"\n')
    assert not unit.has_path("Environment=PYTHONPATH=/bin\nEnvironment=A=PATH=1\n")
