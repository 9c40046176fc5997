# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import companions
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

MARKER = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.\n"
MAIL = {"mail": {"command": "celery worker"}}


def calendars(command: list[str], check_rc: bool) -> tuple[int, str, str]:
    """What systemd-analyze says; as AnsibleModule.run_command does, it fails at once if check_rc is set."""
    assert command[:2] == ["systemd-analyze", "calendar"]
    code = 1 if command[2] == "sometimes" else 0
    assert not (code and check_rc)
    if code:
        return code, "", "Failed to parse\n"
    following = "never" if command[2] == "2020-01-01" else "Sun 2026-11-29 00:00:00 UTC\n       From now: 11h left"
    told = f"  Original form: {command[2]}\nNormalized form: *-*-* 00:00:00\n    Next elapse: {following}\n"
    return code, told, ""


# As gunicorn_plan_info runs commands
RUNNER = Runner(calendars, check_rc=True)


def test_logs_are_where_the_service_can_write(check: Callable) -> None:
    """In the directory of its own log, or with its data."""
    given = {
        "mail": {"command": "x"},
        "own": {"command": "x", "log_file": "/var/opt/shop/own.log"},
        "journal": {"command": "x", "log_file": "-"},
    }
    wanted = check(companions=given)
    companions.check_logs(wanted)
    assert companions.logs(wanted) == ["/var/log/shop/mail.log", "/var/opt/shop/own.log"]


@pytest.mark.parametrize("path", ["/var/log/mail.log", "/etc/opt/shop/mail.log", "/var/opt/shop/deep/mail.log"])
def test_no_log_is_anywhere_else(check: Callable, path: str) -> None:
    with pytest.raises(InvalidValue, match=r"gunicorn_companions\['mail'\]\['log_file'\]: '.*' can't be used"):
        companions.check_logs(check(companions={"mail": {"command": "x", "log_file": path}}))


def test_the_access_log_is_not_for_companions(check: Callable) -> None:
    """Such as that of one which is called access."""
    wanted = check(companions={"access": {"command": "x"}}, access_log_file="/var/log/shop/access.log")
    with pytest.raises(InvalidValue, match=r"\['access'\]\['log_file'\]: .* a file of its own"):
        companions.check_logs(wanted)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (f"{MARKER}# A companion of shop: mail\n", True),
        (f"{MARKER}# A companion of shop: other\n", False),
        (f"{MARKER}# A companion of toys: mail\n", False),
        (f"{MARKER}[Service]\n", False),
        ("[Service]\n", False),
    ],
)
@pytest.mark.parametrize("suffix", ["service", "timer"])
def test_a_unit_of_somebody_else_is_left_alone(
    check: Callable, etc_units: Path, text: str, fits: bool, suffix: str
) -> None:
    """Such as one that was written by hand before."""
    path = etc_units / f"shop-mail.{suffix}"
    path.write_text(text)
    wanted = check(companions=MAIL)
    if fits:
        companions.check_units(wanted, RUNNER)
        return
    with pytest.raises(InvalidValue, match=f"gunicorn_companions: 'mail' can't be used: .*{path} is not"):
        companions.check_units(wanted, RUNNER)


def test_a_unit_of_a_package_is_left_alone(check: Callable, etc_units: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit in /etc would replace it."""
    folder = etc_units.parent / "usr"
    folder.mkdir()
    (folder / "shop-mail.service").write_text("[Service]\n")
    monkeypatch.setattr(companions, "_OTHERS", (str(folder),))
    with pytest.raises(InvalidValue, match="is not this companion's"):
        companions.check_units(check(companions=MAIL), RUNNER)


def test_systemd_itself_reads_the_calendar(check: Callable, etc_units: Path) -> None:
    companions.check_units(check(companions={"mail": {"command": "x", "calendar": "daily"}}), RUNNER)
    with pytest.raises(InvalidValue) as caught:
        companions.check_units(check(companions={"mail": {"command": "x", "calendar": "sometimes"}}), RUNNER)
    assert str(caught.value) == (
        "gunicorn_companions['mail']['calendar']: 'sometimes' can't be used: expected a time that systemd takes, see "
        "systemd.time(7) (Failed to parse)"
    )


def test_a_time_must_come(check: Callable, etc_units: Path) -> None:
    """A job would never run, and nothing would say so. One that had its only time does not stop a later change."""
    wanted = check(companions={"mail": {"command": "x", "calendar": "2020-01-01"}})
    (etc_units / "shop-mail.timer").write_text(f"{MARKER}# A companion of shop: mail\n[Timer]\nOnCalendar=daily\n")
    with pytest.raises(InvalidValue) as caught:
        companions.check_units(wanted, RUNNER)
    assert str(caught.value) == (
        "gunicorn_companions['mail']['calendar']: '2020-01-01' can't be used: expected a time that comes: this one "
        "never does"
    )
    texts = companion_units.texts(
        Common("shop", "[Service]\n", "/opt/shop", "/opt/shop/venv", ""), wanted.companions[0], 1
    )
    (etc_units / "shop-mail.timer").write_text(texts["shop-mail.timer"])
    companions.check_units(wanted, RUNNER)


class TestUnderSupervisor:
    @pytest.fixture(autouse=True)
    def _programs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where supervisor has its files."""
        monkeypatch.setattr(configuration, "CONFIGURATION", str(tmp_path / "supervisord.conf"))
        monkeypatch.setattr(programs, "PROGRAMS", str(tmp_path))

    @pytest.mark.parametrize(
        ("name", "text", "fits"),
        [
            ("shop-mail", f"; {programs.MANAGED}\n; A companion of shop: mail\n[program:shop-mail]\n", True),
            ("shop-mail", f"; {programs.MANAGED}\n; A companion of toys: mail\n[program:shop-mail]\n", False),
            ("shop-mail", f"; {programs.MANAGED}\n; shop\n[program:shop-mail]\n", False),
            ("shop-mail", "[program:another]\n", False),
            ("other", "[program:shop-mail]\n", False),
            ("other", "[program:shop-mailer]\n", True),
        ],
    )
    def test_a_program_of_somebody_else_is_left_alone(
        self, check: Callable, tmp_path: Path, name: str, text: str, fits: bool
    ) -> None:
        (tmp_path / f"{name}.conf").write_text(text)
        wanted = check(companions=MAIL)
        if fits:
            companions.check_programs(wanted)
            return
        with pytest.raises(InvalidValue, match=f"gunicorn_companions: 'mail' can't be used: .*/{name}.conf is not"):
            companions.check_programs(wanted)

    def test_a_job_needs_systemd(self, check: Callable) -> None:
        with pytest.raises(InvalidValue, match=r"^gunicorn_companions\['mail'\]\['calendar'\]: 'hourly'"):
            companions.check_programs(check(companions={"mail": {"command": "x", "calendar": "hourly"}}))

    def test_what_is_not_enforced_is_said(self, check: Callable) -> None:
        """Each by its companion."""
        given = {
            "mail": {"command": "x", "memory_max": "1G", "directives": {"UMask": "077", "CPUWeight": 5}},
            "beat": {"command": "x", "cpu_quota": "50%"},
            "fine": {"command": "x"},
        }
        assert companions.not_enforced(check(companions=given)) == [
            "Not enforced under supervisor: gunicorn_companions['beat']: cpu_quota; gunicorn_companions['mail']: "
            "memory_max, directives (CPUWeight)."
        ]
        assert companions.not_enforced(check(companions=MAIL)) == []
