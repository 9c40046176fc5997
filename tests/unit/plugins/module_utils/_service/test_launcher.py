# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

GIVEN = {
    "user": "shop",
    "group": "shop",
    "directory": "/var/opt/shop",
    "service_directives": {"UMask": "0027", "NoNewPrivileges": True},
    "environment": {"A": "1"},
    "secrets": "A=1",
    "config_directory": "/etc/opt/shop",
    "command": ["/opt/shop/venv/bin/gunicorn", "--config=/etc/opt/shop/gunicorn.conf.py"],
}


class TestDescriptions:
    def test_sockets(self) -> None:
        """As the socket unit would have them."""
        binds = [Address("127.0.0.1", 8000), Address("::1", 8000), Address(path="/run/shop.sock")]
        directives = {"BindIPv6Only": "ipv6-only", "SocketUser": "shop", "SocketGroup": "www", "SocketMode": "0660"}
        assert launcher.describe_sockets(binds, directives) == [
            {"host": "127.0.0.1", "port": 8000, "only_ipv6": False},
            {"host": "::1", "port": 8000, "only_ipv6": True},
            {"path": "/run/shop.sock", "owner": "shop", "group": "www", "mode": "0660"},
        ]

    def test_one_ipv6_address_alone_may_take_both(self) -> None:
        """The kernel's default, as in the socket unit."""
        assert not launcher.describe_sockets([Address("::", 8000)], {})[0]["only_ipv6"]

    def test_a_trial_is_beside_the_live_service(self) -> None:
        """Nothing that it makes or opens is the live service's; its files are the candidates."""
        live = launcher.describe("shop", GIVEN, [{"host": "127.0.0.1", "port": 8000}], ["KEY"])
        trial = launcher.describe_trial("shop", live, ["/new/bin/gunicorn"])
        assert trial["runtime_directory"] == "/run/gunicorn/shop-standin"
        assert [each["path"] for each in trial["sockets"]] == ["/run/gunicorn-shop-standin.sock"]
        assert trial["sockets"][0]["mode"] == "0600"
        assert trial["secrets_file"] == "/etc/opt/shop/.candidate.secrets.env"
        assert trial["credentials"] == {"KEY": "/etc/opt/shop/credentials/.candidate.KEY"}
        assert trial["command"] == ["/new/bin/gunicorn"]
        same = ("user", "group", "directory", "umask", "no_new_privileges", "oom_score_adjust", "environment")
        assert all(trial[name] == live[name] for name in same)

    def test_without_secrets(self) -> None:
        """There is no file to read."""
        live = launcher.describe("shop", {**GIVEN, "secrets": ""}, [], [])
        assert live["secrets_file"] == launcher.describe_trial("shop", live, [])["secrets_file"] == ""

    def test_the_master_alone_is_told_to_stop(self) -> None:
        """Its workers finish what they do, and supervisor waits for longer than Gunicorn does."""
        options = launcher.program_options("shop", "/etc/opt/shop", True, 40, "hash")
        assert (options["stopasgroup"], options["killasgroup"], options["stopwaitsecs"]) == ("false", "true", "40")
        assert options["command"].endswith(" /etc/opt/shop/gunicorn.launch.json hash")
        assert "user" not in options
        assert launcher.program_options("shop", "/etc/opt/shop", False, 40, "hash")["autostart"] == "false"

    def test_a_program_of_a_companion_names_a_description_too(self) -> None:
        """Whoever removes something looks into it."""
        line = "command=/usr/bin/python3 /etc/opt/shop/gunicorn.launch.py /etc/opt/shop/{} hash"
        text = f"; {programs.MANAGED}\n{line}\n"
        for name in ("gunicorn.launch.json", "gunicorn.launch.mail-2.json"):
            assert launcher.descriptions_in(text.format(name)) == [f"/etc/opt/shop/{name}"]
        assert launcher.descriptions_in(text.format("other.json")) == []

    def test_a_companion_has_no_sockets(self) -> None:
        """And what it keeps in /run is its own."""
        live = launcher.describe("shop", GIVEN, [{"host": "127.0.0.1", "port": 8000}], ["KEY"])
        made = launcher.describe_companion("shop-mail", live, command=["celery"])
        assert (made["sockets"], made["command"]) == ([], ["celery"])
        assert (made["runtime_directory"], made["state"]) == ("/run/gunicorn/shop-mail", "/run/gunicorn-shop-mail")
        assert made["credentials"] == live["credentials"]

    @pytest.mark.parametrize("text", [None, "", "[]", "nonsense", '{"sockets": 1}', '{"sockets": [1]}'])
    def test_a_live_description_that_is_not_ours(self, text: str | None) -> None:
        """It names no socket that could be removed."""
        assert launcher.unix_sockets(text) == ()

    def test_sockets_of_the_live_description(self) -> None:
        """Those in the file system; the others end with their process."""
        assert launcher.unix_sockets('{"sockets": [{"path": "/run/a.sock"}, {"host": "::1"}]}') == ("/run/a.sock",)
