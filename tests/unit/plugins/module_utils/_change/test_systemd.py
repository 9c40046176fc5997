# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest
from service_samples import GONE, SYSTEMD_STATE

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import systemd as change_systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.systemd import SystemdChange
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running, systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import CompanionFailed, Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox, sandbox_effect, sandbox_trial
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox_effect import Effect

GIVEN = {
    "name": "shop",
    "state": "started",
    "enabled": True,
    "user": "shop",
    "group": "shop",
    "unit": "[Service]\nUser=shop\nPrivateUsers=yes\nProtectClock=yes\n",
    "standin_unit": "[Service]\nUser=shop\nPrivateUsers=yes\nProtectClock=yes\n# stands in\n",
    "optional_directives": ["PrivateUsers", "ProtectClock"],
    "left_out": {},
    "socket_unit": "[Socket]\nListenStream=127.0.0.1:8000\n",
    "configuration": "threads = 1\n",
    "logrotate": "",
    "log_file": "-",
    "binds": ["127.0.0.1:8000"],
    "command": ["/opt/shop/venv/bin/gunicorn", "--log-file=/var/log/shop/gunicorn.log", "shop.wsgi"],
    "workers": 3,
    "venv": "/opt/shop/venv",
    "venv_directory": "/opt/shop/venv-12345678",
    "venv_backup": "",
    "venv_fingerprint": "",
    "gunicorn_version": "27.0.1",
    "health": {"path": "/", "host": "localhost", "scheme": "http", "statuses": [], "timeout": 1},
}


class Container:
    """A host on which a start fails as long as its unit has a directive."""

    def __init__(self, systemd_: object, live: Path, standin: Path) -> None:
        self.systemd, self.units = systemd_, {"shop.service": live, "shop-standin.service": standin}
        self.cannot, self.status = "PrivateUsers=yes", "217"

    def run(self, command: list[str], **options: object) -> tuple[int, str, str]:
        """What systemctl and systemd-run do."""
        if command[0] == "systemd-run":
            return (int(self.status) if any(part.endswith(self.cannot) for part in command) else 0), "", ""
        unit = self.units.get(command[-1])
        fails = unit is not None and unit.exists() and self.cannot in unit.read_text()
        if command[1] in ("start", "restart") and fails:
            self.systemd.loaded[command[-1]] = f"ExecMainStatus={self.status}"
            return 1, "", "Job failed.\n"
        return self.systemd.run(command)


@pytest.fixture
def told() -> list[str]:
    """What a person is told."""
    return []


@pytest.fixture
def change(
    systemd, etc_units: Path, run_units: Path, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., SystemdChange]:
    """A change of a service whose unit is in place, in a container."""
    monkeypatch.setattr(sandbox, "conditions", lambda: "systemd 257, podman")
    # As the user who runs the tests
    monkeypatch.setattr(change_systemd.files, "put", lambda file: Path(file.path).write_text(file.content or ""))

    def make(state=SYSTEMD_STATE, **changes: object) -> SystemdChange:
        given = {**GIVEN, "config_directory": str(tmp_path / "config"), **changes}
        (etc_units / "shop.service").write_text(given["unit"])
        container = Container(systemd, etc_units / "shop.service", run_units / "shop-standin.service")
        made = SystemdChange(systemd_spec(given), state, Runner(container.run), told.append)
        made._stage = lambda: None
        return made

    return make


def systemd_spec(given: dict):
    """What must be, with files of the user who runs the tests."""
    secret: list[WantedFile] = []
    return systemd.spec_from(given, os.getgid(), secret, "")


class NotedCompanions:
    """They note when they are told what."""

    lost: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.steps: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_arguments: self.steps.append(name)


class TestCompanions:
    def test_one_that_fails_fails_the_change(self, change: Callable) -> None:
        """Also one that a sandbox may have stopped: web workers would have shown that before."""

        def bring() -> None:
            raise CompanionFailed("mail", "it ended", {}, 217)

        made = change()
        made.companions = NotedCompanions()
        made.companions.bring = bring
        with pytest.raises(CompanionFailed, match="^it ended$"):
            made._bring_companions()

    def test_they_go_back_with_the_service(self, change: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        """New ones end as their own units say, and old ones run by theirs."""
        made = change()
        made.companions = NotedCompanions()
        made._put_back = made.companions.put_back
        monkeypatch.setattr(change_systemd.atomic_journal, "commit", made.companions.commit)
        made._go_back()
        assert made.companions.steps == ["withdraw", "put_back", "restore", "commit"]

    def test_old_ones_end_once_all_works(self, change: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        """As long as there is a way back, it has their units. Then it is also noted what the service was given."""
        put: list[str] = []
        monkeypatch.setattr(change_systemd.files, "put", lambda file: put.append(file.path))
        made = change()
        made.companions = noted = NotedCompanions()
        for name in ("standin", "adoption", "sockets"):
            setattr(made, name, SimpleNamespace(unit="shop.socket", **dict.fromkeys(ENDING, lambda *_arguments: None)))
        made._tell_what_has_no_effect = made._keep_what_was_made_by_hand = lambda: None
        made._forget_way_back = noted.forget_way_back
        made._finish()
        assert noted.steps == ["retire", "forget_way_back", "clear"]
        assert put == ["/etc/logrotate.d/gunicorn-shop", "/var/lib/gunicorn-shop.memory"]


ENDING = ("stop", "remove_units", "forget_names", "remove_gone_files")


class TestLeavingOut:
    def test_a_start_does_without_what_the_host_can_not_apply(
        self, change: Callable, told: list[str], etc_units: Path
    ) -> None:
        """The unit says so, what runs is compared with that unit, and a person is told."""
        made = change(SYSTEMD_STATE._replace(service=GONE, socket=GONE))
        made._start()
        text = (etc_units / "shop.service").read_text()
        assert "PrivateUsers=" not in text
        assert "ProtectClock=yes\n" in text
        assert "# This host can't apply PrivateUsers (tried with systemd 257, podman).\n" in text
        assert made.wanted.unit.content == text
        (message,) = told
        assert "can't apply PrivateUsers: shop.service does without" in message
        assert "217/USER" in message

    def test_the_companions_do_without_it_too(self, change: Callable, etc_units: Path) -> None:
        """Their units were in place already; the next run would find them changed."""
        made = change(SYSTEMD_STATE._replace(service=GONE, socket=GONE))
        made.companions = CompanionsOfUnit(made.wanted, str(etc_units / "shop-mail.service"))
        files.put(made.companions.files[0])
        made._start()
        text = (etc_units / "shop-mail.service").read_text()
        assert "PrivateUsers=" not in text
        assert "ProtectClock=yes\n" in text

    def test_a_trial_does_so_too(self, change: Callable, told: list[str], run_units: Path) -> None:
        """What then goes live is what was tried."""
        made = change()
        made._run_trial()
        assert "PrivateUsers=" not in (run_units / "shop-standin.service").read_text()
        assert "PrivateUsers=" not in (made.wanted.unit.content or "")
        assert len(told) == 1

    def test_what_somebody_asked_for_fails(self, change: Callable, told: list[str]) -> None:
        """With the step of the start."""
        with pytest.raises(Failed, match=r"Job failed\. It failed at 217/USER: its user, or"):
            change(optional_directives=["ProtectClock"])._run_trial()
        assert told == []

    def test_an_application_that_ends_is_no_matter_of_the_sandbox(
        self, change: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is tried."""
        monkeypatch.setattr(sandbox_trial, "unfit", lambda *arguments: pytest.fail("it was tried"))
        monkeypatch.setattr(Container, "__init__", _with_status(Container.__init__, "1"))
        with pytest.raises(Failed, match=r"\AJob failed\Z"):
            change()._run_trial()


class TestEffect:
    @pytest.mark.parametrize(
        ("effect", "named"),
        [
            (Effect(("PrivateUsers",), ("PrivateTmp", "ProtectSystem")), "PrivateTmp, ProtectSystem"),
            (Effect(("PrivateDevices",), ("DevicePolicy",)), ""),
            (Effect((), (), ("ProtectSystem",)), ""),
            (None, ""),
        ],
    )
    def test_what_has_no_effect_is_told(
        self, change: Callable, systemd, told: list[str], monkeypatch: pytest.MonkeyPatch, effect: Effect, named: str
    ) -> None:
        """By the main process that the change has started; a run that can't know it is silent."""
        asked = {}
        monkeypatch.setattr(sandbox_effect, "read_effect", lambda unit, pid, each: asked.update({unit: each}) or effect)
        systemd.loaded["shop.service"] = "MainPID=7\nProtectSystem=strict\nPrivateTmp=yes"
        change()._tell_what_has_no_effect()
        assert asked == {"shop.service": {"ProtectSystem": "strict", "PrivateTmp": "yes"}}
        assert [text.partition(" to ")[0] for text in told] == [f"This host does not apply {named}"] * bool(named)

    def test_nothing_is_read_of_a_service_that_does_not_run(
        self, change: Callable, told: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It has no process."""
        monkeypatch.setattr(sandbox_effect, "read_effect", lambda *arguments: pytest.fail("it was read"))
        stopped = change()
        stopped.wanted = replace(stopped.wanted, started=False)
        stopped._tell_what_has_no_effect()
        change()._tell_what_has_no_effect()
        assert told == []


class CompanionsOfUnit:
    """One companion, whose unit is that of the service."""

    def __init__(self, wanted: SystemdSpec, path: str) -> None:
        self.wanted, self.path = wanted, path

    @property
    def files(self) -> list[WantedFile]:
        """What the unit has now."""
        return [self.wanted.unit._replace(path=self.path)]


def _with_status(function: Callable, status: str) -> Callable:
    def wrapper(self: Container, *arguments: object) -> None:
        function(self, *arguments)
        self.status = status

    return wrapper


class TestLogs:
    def test_a_log_is_opened_anew_by_the_process_that_runs(
        self, change: Callable, systemd, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the signal of the rotation, and it is seen whether that helped."""
        answers = [{"/var/log/shop/gunicorn.log": True}, {}]
        monkeypatch.setattr(running, "lost_logs", lambda pid, paths: answers.pop(0))
        change(SYSTEMD_STATE._replace(lost_logs={"/var/log/shop/gunicorn.log": True}))._reopen_logs()
        assert systemd.asked == ["kill --signal=USR1 --kill-who=main shop.service"]
        assert answers == []

    def test_one_that_stays_lost_fails(self, change: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next run starts the service anew."""
        monkeypatch.setattr(running, "lost_logs", lambda pid, paths: {"/var/log/shop/gunicorn.log": True})
        made = change(SYSTEMD_STATE._replace(lost_logs={"/var/log/shop/gunicorn.log": True}))
        with pytest.raises(
            Failed, match="the service writes into a file that is no more at /var/log/shop/gunicorn.log"
        ):
            made._reopen_logs()

    def test_without_lost_logs_nothing_is_sent(self, change: Callable, systemd) -> None:
        """Most changes need no signal."""
        change()._reopen_logs()
        assert systemd.asked == []


def test_what_was_said_in_this_moment_is_read(change: Callable) -> None:
    """The journal is written first, and is read from the moment on at which the change began, not from the next second."""
    made = change()
    made.began = 1700000000.9
    asked: list[list[str]] = []

    def run(command: list[str], **options: object) -> tuple[int, str, str]:
        asked.append(command)
        return 0, "Failed at step USER", ""

    made.runner = Runner(run)
    assert made._what_was_said()["The journal of shop.service"] == "Failed at step USER"
    sync, read = [command for command in asked if "journalctl" in command]
    assert "--sync" in sync
    assert "--since=@1700000000.900" in read
    assert "--unit=shop.service" in read
