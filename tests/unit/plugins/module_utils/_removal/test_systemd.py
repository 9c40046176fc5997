# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import companion_samples
import pytest
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import Found, RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.systemd import SystemdManager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_units
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

    def test_what_a_killed_removal_was_waiting_for_is_waited_for_again(
        self, host: Host, manager: SystemdManager
    ) -> None:
        """What it uses must not be taken away meanwhile."""
        host.write(host.units / "shop.service", host.ours)
        host.know("shop.service", ActiveState="deactivating")
        assert manager.read().stop == ("shop.service",)


class TestCompanions:
    def test_all_their_units_stop_and_go(self, host: Host, manager: SystemdManager) -> None:
        """Timers first, which would start their jobs again; also what finishes, and what an interrupted change left."""
        ours = host.ours + "# A companion of shop: "
        made = [
            host.write(host.units / "shop-clean.timer", f"{ours}clean\n"),
            host.write(host.units / "shop-beat.service", f"{ours}beat\n"),
            host.write(host.units / "shop-clean.service", f"{ours}clean\n"),
            host.write(host.units / "shop-mail.service", f"{ours}mail\n"),
            host.write(host.units / "shop-mail@2-1.service", f"{ours}mail\n"),
            host.write(host.runtime_units / "shop-mail@1-1.service", f"{ours}mail\n"),
            host.write(host.units / ".previous.shop-mail@1-2.service", f"{ours}mail\n"),
            host.write(host.units / ".candidate.shop-mail@2-1.service", f"{ours}mail\n"),
        ]
        host.know("shop-clean.timer", ActiveState="active", UnitFileState="enabled")
        host.know("shop-beat.service", ActiveState="active")
        host.know("shop-mail@2-1.service", ActiveState="active")
        host.know("shop-mail@1-1.service", ActiveState="deactivating")
        found = manager.read()
        assert found.stop == (
            *("shop-clean.timer", "shop-beat.service"),
            *("shop-mail@1-1.service", "shop-mail@2-1.service"),
        )
        assert found.disable == ("shop-clean.timer",)
        stamp = "/var/lib/systemd/timers/stamp-shop-clean.timer"
        assert {*made, stamp} <= set(found.definitions)
        assert {"shop-mail@1-1.service", "shop-mail@2-1.service", "shop-clean.service"} <= set(manager.own_units)
        assert set(host.plan().paths) == set(made)
        manager.forget(found, (*made, stamp))
        assert host.commands[-1] == [
            *("systemctl", "reset-failed", *OWN, "shop-clean.timer", "shop-beat.service", "shop-clean.service"),
            *("shop-mail.service", "shop-mail@2-1.service", "shop-mail@1-1.service"),
        ]

    def test_units_of_others_stay(self, host: Host, manager: SystemdManager) -> None:
        """One that a person made, a companion of another service, and another service whose name begins the same."""
        host.write(host.units / "shop-mail.service", "[Service]\n# A companion of shop: mail\n")
        host.write(host.units / "shop-queue.service", f"{host.ours}[Unit]\n")
        host.write(host.units / "shop-queue-mail.service", f"{host.ours}# A companion of shop-queue: mail\n")
        host.know("shop-queue-mail.service", ActiveState="active", UnitFileState="enabled")
        assert (manager.read().stop, manager.read().disable) == ((), ())
        assert host.plan().paths == ()

    def test_drop_ins_are_the_administrators(self, host: Host, manager: SystemdManager) -> None:
        """Also those for all processes of a companion."""
        host.write(host.units / "shop-mail@2-1.service", f"{host.ours}# A companion of shop: mail\n")
        host.write(host.units / "shop-mail@.service.d" / "more.conf")
        assert manager.read().foreign == (f"{host.units}/shop-mail@.service.d",)

    def test_their_logs_go_with_the_logs(self, host: Host) -> None:
        """The files alone: they may be beside the data, or in a directory of many projects' logs."""
        log = host.write("log/all/mail.log")
        other = host.write("var/shop/beat.log")
        rotated = host.write("log/all/mail.log.1")
        host.write("log/all/mail.log.txt")
        for number, each in enumerate((log, other, "-")):
            spec = companion_samples.spec({"mail": {"command": "mail", "instances": 1, "log_file": each}})
            for name, text in companion_units.texts(spec.common, spec.companions[0], number).items():
                host.write(host.units / name, text)
        logs = [log, rotated, other]
        assert [each for each in host.plan(remove=["logs"]).paths if not each.endswith("service")] == logs
        assert not set(logs) & set(host.plan(remove=["venv"]).paths)


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

    def test_what_added_sockets_leave_at_their_end_goes(self, host: Host, manager: SystemdManager) -> None:
        """The plan can't name it, since they leave it while they are stopped. A killed run's is in the next plan."""
        host.write(host.runtime_units / "shop-added-1.socket")
        ours, other = (host.write(f"run/gunicorn-{name}-added-1.socket.ended") for name in ("shop", "shop2"))
        assert ours in host.plan().paths
        manager.stop(NOTHING._replace(stop=("shop-added-1.socket", "shop.service")))
        assert [os.path.exists(path) for path in (ours, other)] == [False, True]

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
