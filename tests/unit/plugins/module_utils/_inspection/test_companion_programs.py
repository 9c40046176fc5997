# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import companion_hosts
import pytest
import supervised_companions
from supervised_companions import BEAT, MAIL, up

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import companion_programs, inspection
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError


class Host:
    """A captured host, whose supervisor knows what it is told here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.socket = root / "supervisor.sock"
        self.access = SimpleNamespace(socket=str(self.socket))
        self.groups: dict[str, dict[str, ProgramProcess]] | None = {}

    def group(self, name: str) -> dict[str, ProgramProcess]:
        """What supervisor would say."""
        if self.groups is None:
            raise SupervisorError("supervisor does not answer")
        return self.groups.get(name, {})

    def put(self, companions: dict, service: str = "plain") -> None:
        """Have the host have the programs of companions."""
        common = Common(service, "", "/opt/shop", "/opt/shop/venv-12345678", "fingerprint")
        for each in supervised_companions.wanted("/etc/opt/shop", companions, common):
            path = self.root / each.program.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(each.program.content or "", encoding="utf-8")

    def read(self) -> dict[str, Any]:
        """What the module returns of the services; there is no systemd."""
        services = inspection.read_all(None, 0.1, Runner(lambda _command, **_more: (1, "", "")), str(self.root))
        json.dumps(services, allow_nan=False).encode()
        return {service["name"]: service for service in services["services"]}


@pytest.fixture
def host(captured_host: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Its service plain is one of supervisor's."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for unit in (captured_host / "etc/systemd/system").glob("*.service"):
        unit.unlink()
    made = Host(captured_host)
    monkeypatch.setattr(client, "this_supervisor", lambda: made)
    monkeypatch.setattr(
        "ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.services._program",
        lambda master, root: "plain" if master == 833 else "",
    )
    return made


def test_processes_that_are_up(host: Host) -> None:
    """With their children and their memory; supervisor does not count restarts."""
    host.put({"mail": MAIL, "beat": BEAT})
    companion_hosts.run(host.root, "supervisor.service", 901, 902, 903)
    companion_hosts.run(host.root, "supervisor.service", 911)
    stat = host.root / "proc/911/stat"
    stat.write_text(stat.read_text(encoding="utf-8").replace("S 1 ", "S 901 "), encoding="utf-8")
    (host.root / "proc/901/environ").write_bytes(b"GUNICORN_APP_REVISION=3f2a\0")
    host.groups = {"plain-mail": up(901, 902), "plain-beat": up(903)}
    service = host.read()["plain"]
    beat, mail = service["companions"]
    one = next(process for process in service["processes"] if process["pid"] == 836)
    assert mail.pop("memory")["pss"] == 3 * one["pss"]
    assert mail == {
        "name": "mail",
        "kind": "service",
        "unit": "plain-mail:*",
        "state": "active",
        "running": 2,
        "wanted": 2,
        "pids": [901, 902, 911],
        "restarts": None,
        "restarts_since": None,
        "release": "3f2a",
        "finishing": [],
        "last_result": None,
        "last_run": None,
        "next_run": None,
    }
    assert (beat["name"], beat["running"], beat["wanted"], beat["pids"]) == ("beat", 1, 1, [903])
    # They are no part of the service's own.
    assert [process["pid"] for process in service["processes"]] == [833, 835, 836]


@pytest.mark.parametrize(
    ("states", "state", "running"),
    [
        (("RUNNING", "FATAL"), "active", 1),
        (("STARTING", "STOPPED"), "activating", 0),
        (("BACKOFF", "BACKOFF"), "activating", 0),
        (("EXITED", "EXITED"), "activating", 0),
        (("FATAL", "STOPPED"), "failed", 0),
        (("STOPPING", "STOPPED"), "deactivating", 0),
        (("STOPPED", "STOPPED"), "inactive", 0),
        (("UNKNOWN", "STOPPED"), "failed", 0),
        ((), "inactive", 0),
    ],
)
def test_states_are_in_the_words_of_systemd(host: Host, states: tuple[str, ...], state: str, running: int) -> None:
    """That of the process which is best off."""
    host.put({"mail": MAIL})
    companion_hosts.run(host.root, "supervisor.service", 901)
    host.groups = {
        "plain-mail": {
            str(number): ProgramProcess(each, 901 if each == "RUNNING" else 0) for number, each in enumerate(states, 1)
        }
    }
    (mail,) = host.read()["plain"]["companions"]
    assert (mail["state"], mail["running"], mail["wanted"]) == (state, running, 2)


def test_without_supervisor_nothing_runs(host: Host) -> None:
    """As where an administrator has stopped it."""
    host.put({"mail": MAIL})
    host.groups = None
    (mail,) = host.read()["plain"]["companions"]
    assert (mail["state"], mail["running"], mail["memory"]["pss"]) == ("inactive", 0, 0)


def test_another_user_sees_less(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """supervisor answers root alone: what is not known is null."""
    host.put({"mail": MAIL})
    host.groups = None
    host.socket.touch()
    monkeypatch.setattr("os.access", lambda path, mode: path != str(host.socket))
    plain = host.read()["plain"]
    (mail,) = plain["companions"]
    assert (mail["state"], mail["running"], mail["wanted"], mail["memory"]["pss"]) == (None, None, 2, None)
    assert "processes of its companions: supervisor answers root alone" in plain["unseen"]


def test_companions_without_their_service(host: Host) -> None:
    """As on a host that has no web workers."""
    host.put({"beat": BEAT}, service="news")
    host.groups = {"news-beat": {"1": ProgramProcess("STARTING", 5)}}
    news = host.read()["news"]
    assert (news["state"], news["processes"], [each["name"] for each in news["companions"]]) == (
        "inactive",
        [],
        ["beat"],
    )


def test_only_the_roles_own_programs_are_companions(host: Host) -> None:
    """Not one that another file has, nor one behind a link."""
    host.put({"mail": MAIL})
    folder = host.root / "etc/supervisor/conf.d"
    text = (folder / "plain-mail.conf").read_text(encoding="utf-8")
    (folder / "plain-other.conf").write_text(text, encoding="utf-8")
    (folder / "plain-made.conf").write_text("[program:plain-made]\nnumprocs=1\n", encoding="utf-8")
    (folder / "plain-mail.conf").rename(folder / "plain-mail.away")
    (folder / "plain-mail.conf").symlink_to("plain-mail.away")
    assert companion_programs.read_installed(str(host.root)) == []
