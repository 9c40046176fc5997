# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.directives import (
    ROLES_OWN,
    check_directives,
    check_drop_ins,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_good_ones() -> None:
    """Any directive that is not the role's own, in systemd's own syntax."""
    check_directives(
        "gunicorn_service_directives", {"MemoryMax": "512M", "Slice": "web.slice", "RestartSec": [1, "2"], "Nice": None}
    )


@pytest.mark.parametrize("name", sorted(ROLES_OWN))
def test_those_of_the_role_have_their_variables(name: str) -> None:
    """User=root among the directives would undo what gunicorn_user promises."""
    with pytest.raises(InvalidValue, match=rf"gunicorn_service_directives\['{name}'\]: 'root'"):
        check_directives("gunicorn_service_directives", {name: "root"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ExecStart", "/bin/sh"),
        ("Slice", "a/b"),
        ("MemoryMax", "512MB"),
        ("MemoryHigh", "0"),
        ("MemoryHigh", 0),
        ("CPUQuota", 150),
        ("TasksMax", "many"),
    ],
)
def test_a_value_that_can_not_be_used(name: str, value: object) -> None:
    """The error names the directive."""
    with pytest.raises(InvalidValue) as caught:
        check_directives("gunicorn_service_directives", {"Nice": 5, name: value})
    assert str(caught.value).startswith(f"gunicorn_service_directives['{name}']: {value!r} can't be used: expected ")


@pytest.mark.parametrize(
    ("directives", "reason"),
    [
        ({"A B": 1}, "'A B' is not a name of a systemd directive"),
        ({"[Install]": "x"}, "'[Install]' is not a name of a systemd directive"),
        ({"Nice=5\nUser": "root"}, "'Nice=5\\nUser' is not a name of a systemd directive"),
        ({"RestartSec": "1\nUser=root"}, "RestartSec: '1\\nUser=root' would run over the end of its line"),
        ({"RestartSec": ["1", "1\nUser=root"]}, "RestartSec: '1\\nUser=root' would run over the end of its line"),
        ({"RestartSec": "1 \\"}, "RestartSec: '1 \\\\' would run over the end of its line"),
        ({"X": "a\\"}, "X: 'a\\\\' would run over the end of its line"),
        ({"Nice": {"a": 1}}, "Nice: {'a': 1} is no text, number, boolean, or list of these"),
        ({"LimitNOFILE": None, "Nice": [None]}, "Nice: None is no text, number, boolean, or list of these"),
    ],
)
def test_what_is_no_directive(directives: dict, reason: str) -> None:
    """The error has systemd's rule."""
    with pytest.raises(InvalidValue) as caught:
        check_directives("gunicorn_service_directives", directives)
    expected = f"names and values of systemd ({reason})"
    assert str(caught.value) == f"gunicorn_service_directives: {directives!r} can't be used: expected {expected}"


class TestDropIns:
    OWN = {"User": "shop", "Group": "web", "Service": "shop.service"}
    GIVEN = ("PYTHONPATH", "gunicorn_credentials")

    @pytest.fixture(autouse=True)
    def places(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where drop-ins of administrators are."""
        monkeypatch.setattr(units, "UNIT_DIRECTORY", str(tmp_path / "etc"))
        monkeypatch.setattr(units, "RUNTIME_DIRECTORY", str(tmp_path / "run"))

    def write(self, path: Path, text: str) -> Path:
        """Write a drop-in."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    @pytest.mark.parametrize(
        ("folder", "text", "directive", "variables"),
        [
            (
                "shop.service.d",
                "[Service]\nExecStart=\nExecStart=/bin/x",
                "ExecStart",
                "gunicorn_app, gunicorn_workers",
            ),
            ("shop.service.d", "[Service]\n  User = nobody", "User", "gunicorn_user"),
            ("shop.service.d", "[Service]\nDynamicUser=yes", "DynamicUser", "gunicorn_user"),
            ("shop.service.d", "[Service]\nWorkingDirectory=/srv", "WorkingDirectory", "gunicorn_service_directives"),
            ("shop.service.d", "[Service]\nTimeoutStopSec=5", "TimeoutStopSec", "gunicorn_service_directives"),
            ("shop.service.d", "[Service]\nEnvironment=A=1 'PYTHONPATH=/a b'", "Environment", "gunicorn_environment"),
            ("shop.service.d", "[Service]\nEnvironment=", "Environment", "gunicorn_environment"),
            ("shop.service.d", "[Service]\nLoadCredential=", "LoadCredential", "gunicorn_credentials"),
            ("service.d", "[Service]\nGroup=nogroup", "Group", "gunicorn_group"),
            ("shop.socket.d", "[Socket]\nListenStream=127.0.0.1:9000", "ListenStream", "gunicorn_bind"),
            ("shop.socket.d", "[Socket]\nListenDatagram=9000", "ListenDatagram", "gunicorn_bind"),
            ("shop.socket.d", "[Socket]\nSocketMode=0666", "SocketMode", "gunicorn_bind"),
            ("shop-.service.d", "[Service]\nUser=nobody", "User", "gunicorn_user"),
        ],
    )
    def test_what_a_variable_says_is_refused(
        self, tmp_path: Path, folder: str, text: str, directive: str, variables: str
    ) -> None:
        """With the directive, the file and the variable, also where it is for the stand-in, or for all services."""
        path = self.write(tmp_path / "etc" / folder / "override.conf", text)
        with pytest.raises(InvalidValue) as caught:
            check_drop_ins("shop", self.OWN, self.GIVEN)
        assert f"gunicorn_service_name: 'shop' can't be used: expected no {directive}= in {path}" in str(caught.value)
        instead = "but in" if variables == "gunicorn_service_directives" else "which overrides"
        assert f"{instead} {variables}" in str(caught.value)

    @pytest.mark.parametrize(
        "line", ["Type=simple", "Environment=GUNICORN_CONFIGURATION=x", "ExecStartPost=", "Sockets=a"]
    )
    def test_what_the_role_relies_on_is_refused(self, tmp_path: Path, line: str) -> None:
        """No variable says it."""
        self.write(tmp_path / "run/shop.service.d/a.conf", f"[Service]\n{line}\n")
        with pytest.raises(
            InvalidValue, match=rf"no {line.partition('=')[0]}= in .*a.conf, as the role relies on its own"
        ):
            check_drop_ins("shop", self.OWN, self.GIVEN)

    def test_other_directives_are_the_administrators(self, tmp_path: Path) -> None:
        """Limits, the sandbox, more of what is a list, and what repeats the role's own values."""
        text = """# User=root
[Unit]
User=root
[Service]
MemoryMax=1G
ProtectHome=yes
ProtectHome=read-only
Environment=LANG=C
EnvironmentFile=
EnvironmentFile=/etc/default/shop
LoadCredential=more:/etc/more
ExecStartPost=/bin/true
User=shop
SupplementaryGroups=a \\
  b
"""
        self.write(tmp_path / "etc/shop.service.d/a.conf", text)
        self.write(tmp_path / "etc/shop.socket.d/a.conf", "[Socket]\nBacklog=9\nService=shop.service\n")
        self.write(tmp_path / "etc/other.service.d/a.conf", "[Service]\nUser=root\n")
        added = check_drop_ins("shop", self.OWN, self.GIVEN)
        assert added["ProtectHome"] == ["yes", "read-only"]
        assert added["SupplementaryGroups"] == ["a  b"]
        assert "Backlog" not in added

    def test_what_a_change_has_written_is_no_administrators(self, tmp_path: Path) -> None:
        """One that was killed has left it, and the next one removes it."""
        self.write(tmp_path / "run/shop.service.d/gunicorn-adoption.conf", "[Service]\nKillMode=control-group\n")
        self.write(tmp_path / "run/shop-standin.service.d/gunicorn-sockets.conf", "[Service]\nSockets=shop.socket\n")
        check_drop_ins("shop", self.OWN, self.GIVEN)
