# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit

FIXTURES = Path(__file__).parents[4] / "fixtures" / "systemctl"
SUITES = ["bookworm", "trixie"]


class TestReadUnits:
    def test_a_masked_unit_is_known(self) -> None:
        """Its FragmentPath does not show it."""
        (unit,) = systemd_units.read_units(
            ["a.service"], Runner(lambda command: (0, "Id=a.service\nLoadState=masked\n", ""))
        ).values()
        assert (unit.exists, unit.masked) == (True, True)

    @pytest.mark.parametrize("suite", SUITES)
    def test_a_host_with_the_role_applied(self, suite: str) -> None:
        """Captured from hosts of either release: what runs, what does not exist, and what is the host's own."""
        asked = []

        def run(command: list[str]) -> tuple[int, str, str]:
            asked.append(command)
            return 0, (FIXTURES / f"{suite}.txt").read_text(), ""

        names = ["shop.service", "shop.socket", "nosuch.service", "ssh.service"]
        units = systemd_units.read_units(names, Runner(run))
        ours = Unit(
            True, True, False, True, 0, False, "/etc/systemd/system/shop.socket", ("127.0.0.1:8000", "[::1]:8000")
        )
        assert list(units) == names
        assert units["shop.socket"] == ours
        assert units["shop.service"]._replace(main_pid=0, path="", listen=()) == ours._replace(path="", listen=())
        assert units["shop.service"].main_pid > 1
        assert units["nosuch.service"] == Unit(False, False, False, False, 0, False, "", ())
        assert units["ssh.service"].path.endswith("/lib/systemd/system/ssh.service")
        (command,) = asked
        assert command[:2] == ["systemctl", "show"]
        assert command[-4:] == names

    @pytest.mark.parametrize("suite", SUITES)
    def test_states_that_are_not_the_rule(self, suite: str) -> None:
        """Captured, too: failed and changed on disk, between two attempts, unix and dual-stack, a socket of the host."""
        names = ["hang.service", "exit1.service", "web.socket", "syslog.service", "syslog.socket"]
        text = (FIXTURES / f"{suite}-states.txt").read_text()
        hang, crashing, web, syslog, syslog_socket = systemd_units.read_units(
            names, Runner(lambda _command: (0, text, ""))
        ).values()
        assert (hang.exists, hang.active, hang.starting, hang.stale) == (True, False, False, True)
        assert (crashing.exists, crashing.active, crashing.starting) == (True, False, True)
        assert (web.active, web.enabled, web.listen) == (True, False, ("/run/web.sock", "[::]:8200"))
        assert not syslog.exists
        assert (syslog_socket.exists, syslog_socket.active) == (True, False)

    @pytest.mark.parametrize(
        ("line", "field", "value"),
        [
            ("ActiveState=reloading", "active", True),
            ("ActiveState=deactivating", "active", False),
            ("ActiveState=deactivating", "stopping", True),
            ("ActiveState=activating", "starting", True),
            ("LoadState=masked", "exists", True),
            ("LoadState=", "exists", False),
            ("UnitFileState=disabled", "enabled", False),
            ("UnitFileState=enabled-runtime", "enabled", False),
            ("MainPID=", "main_pid", 0),
            ("Listen=/run/a (b).sock (Stream)", "listen", ("/run/a (b).sock",)),
        ],
    )
    def test_each_word_of_systemd(self, line: str, field: str, value: object) -> None:
        """A unit counts as enabled only if it starts at boot, and as active also while it reloads."""
        (unit,) = systemd_units.read_units(
            ["a.service"], Runner(lambda _command: (0, f"{line}\nId=a.service\n", ""))
        ).values()
        assert getattr(unit, field) == value
