# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import directives as supervisor_directives
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.directives import ProcessOptions
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.mark.parametrize(
    ("directives", "process"),
    [
        ({}, ProcessOptions("0022", False, 0)),
        ({"UMask": "0027", "NoNewPrivileges": True, "OOMScoreAdjust": 100}, ProcessOptions("0027", True, 100)),
        ({"UMask": "077", "NoNewPrivileges": "no", "OOMScoreAdjust": "-5"}, ProcessOptions("077", False, -5)),
        ({"UMask": None, "NoNewPrivileges": None, "OOMScoreAdjust": None}, ProcessOptions("0022", False, 0)),
    ],
)
def test_directives_that_have_a_counterpart(directives: dict, process: ProcessOptions) -> None:
    """As systemd reads them; a directive that was removed has systemd's default."""
    assert supervisor_directives.process_options(directives) == process


@pytest.mark.parametrize(
    "directives",
    [
        {"UMask": "9"},
        {"UMask": "u=rwx"},
        {"NoNewPrivileges": "maybe"},
        {"OOMScoreAdjust": 1001},
        {"OOMScoreAdjust": "x"},
    ],
)
def test_values_that_make_no_sense(directives: dict) -> None:
    """The error names the directive."""
    (name,) = directives
    with pytest.raises(InvalidValue, match=rf"gunicorn_service_directives\['{name}'\]"):
        supervisor_directives.process_options(directives)


@pytest.mark.parametrize(
    "directives", [{"IPAddressDeny": "any"}, {"PrivateNetwork": True}, {"InaccessiblePaths": ["/srv"]}]
)
def test_directives_that_a_user_relies_on_are_refused(directives: dict) -> None:
    """Without systemd, nothing would enforce it."""
    with pytest.raises(InvalidValue, match="without systemd nothing would enforce"):
        supervisor_directives.check(directives)


@pytest.mark.parametrize(
    "directives",
    [
        {},
        {"ReadWritePaths": "/srv", "MemoryMax": "1G"},
        {"PrivateNetwork": False, "IPAddressDeny": None},
        {"MemoryDenyWriteExecute": "no"},
    ],
)
def test_other_directives_are_not_refused(directives: dict) -> None:
    """Hosts with and without systemd can have the same variables."""
    supervisor_directives.check(directives)


class TestNotice:
    def test_of_the_defaults(self) -> None:
        """It only has what is true for every service."""
        said = supervisor_directives.notice("shop", {}, ["/var/log/shop/gunicorn.log", ""])
        assert said.startswith("shop runs under supervisor here")
        assert "connections are refused while the service restarts" in said
        assert "no sandbox" in said
        assert "Ignored" not in said
        assert "journal" not in said

    def test_names_what_is_ignored_and_what_is_only_counted(self) -> None:
        """It does not name directives that take effect, or that were removed."""
        directives = {"UMask": "0022", "Nice": 5, "ReadWritePaths": "/srv", "MemoryMax": "1G", "PrivateTmp": None}
        said = supervisor_directives.notice("shop", directives, ["-", ""])
        assert "Ignored: gunicorn_service_directives (Nice, ReadWritePaths)." in said
        assert "Not enforced, and only used to size the workers: gunicorn_service_directives (MemoryMax)." in said
        assert "UMask" not in said
        assert "PrivateTmp" not in said
        assert "/var/log/supervisor/shop/console.log" in said


def test_the_directives_of_a_companion_are_named_as_its_own() -> None:
    """Both what can't be read and what supervisor can't do."""
    variable = "gunicorn_companions['mail']['directives']"
    for directives in ({"UMask": "9"}, {"PrivateNetwork": "yes"}):
        with pytest.raises(InvalidValue, match=r"^gunicorn_companions\['mail'\]\['directives'\]\['"):
            supervisor_directives.check(directives, variable)


def test_directives_without_effect() -> None:
    """Those that nothing enforces; one that was removed is none."""
    given = {"UMask": "077", "OOMScoreAdjust": 1, "MemoryMax": "1G", "CPUWeight": 5, "Nice": None}
    assert supervisor_directives.without_effect(given) == ["CPUWeight", "MemoryMax"]
