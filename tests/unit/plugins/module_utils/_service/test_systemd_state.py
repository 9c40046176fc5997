# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.action import gunicorn_service as action
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import FileState, WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import systemd, systemd_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

COMMAND = ["/opt/shop/venv/bin/gunicorn", "--workers=3", "shop.wsgi"]
GIVEN = {
    "name": "shop",
    "state": "started",
    "enabled": True,
    "user": "shop",
    "group": "shop",
    "unit": "[Service]\nEnvironment=GUNICORN_CONFIGURATION=@CONFIGURATION@\n",
    "standin_unit": "[Service]\n",
    "optional_directives": ["PrivateTmp"],
    "left_out": {},
    "socket_unit": "[Socket]\nListenStream=127.0.0.1:8000\nListenStream=/run/shop.sock\n",
    "configuration": "threads = 1\n",
    "config_directory": "/etc/opt/shop",
    "memory_note": "memory=416M\n",
    "logrotate": "/var/log/shop/gunicorn.log {\n}\n",
    "log_file": "-",
    "binds": ["127.0.0.1:8000", "unix:/run/shop.sock"],
    "command": COMMAND,
    "workers": 3,
    "venv": "/opt/shop/venv",
    "venv_directory": "/opt/shop/venv-12345678",
    "venv_backup": "",
    "venv_fingerprint": "print",
    "gunicorn_version": "27.0.1",
    "code_directory": "/opt/shop",
    "health": {"path": "/", "host": "localhost", "scheme": "http", "statuses": [], "timeout": 30},
}
GROUP = 998
WANTED = systemd.spec_from(GIVEN, GROUP, [], "")
UNIT = Unit(exists=True, active=True, starting=False, enabled=True, main_pid=7, stale=False, path="", listen=("a", "b"))
FOUND = SystemdState(
    service=UNIT,
    socket=UNIT,
    standin=UNIT._replace(exists=False, active=False),
    running=Running(
        pid=7,
        configuration=WANTED.configuration_hash,
        secrets="",
        argv=tuple(COMMAND),
        prefix=WANTED.venv_directory,
        gunicorn_version="27.0.1",
        configuration_sha256=files.text_hash(GIVEN["configuration"]),
        workers=3,
        holds_sockets=True,
    ),
    files={
        file.path: FileState(files.text_hash(file.content or ""), 0, file.group, file.mode) for file in WANTED.all_files
    },
    addresses=("/run/shop.sock", "127.0.0.1:8000"),
    listening=("127.0.0.1:8000", "/run/shop.sock"),
    venv_directory=WANTED.venv_directory,
    interrupted=False,
    group=GROUP,
)
SECRETS = WantedFile("/etc/opt/shop/secrets.env", "A=1\n", 0o600, secret=True)


def told(found: SystemdState) -> dict:
    """What the controller gets of it."""
    return json.loads(json.dumps(systemd_state.as_dict(found)))


def reasons(found: SystemdState) -> list[str]:
    """What the action says of it."""
    return action.compare({**GIVEN, "observed": told(found)})["reasons"]


def test_the_controller_gets_what_the_host_has() -> None:
    """On its way it loses nothing, whether there is a service or not."""
    nothing = FOUND._replace(running=None, files=dict.fromkeys(FOUND.files))
    for found in (FOUND, nothing):
        assert systemd_state.from_dict(told(found)) == found


def test_nothing_is_to_do_where_all_is_as_wanted() -> None:
    """The controller finds no reason."""
    assert reasons(FOUND) == []


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"service": UNIT._replace(active=False)}, "the service does not run"),
        ({"listening": ("127.0.0.1:8000",)}, "nothing listens on /run/shop.sock"),
        ({"interrupted": True}, "the last change was interrupted"),
        ({"refused": True}, "a change was refused, and its code may still be in place: that must be tried"),
        ({"venv_directory": "/opt/shop/venv"}, "the virtual environment was changed"),
        ({"group": 999}, "/etc/opt/shop/gunicorn.conf.py is not as configured"),
        ({"differing_secrets": ("/etc/opt/shop/secrets.env",)}, "/etc/opt/shop/secrets.env is not as configured"),
        (
            {"running": FOUND.running and FOUND.running._replace(workers=2)},
            "the number of workers is 2, not 3",
        ),
    ],
)
def test_each_difference_is_found(found: dict, reason: str) -> None:
    """The controller finds what the host would."""
    assert reasons(FOUND._replace(**found)) == [reason]


def test_the_controllers_files_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are the host's: it says itself where links lead."""
    monkeypatch.setattr(os.path, "realpath", lambda path: pytest.fail(f"{path} was looked for"))
    assert reasons(FOUND) == []


@pytest.mark.parametrize("path", list(FOUND.files))
@pytest.mark.parametrize("state", [None, FileState("", 0, 0, 0o644), FileState("other", 0, GROUP, 0o640)])
def test_each_file_counts(path: str, state: FileState | None) -> None:
    """One that is gone, or is another."""
    assert f"{path} is not as configured" in reasons(FOUND._replace(files={**FOUND.files, path: state}))


def test_closed_addresses_of_a_closed_socket_are_told_once() -> None:
    """Where systemd holds no sockets, that says it all."""
    found = FOUND._replace(listening=(), socket=UNIT._replace(active=False))
    assert reasons(found) == ["the listening sockets are not open"]


class TestSecrets:
    def test_nothing_is_told_but_whether_they_are_as_wanted(self, tmp_path: Path) -> None:
        """No hash that somebody could guess them from."""
        (tmp_path / "secrets.env").write_text("A=2\n")
        file = SECRETS._replace(path=str(tmp_path / "secrets.env"))
        running = FOUND.running and FOUND.running._replace(secrets="hash")
        found = systemd_state.without_secrets(FOUND._replace(running=running), [file], "new hash")
        assert reasons(found) == [f"{file.path} is not as configured", "what runs was started with other secrets"]
        assert "hash" not in json.dumps([found.running and found.running.secrets, found.differing_secrets])
        assert file.path not in found.files

    def test_the_right_ones_are_no_reason(self, tmp_path: Path) -> None:
        """Neither of the file nor of the process."""
        path = tmp_path / "secrets.env"
        path.write_text("A=1\n")
        path.chmod(0o600)
        file = SECRETS._replace(path=str(path), owner=os.getuid(), group=path.stat().st_gid)
        running = FOUND.running and FOUND.running._replace(secrets="hash")
        assert reasons(systemd_state.without_secrets(FOUND._replace(running=running), [file], "hash")) == []


def test_a_service_of_this_host_is_read(tmp_path: Path) -> None:
    """What listens, what files there are, and what there is not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "open.sock"))
        server.listen()
        (tmp_path / "venv").symlink_to(tmp_path / "venv-1")
        binds = [Address(path=str(tmp_path / name)) for name in ("open.sock", "closed.sock")]
        blocks = ["LoadState=not-found\nActiveState=inactive\nUnitFileState=\nMainPID=0\nNeedDaemonReload=no\n"] * 3
        found = systemd_state.read(
            "no-such-service",
            [str(tmp_path)],
            binds,
            str(tmp_path / "venv"),
            "no-such-group",
            [str(tmp_path / "log")],
            systemd_state.ask("no-such-service", Runner(lambda _command: (0, "\n".join(blocks), ""))),
        )
    status = tmp_path.stat()
    assert found == SystemdState(
        *[Unit(False, False, False, False, 0, False, "", ())] * 3,
        running=None,
        files={str(tmp_path): FileState("", status.st_uid, status.st_gid, status.st_mode & 0o7777)},
        addresses=(),
        listening=(str(tmp_path / "open.sock"),),
        venv_directory=str(tmp_path / "venv-1"),
        interrupted=False,
        group=-1,
        has_command=False,
    )
    assert systemd.decide(WANTED, found._replace(files=FOUND.files)).switch


class TestLeftOut:
    UNIT = "[Service]\nPrivateTmp=yes\nEnvironment=GUNICORN_CONFIGURATION=@CONFIGURATION@\n"

    def test_the_controller_writes_the_unit_that_the_host_has(self) -> None:
        """A host that does without a directive is as wanted, by the plan's word alone."""
        given = {**GIVEN, "unit": self.UNIT, "standin_unit": self.UNIT}
        lives = systemd.spec_from(given, GROUP, [], "").without(["PrivateTmp"], "systemd 257")
        again = systemd.spec_from(
            {**given, "left_out": {"directives": ["PrivateTmp"], "tried_with": "systemd 257"}}, GROUP, [], ""
        )
        assert (again.unit, again.standin_unit, again.configuration_hash) == (
            lives.unit,
            lives.standin_unit,
            lives.configuration_hash,
        )
        assert "PrivateTmp=" not in (lives.unit.content or "") + lives.standin_unit
        assert lives.optional == ("PrivateTmp",)

    def test_what_a_process_was_started_with_counts(self) -> None:
        """With another sandbox it is another configuration."""
        given = {**GIVEN, "unit": self.UNIT}
        whole = systemd.spec_from(given, GROUP, [], "")
        assert whole.without(["PrivateTmp"], "systemd 257").configuration_hash != whole.configuration_hash

    def test_more_can_be_left_out(self) -> None:
        """Where a host has lost another privilege."""
        given = {**GIVEN, "unit": "[Service]\nA=1\nB=1\n", "left_out": {"directives": ["A"], "tried_with": "x"}}
        assert systemd.spec_from(given, GROUP, [], "").without(["B"], "y").unit.content == (
            "[Service]\n# This host can't apply A, B (tried with y).\n"
        )
