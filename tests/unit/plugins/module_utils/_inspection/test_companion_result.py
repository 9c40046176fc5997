# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import companion_hosts
import pytest
from companion_hosts import ALL, BEAT, CLEAN, FINISHING, MAIL, shown
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import companion_result, inspection
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

FIXTURES = Path(__file__).parents[4] / "fixtures"
SHOWN = (FIXTURES / "services/systemctl-show.txt").read_text(encoding="utf-8")
ONE, TWO = "plain-mail@1-1.service", "plain-mail@1-2.service"
MAIL_UP = [shown("plain-mail.service"), shown(ONE, MainPID=901, NRestarts=2), shown(TWO, MainPID=902, NRestarts=1)]


class Host:
    """The captured host. It says of companions what it is told here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands: list[tuple[list[str], dict]] = []

    def read(self, *said: str) -> dict[str, Any]:
        """Return what the module returns of the services, while systemd says this of companions."""

        def run(command: list[str], **options: Any) -> tuple[int, str, str]:
            self.commands.append((command, options))
            return 0, "\n".join(said) if any(",Result," in word for word in command) else SHOWN, ""

        services = inspection.read_all(None, 0.1, Runner(run), str(self.root))["services"]
        json.dumps(services, allow_nan=False).encode()
        return {service["name"]: service for service in services}

    def companions(self, *said: str) -> dict[str, Any]:
        """Return what the module returns of the companions of plain."""
        return {each["name"]: each for each in self.read(*said)["plain"]["companions"]}


@pytest.fixture
def host(captured_host: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return Host(captured_host)


def test_a_host_without_companions_is_not_asked_for_more(host: Host) -> None:
    """systemd is asked once, about the services."""
    services = host.read()
    assert [service["companions"] for service in services.values()] == [[], [], []]
    assert len([command for command, _options in host.commands if command[0] == "systemctl"]) == 1


def test_systemd_is_asked_once_about_all_companions(host: Host) -> None:
    """In UTC: what it prints of a timer is in the host's time zone."""
    companion_hosts.put(host.root, ALL)
    companion_hosts.put(host.root, ALL, service="jrn")
    host.read()
    (_services, (command, options)) = [each for each in host.commands if each[0][0] == "systemctl"]
    assert options == {"environ_update": {"TZ": "UTC"}}
    assert {"plain-clean.timer", "jrn-mail@1-2.service"} <= set(command)


def test_processes_that_are_up(host: Host) -> None:
    """Their memory is measured as that of the service, and their restarts are added up."""
    companion_hosts.put(host.root, {"mail": MAIL})
    companion_hosts.run(host.root, ONE, 901, 911)
    companion_hosts.run(host.root, TWO, 902)
    service = host.read(*MAIL_UP)["plain"]
    (mail,) = service["companions"]
    one = next(process for process in service["processes"] if process["pid"] == 836)
    apart = ("memory", "restarts_since", "release")
    assert {name: value for name, value in mail.items() if name not in apart} == {
        "name": "mail",
        "kind": "service",
        "unit": "plain-mail.service",
        "state": "active",
        "running": 2,
        "wanted": 2,
        "pids": [901, 902, 911],
        "restarts": 3,
        "finishing": [],
        "last_result": None,
        "last_run": None,
        "next_run": None,
    }
    assert mail["memory"] == {
        "private": 3 * one["private"],
        "shared": 3 * (one["pss"] - one["private"]),
        "pss": 3 * one["pss"],
        "rss": 3 * one["rss"],
        "swap": 3 * one["swap"],
    }
    # They are no part of the service's own
    assert [process["pid"] for process in service["processes"]] == [833, 835, 836]


def test_restarts_count_since_the_boot_or_the_change(host: Host) -> None:
    """systemd forgets them at a boot, and a change makes new units."""
    companion_hosts.put(host.root, {"mail": MAIL, "clean": CLEAN})
    folder = host.root / "etc/systemd/system"
    for number, unit in enumerate((ONE, TWO)):
        os.utime(folder / unit, (4e9 + number, 4e9 + number))
    told = host.companions(*MAIL_UP)
    assert (told["mail"]["restarts_since"], told["clean"]["restarts_since"]) == (4e9, None)
    os.utime(folder / ONE, (1, 1))
    assert abs(host.companions(*MAIL_UP)["mail"]["restarts_since"] - processes.boot_time()) < 5


@pytest.mark.parametrize(
    ("said", "release"),
    [
        (b"A=1\0GUNICORN_APP_REVISION=3f2a\0", "3f2a"),
        (b"A=1\0", "/opt/plain/releases/1"),
        (b"", "/opt/plain/releases/1"),
        (b"GUNICORN_APP_REVISION=\x1b[31mred\n\xff\0", "red?\ufffd"),
        (b"GUNICORN_APP_REVISION=" + b"x" * 5000, "x" * 100 + "... (cut)"),
    ],
)
def test_the_release_is_what_a_process_says(host: Host, said: bytes, release: str) -> None:
    """It may say anything, so that it is cut, and has nothing that a terminal would obey."""
    companion_hosts.put(host.root, {"mail": MAIL})
    companion_hosts.run(host.root, ONE, 901)
    folder = host.root / "proc/901"
    (folder / "environ").write_bytes(said)
    (folder / "cwd").unlink(missing_ok=True)
    (folder / "cwd").symlink_to("/opt/plain/releases/1")
    assert host.companions(*MAIL_UP)["mail"]["release"] == release


def test_without_a_process_there_is_no_release(host: Host) -> None:
    """A directory of the unit is not what runs."""
    companion_hosts.put(host.root, {"mail": MAIL})
    assert host.companions()["mail"]["release"] is None


@pytest.mark.parametrize("state", ["activating", "deactivating", "failed", "inactive"])
def test_a_process_that_is_not_up(host: Host, state: str) -> None:
    """Such as one that waits until it is restarted; the unit that stands for all says nothing of it."""
    companion_hosts.put(host.root, {"mail": MAIL})
    companion_hosts.run(host.root, ONE, 901)
    mail = host.companions(shown("plain-mail.service"), shown(ONE, MainPID=901), shown(TWO, state))["mail"]
    assert (mail["state"], mail["running"], mail["wanted"], mail["pids"]) == ("active", 1, 2, [901])


def test_what_only_finishes(host: Host) -> None:
    """It takes memory and is not counted as up; what has ended already is not listed."""
    companion_hosts.put(host.root, {"mail": {**MAIL, "instances": 1}}, generation=2)
    companion_hosts.put(host.root, {"mail": MAIL}, folder=FINISHING, ending="@1-1.service")
    companion_hosts.put(host.root, {"mail": MAIL}, folder=FINISHING, ending="@1-2.service")
    companion_hosts.run(host.root, ONE, 901)
    companion_hosts.run(host.root, "plain-mail@2-1.service", 902)
    said = [
        shown("plain-mail.service"),
        shown("plain-mail@2-1.service", MainPID=902),
        shown(ONE, "deactivating", MainPID=901, NRestarts=5),
        shown(TWO, "inactive"),
    ]
    mail = host.companions(*said)["mail"]
    assert (mail["finishing"], mail["running"], mail["wanted"], mail["pids"]) == ([ONE], 1, 1, [901, 902])
    assert mail["restarts"] == 0


def test_one_that_is_removed_and_finishes(host: Host) -> None:
    """It is listed until its tasks are done, and nothing of it must be up."""
    companion_hosts.put(host.root, {"mail": MAIL}, folder=FINISHING, ending="@1-1.service")
    companion_hosts.run(host.root, ONE, 901)
    mail = host.companions(shown(ONE, "deactivating", MainPID=901))["mail"]
    assert (mail["unit"], mail["state"], mail["running"], mail["wanted"]) == (None, None, 0, 0)
    assert (mail["finishing"], mail["memory"]["pss"] > 0) == ([ONE], True)


def test_one_that_is_single(host: Host) -> None:
    """Its unit is the process."""
    companion_hosts.put(host.root, {"beat": BEAT})
    companion_hosts.run(host.root, "plain-beat.service", 901)
    beat = host.companions(shown("plain-beat.service", MainPID=901, NRestarts=4))["beat"]
    assert (beat["kind"], beat["running"], beat["wanted"], beat["restarts"]) == ("single", 1, 1, 4)


@pytest.mark.parametrize(
    ("said", "result", "last"),
    [
        ({"ExecMainExitTimestamp": "Sat 2026-11-28 04:46:50 UTC"}, "success", 1795841210.0),
        ({"ExecMainExitTimestamp": "Sat 2026-11-28 04:46:50 UTC", "Result": "exit-code"}, "exit-code", 1795841210.0),
        # It was not even started
        ({"Result": "resources"}, "resources", None),
        ({}, None, None),
    ],
)
def test_a_job(host: Host, said: dict, result: str | None, last: float | None) -> None:
    """How and when it ended, and when it runs again. A job that has never run has a success for systemd."""
    companion_hosts.put(host.root, {"clean": CLEAN})
    timer = shown("plain-clean.timer", NextElapseUSecRealtime="Sat 2026-11-28 05:00:00 UTC")
    clean = host.companions(timer, shown("plain-clean.service", "inactive", **said))["clean"]
    assert (clean["kind"], clean["unit"], clean["state"]) == ("job", "plain-clean.timer", "active")
    assert (clean["last_result"], clean["last_run"], clean["next_run"]) == (result, last, 1795842000.0)
    assert (clean["running"], clean["wanted"], clean["finishing"]) == (0, None, [])
    # It takes none, which is known
    assert clean["memory"] == dict.fromkeys(("private", "shared", "pss", "rss", "swap"), 0)


def test_a_job_that_runs(host: Host) -> None:
    """It has no result yet."""
    companion_hosts.put(host.root, {"clean": CLEAN})
    companion_hosts.run(host.root, "plain-clean.service", 901)
    runs = shown("plain-clean.service", "activating", MainPID=901)
    clean = host.companions(shown("plain-clean.timer"), runs)["clean"]
    assert (clean["running"], clean["last_result"], clean["next_run"], clean["pids"]) == (1, None, None, [901])


def test_a_companion_that_runs_gunicorn_is_no_service(host: Host) -> None:
    """Neither its master nor its unit, also while it is stopped."""
    companion_hosts.put(host.root, {"metrics": {"command": "gunicorn --bind=127.0.0.1:9100 metrics:app"}})
    unit = "plain-metrics@1-1.service"
    companion_hosts.run(host.root, unit, 901, like=833)
    (host.root / "proc/901/cmdline").write_bytes((host.root / "proc/833/cmdline").read_bytes())
    services = host.read(shown("plain-metrics.service"), shown(unit, MainPID=901))
    assert list(services) == ["idle", "jrn", "plain"]
    assert services["plain"]["companions"][0]["pids"] == [901]


def test_a_companion_that_another_user_pretends(host: Host) -> None:
    """Whatever a process calls itself and has in its environment: only cgroups count, which systemd makes."""
    companion_hosts.put(host.root, {"mail": MAIL})
    companion_hosts.run(host.root, f"user@1000.service/app.slice/{ONE}", 901)
    companion_hosts.run(host.root, "plain.service", 902)
    (host.root / "proc/902/environ").write_bytes(b"GUNICORN_COMPANION=mail\0GUNICORN_COMPANION_INSTANCE=1-1\0")
    mail = host.companions(shown("plain-mail.service"), shown(ONE, "inactive"), shown(TWO, "inactive"))["mail"]
    assert mail["pids"] == []


def test_companions_without_their_service(host: Host) -> None:
    """As on a host that has no web workers: the service is listed, and does not run."""
    companion_hosts.put(host.root, {"beat": BEAT}, service="news-plain-x")
    services = host.read(shown("news-plain-x-beat.service"))
    news = services["news-plain-x"]
    assert (news["state"], news["unit"], news["processes"]) == ("inactive", None, [])
    assert [each["name"] for each in news["companions"]] == ["beat"]
    assert services["plain"]["companions"] == []


def test_another_user_sees_less(host: Host) -> None:
    """What may not be read is null, and is listed as unseen."""
    companion_hosts.put(host.root, {"mail": MAIL})
    companion_hosts.run(host.root, ONE, 901)
    companion_hosts.run(host.root, TWO, 902)
    (host.root / "proc/901/smaps_rollup").unlink()
    plain = host.read(*MAIL_UP)["plain"]
    (mail,) = plain["companions"]
    assert (mail["memory"]["pss"], mail["memory"]["rss"] > 0, mail["running"]) == (None, True, 2)
    line = "memory of its companions (pss, private, shared): only root and the user shop may read it"
    assert line in plain["unseen"]


def test_a_user_who_sees_no_processes(host: Host) -> None:
    """As with hidepid: systemd says that they run."""
    companion_hosts.put(host.root, {"mail": MAIL})
    plain = host.read(*MAIL_UP)["plain"]
    (mail,) = plain["companions"]
    assert (mail["running"], mail["pids"], mail["memory"]["pss"], mail["memory"]["rss"]) == (2, [], None, None)
    assert "processes of its companions: this user may not see those of others" in plain["unseen"]


@pytest.mark.parametrize("text", ["", "n/a", "Sat 2026-11-28 06:46:50 EET", "@1795841210", "Sat 2026-11-28"])
def test_no_time(text: str) -> None:
    assert companion_result.parse_moment(text) is None


@given(st.text() | st.text("Id=\n.service ActiveState=active MainPID=1 UTC2026-11:"))
def test_no_answer_of_systemd_stops_it(printed: str) -> None:
    """Whatever is printed, also by a program that is not systemctl at all."""
    companion_result.parse_moment(printed)
    companion_result.read_states([], Runner(lambda _command, **_options: (0, printed, "")))
