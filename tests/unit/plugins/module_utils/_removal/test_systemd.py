# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import Found, RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.systemd import SystemdManager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

NOTHING = Found((), (), (), False, (), (), ())
OWN = ["shop.socket", "shop.service", "shop-standin.socket", "shop-standin.service", "shop-step.service"]


@pytest.fixture
def manager(host: Host) -> SystemdManager:
    """systemd of that host."""
    return SystemdManager("shop", host.runner)


class TestRead:
    def test_units_that_run_or_start_at_boot(self, host: Host, manager: SystemdManager) -> None:
        """One that is between two attempts to start counts as running. Sockets come first."""
        host.write(host.units / "shop.socket", host.ours + "ListenStream=/run/shop.sock\nListenStream=127.0.0.1:80\n")
        host.write(host.runtime_units / "shop-added-1.socket")
        host.know("shop-added-1.socket", ActiveState="active")
        host.know("shop.socket", ActiveState="active", UnitFileState="enabled")
        host.know("shop.service", ActiveState="activating")
        found = manager.read()
        assert found.stop == ("shop-added-1.socket", "shop.socket", "shop.service")
        assert found.disable == ("shop.socket",)
        assert (found.addresses, found.active) == (("/run/shop.sock",), True)

    def test_what_an_interrupted_change_leaves_is_a_definition(self, host: Host, manager: SystemdManager) -> None:
        """In the directories of units, and in /run."""
        host.write(host.runtime_units / "shop-added-1.socket")
        definitions = manager.read().definitions
        assert definitions[:2] == (str(host.units / "shop.service"), str(host.units / "shop.socket"))
        assert set(definitions) >= {
            str(host.units / ".candidate.shop.service"),
            str(host.units / ".previous.shop.socket"),
            *(str(host.runtime_units / name) for name in ("shop-added-1.socket", *OWN)),
            str(host.runtime_units / "shop-standin.service.d"),
            str(host.runtime_units / "shop-step.service.d"),
            str(host.runtime_units / "shop.service.wants"),
            str(host.runtime_units / "shop.service.d" / "gunicorn-adoption.conf"),
            "/run/gunicorn-shop-standin.sock",
            "/run/gunicorn-shop.refused",
            "/run/gunicorn-shop.untried",
            "/run/gunicorn-shop-step.private",
            "/run/gunicorn/shop",
            "/run/gunicorn/shop-step",
        }

    def test_drop_ins_are_the_administrators(self, host: Host, manager: SystemdManager) -> None:
        """The role writes none."""
        assert manager.read().foreign == ()
        drop_in = host.write(host.units / "shop.service.d" / "more.conf")
        assert manager.read().foreign == (os.path.dirname(drop_in),)


class TestRefused:
    def test_a_unit_made_by_hand(self, host: Host) -> None:
        """It is neither stopped nor removed."""
        unit = host.write(host.units / "shop.service", "[Service]\nExecStart=/opt/shop/venv/bin/gunicorn\n")
        with pytest.raises(InvalidValue, match=f"gunicorn_service_name: 'shop'.*{unit} was not"):
            host.plan()

    def test_a_unit_of_another_directory(self, host: Host, manager: SystemdManager) -> None:
        """It may belong to a package."""
        path = host.write("lib/shop.service", "[Service]\n")
        host.know("shop.service", FragmentPath=path)
        with pytest.raises(InvalidValue, match=f"'shop'.*{path} was not"):
            manager.read()
        host.write(path, host.ours)
        assert manager.read().stop == ()

    def test_a_process_without_a_unit_that_the_role_did_not_start(self, host: Host, manager: SystemdManager) -> None:
        """If its unit is gone, its environment must tell."""
        host.known_units["shop.service"] = {"ActiveState": "active", "MainPID": str(os.getpid())}
        with pytest.raises(InvalidValue, match="'shop'.*what runs as shop.service was not"):
            manager.read()
        host.write(host.units / "shop.service", host.ours)
        assert manager.read().stop == ("shop.service",)


class TestStop:
    def test_units_stop_in_one_command(self, host: Host, manager: SystemdManager) -> None:
        """Nothing starts them at boot, either."""
        manager.stop(NOTHING._replace(stop=("shop.socket", "shop.service"), disable=("shop.socket",)))
        assert host.commands == [
            ["systemctl", "--quiet", "disable", "shop.socket"],
            ["systemctl", "stop", "shop.socket", "shop.service"],
        ]

    def test_nothing_is_stopped_where_nothing_runs(self, host: Host, manager: SystemdManager) -> None:
        """A second run runs no command."""
        manager.stop(NOTHING)
        assert host.commands == []

    def test_a_failure_has_systemds_words(self, host: Host, manager: SystemdManager) -> None:
        """The role's files are still there then."""
        host.failing = "stop"
        with pytest.raises(RemovalError, match="^stop failed$"):
            manager.stop(NOTHING._replace(stop=("shop.service",)))


class TestForget:
    def test_systemd_reads_its_units_if_some_were_removed(self, host: Host, manager: SystemdManager) -> None:
        """It forgets those that failed, too."""
        expected = [["systemctl", "daemon-reload"], ["systemctl", "reset-failed", *OWN]]
        manager.forget(NOTHING, (str(host.runtime_units / "shop.socket"),))
        assert host.commands == expected
        host.commands.clear()
        manager.forget(NOTHING._replace(stop=("shop.service",)), ())
        assert host.commands == expected

    def test_systemd_is_left_alone_otherwise(self, host: Host, manager: SystemdManager) -> None:
        """A reload takes time on a host with many units."""
        manager.forget(NOTHING, ("/opt/shop/venv",))
        assert host.commands == []
