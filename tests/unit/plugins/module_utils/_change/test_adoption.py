# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from service_samples import GONE, RUNNING, SYSTEMD_SPEC, SYSTEMD_STATE

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import adoption
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.adoption import Adoption
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.shared_addresses import NotShared
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState

BY_HAND = SYSTEMD_STATE._replace(socket=GONE, running=RUNNING._replace(holds_sockets=False))


class Shared:
    """Addresses of a service made by hand; it notes what is done with them."""

    def __init__(self, service: str, main_pid: int, wanted: tuple) -> None:
        self.paths = ["/run/shop.sock"]
        self.done: list[str] = [f"took the sockets of {service} ({main_pid})"]

    def share(self) -> None:
        """As SharedAddresses does."""
        self.done.append("shared")

    def take_back(self, pid: int) -> None:
        """As SharedAddresses does."""
        self.done.append(f"taken back from {pid}")

    def unshare(self) -> None:
        """As SharedAddresses does."""
        self.done.append("unshared")

    def close(self) -> None:
        """As SharedAddresses does."""
        self.done.append("closed")


@pytest.fixture(autouse=True)
def _shared(monkeypatch: pytest.MonkeyPatch, run_units: Path) -> None:
    monkeypatch.setattr(adoption, "SharedAddresses", Shared)


def begun(systemd, before: SystemdState = BY_HAND) -> Adoption:
    """An adoption that has begun, if there is something to adopt."""
    made = Adoption(SYSTEMD_SPEC, before, systemd.systemctl)
    made.begin()
    return made


@pytest.mark.parametrize(
    "before",
    [
        SYSTEMD_STATE,
        BY_HAND._replace(running=None),
        BY_HAND._replace(running=RUNNING),
        BY_HAND._replace(socket=SYSTEMD_STATE.socket),
    ],
)
def test_sockets_that_systemd_holds_are_not_shared(systemd, before: SystemdState) -> None:
    """Nor those of a service that does not run."""
    assert begun(systemd, before).shared is None


def test_a_service_that_opened_its_sockets_itself_shares_them(systemd) -> None:
    """By its main process."""
    assert begun(systemd).shared.done == ["took the sockets of shop.service (7)", "shared"]


def test_why_they_can_not_be_shared_is_told_later(systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change goes on: connections are refused for a moment then."""

    def refuse(*_arguments: object) -> None:
        raise NotShared("the kernel does not let them be shared")

    monkeypatch.setattr(adoption, "SharedAddresses", refuse)
    made = begun(systemd)
    assert (made.shared, made.refusal) == (None, "the kernel does not let them be shared")


def test_a_trial_that_failed_leaves_the_service_alone(systemd, run_units: Path) -> None:
    """First it gets its connections back, then systemd closes its own sockets, then nothing is shared any more."""
    systemd.loaded["shop-standin.service"] = "LoadState=loaded\nMainPID=9"
    (run_units / "shop.socket").touch()
    made = begun(systemd)
    shared = made.shared
    made.take_back("shop-standin.service")
    made.undo()
    assert shared.done[2:] == ["taken back from 9", "unshared"]
    assert systemd.asked == ["stop shop.socket", "reset-failed shop.socket", "daemon-reload"]
    assert (made.shared, list(run_units.iterdir())) == (None, [])


def test_a_service_that_has_ended_is_forgotten(systemd, run_units: Path) -> None:
    """With the drop-in that kept it from removing the files of sockets that are systemd's by then."""
    made = begun(systemd)
    made.spare_socket_files()
    drop_in = run_units / "shop.service.d/gunicorn-adoption.conf"
    assert "ExecStop=-+/bin/kill -KILL $MAINPID" in drop_in.read_text()
    shared = made.shared
    made.end()
    assert shared.done[-1] == "closed"
    assert (made.shared, list(run_units.iterdir()), systemd.asked) == (None, [], ["daemon-reload"])


def test_addresses_without_a_file_need_no_drop_in(systemd, run_units: Path) -> None:
    """Gunicorn has no file to remove, and ends as usual."""
    made = begun(systemd)
    made.shared.paths = []
    made.spare_socket_files()
    assert list(run_units.iterdir()) == []


def test_nothing_is_done_where_nothing_is_adopted(systemd, run_units: Path) -> None:
    """Each step may be called in any case."""
    made = begun(systemd, SYSTEMD_STATE)
    made.spare_socket_files()
    made.take_back("shop-standin.service")
    made.undo()
    made.end()
    assert (systemd.asked, list(run_units.iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("running", "path", "interrupted"),
    [(RUNNING, "shop.socket", True), (None, "shop.socket", False), (RUNNING, "/etc/systemd/system/shop.socket", False)],
)
def test_a_killed_run_is_recognized(run_units: Path, running, path: str, interrupted: bool) -> None:
    """By the socket unit in /run beside a service that runs."""
    before = BY_HAND._replace(running=running, socket=GONE._replace(path=str(run_units / path)))
    assert adoption.was_interrupted(before) is interrupted
