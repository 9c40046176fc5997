# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from service_samples import GONE, SOCKET_TEXT, SYSTEMD_SPEC, SYSTEMD_STATE, UNIT

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.sockets import Sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.standin import Standin
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState


class Shared:
    """Addresses that a service made by hand shares with systemd."""

    moved = {}
    ipv6_only = None


def make(systemd, before: SystemdState = SYSTEMD_STATE) -> Standin:
    """The stand-in of a service that is in this state."""
    return Standin(SYSTEMD_SPEC, before, Sockets(SYSTEMD_SPEC, systemd.systemctl), systemd.systemctl)


def test_it_starts_on_the_live_sockets(systemd, etc_units: Path, run_units: Path) -> None:
    """systemd reads its unit without a reload of all others, and opens nothing."""
    make(systemd).start(None)
    assert systemd.asked == ["start shop-standin.service"]
    assert (run_units / "shop-standin.service").read_text() == SYSTEMD_SPEC.standin_unit
    assert (
        run_units / "shop-standin.service.d/gunicorn-sockets.conf"
    ).read_text() == "[Service]\nSockets=shop.socket\n"


def test_it_has_what_an_administrator_added(systemd, etc_units: Path, run_units: Path) -> None:
    """Drop-ins of the service, and units for addresses that came since it started."""
    (etc_units / "shop.service.d").mkdir()
    (etc_units / "shop.service.d/limits.conf").write_text("[Service]\nLimitNOFILE=99\n")
    (etc_units / "service.d").mkdir()
    (etc_units / "service.d/all.conf").write_text("[Service]\nNice=1\n")
    (run_units / "shop-added-1.socket").touch()
    make(systemd).start(None)
    assert not (run_units / "shop-standin.service.d/all.conf").exists()
    assert (run_units / "shop-standin.service.d/limits.conf").read_text() == "[Service]\nLimitNOFILE=99\n"
    sockets = (run_units / "shop-standin.service.d/gunicorn-sockets.conf").read_text()
    assert sockets == "[Service]\nSockets=shop.socket shop-added-1.socket\n"


def test_it_has_an_address_of_its_own_where_systemd_holds_none(systemd, etc_units: Path, run_units: Path) -> None:
    """Nobody but root can reach it there, so no drop-in names the live sockets."""
    make(systemd, SYSTEMD_STATE._replace(socket=GONE)).start(None)
    assert systemd.asked == ["start shop-standin.socket", "start shop-standin.service"]
    assert "SocketMode=0600" in (run_units / "shop-standin.socket").read_text()
    assert not (run_units / "shop-standin.service.d").exists()


def test_it_has_what_was_added_on_an_address_of_its_own_too(systemd, etc_units: Path, run_units: Path) -> None:
    """A relaxed sandbox, from wherever it comes: without it, a change that works would be refused."""
    (run_units / "shop.service.d").mkdir()
    (run_units / "shop.service.d/relaxed.conf").write_text("[Service]\nPrivateTmp=no\n")
    make(systemd, SYSTEMD_STATE._replace(socket=GONE)).start(None)
    assert [path.name for path in (run_units / "shop-standin.service.d").iterdir()] == ["relaxed.conf"]


def test_it_shares_the_addresses_of_a_service_made_by_hand(systemd, etc_units: Path, run_units: Path) -> None:
    """A unit in /run opens them for it, of which systemd has to hear."""
    make(systemd, SYSTEMD_STATE._replace(socket=GONE)).start(Shared())
    assert systemd.asked == ["daemon-reload", "start shop.socket", "start shop-standin.service"]
    assert "Service=shop-standin.service\nReusePort=yes\n" in (run_units / "shop.socket").read_text()
    assert (run_units / "shop.socket").read_text() != SOCKET_TEXT


def test_one_of_an_interrupted_run_is_stopped_first(systemd, etc_units: Path, run_units: Path) -> None:
    """It may serve another configuration."""
    (run_units / "shop-standin.service").write_text("old")
    make(systemd, SYSTEMD_STATE._replace(standin=UNIT)).start(None)
    assert systemd.asked == [
        "stop shop-standin.service",
        "reset-failed shop-standin.service",
        "daemon-reload",
        "start shop-standin.service",
    ]


def test_one_that_does_not_start_fails_the_step(systemd, etc_units: Path, run_units: Path) -> None:
    """With systemd's own words."""
    systemd.failing = "start shop-standin.service"
    with pytest.raises(Failed, match="Job failed"):
        make(systemd).start(None)


def test_nothing_of_it_is_left(systemd, etc_units: Path, run_units: Path) -> None:
    """Neither units nor drop-ins; systemd is told only if it still knows a unit."""
    standin = make(systemd, SYSTEMD_STATE._replace(socket=GONE))
    standin.start(None)
    systemd.asked.clear()
    systemd.loaded["shop-standin.service"] = "LoadState=loaded"
    standin.stop()
    units = "shop-standin.service shop-standin.socket"
    assert systemd.asked == [f"stop {units}", f"reset-failed {units}", "daemon-reload"]
    assert list(run_units.iterdir()) == []


def test_without_a_stand_in_there_is_nothing_to_stop(systemd, run_units: Path) -> None:
    """A run that changes nothing asks systemd nothing."""
    make(systemd).stop()
    assert systemd.asked == []
