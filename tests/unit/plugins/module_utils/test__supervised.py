# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _files, _supervised
from ansible_collections.pyweb.gunicorn.plugins.module_utils._binds import Bind
from ansible_collections.pyweb.gunicorn.plugins.module_utils._files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health import Request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervised import Observed, Wanted, decide
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import Process

CONFIGURATION = WantedFile("/etc/opt/shop/gunicorn.conf.py", "threads = 1\n")
WANTED = Wanted(
    name="shop",
    started=True,
    user="shop",
    group="shop",
    log_file="-",
    configuration=CONFIGURATION,
    launcher=WantedFile("/etc/opt/shop/gunicorn.launch.py", ""),
    description=WantedFile("/etc/opt/shop/gunicorn.launch.json", "{}"),
    program=WantedFile("/etc/supervisor/conf.d/shop.conf", "[program:shop]\n"),
    logrotate=WantedFile("/etc/logrotate.d/gunicorn-shop", None),
    secret_files=(WantedFile("/etc/opt/shop/secrets.env", "A=1\n", 0o600, secret=True),),
    trial="{}",
    binds=(Bind("127.0.0.1", 8000),),
    argv=("/opt/shop/venv/bin/gunicorn", "--workers=3", "shop.wsgi"),
    workers=3,
    venv="/opt/shop/venv",
    venv_directory="/opt/shop/venv-12345678",
    venv_backup="",
    gunicorn_version="27.0.1",
    configuration_hash="hash",
    secrets_hash="secrets",
    stop_timeout=40,
    health=Request("/", "localhost", "http", ()),
    health_timeout=30,
)
RUNNING = Running(
    pid=7,
    configuration="hash",
    secrets="secrets",
    argv=WANTED.argv,
    prefix="/opt/shop/venv-12345678",
    gunicorn_version="27.0.1",
    configuration_sha256=_files.text_hash(CONFIGURATION.content or ""),
    workers=3,
    holds_sockets=True,
)
OBSERVED = Observed(
    process=Process("RUNNING", 7),
    running=RUNNING,
    differing=(),
    closed=(),
    addresses=(),
    venv_directory=WANTED.venv_directory,
    interrupted=False,
)
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


class TestDecide:
    def test_nothing_to_do_where_all_is_as_wanted(self) -> None:
        """What runs is what is wanted: no reason, no switch."""
        assert decide(WANTED, OBSERVED) == ([], False)

    @pytest.mark.parametrize(
        "found",
        [
            {"process": Process("FATAL"), "running": None},
            {"process": Process(), "running": None},
            {"closed": ("127.0.0.1:8000",)},
            {"interrupted": True},
            {"venv_directory": "/opt/shop/venv-87654321"},
            {"differing": (WANTED.program.path,)},
            {"running": RUNNING._replace(workers=4)},
            {"running": RUNNING._replace(gunicorn_version="26.0.0")},
            {"running": RUNNING._replace(configuration="other")},
            {"running": RUNNING._replace(secrets="")},
            {"running": RUNNING._replace(holds_sockets=False)},
        ],
    )
    def test_each_finding_is_one_reason(self, found: dict) -> None:
        """Each by itself is found, and starts the service anew."""
        decision = decide(WANTED, OBSERVED._replace(**found))
        assert len(decision.reasons) == 1
        assert decision.switch

    def test_the_rotation_of_the_logs_starts_nothing(self) -> None:
        """No process reads that file."""
        assert decide(WANTED, OBSERVED._replace(differing=(WANTED.logrotate.path,))) == (
            ["/etc/logrotate.d/gunicorn-shop is not as configured"],
            False,
        )

    def test_a_venv_that_was_changed_in_place_is_started(self) -> None:
        """Also where the versions are the same."""
        assert decide(WANTED._replace(venv_backup="/opt/shop/venv.backup"), OBSERVED).switch

    @pytest.mark.parametrize("state", ["RUNNING", "STARTING", "BACKOFF"])
    def test_stopped_is_reached(self, state: str) -> None:
        """Also where it does not come up, and would be started again."""
        decision = decide(WANTED._replace(started=False), OBSERVED._replace(process=Process(state, 7)))
        assert decision == (["the service runs and shall be stopped"], False)

    @pytest.mark.parametrize("state", ["", "STOPPED", "EXITED", "FATAL"])
    def test_stopped_is_kept(self, state: str) -> None:
        """One that does not run, and is else as wanted, is left alone."""
        stopped = OBSERVED._replace(process=Process(state), running=None)
        assert decide(WANTED._replace(started=False), stopped) == ([], False)


class TestDescriptions:
    def test_sockets(self) -> None:
        """As the socket unit would have them."""
        binds = [Bind("127.0.0.1", 8000), Bind("::1", 8000), Bind(path="/run/shop.sock")]
        directives = {"BindIPv6Only": "ipv6-only", "SocketUser": "shop", "SocketGroup": "www", "SocketMode": "0660"}
        assert _supervised.describe_sockets(binds, directives) == [
            {"host": "127.0.0.1", "port": 8000, "only_ipv6": False},
            {"host": "::1", "port": 8000, "only_ipv6": True},
            {"path": "/run/shop.sock", "owner": "shop", "group": "www", "mode": "0660"},
        ]

    def test_one_ipv6_address_alone_may_take_both(self) -> None:
        """The kernel's default, as in the socket unit."""
        assert not _supervised.describe_sockets([Bind("::", 8000)], {})[0]["only_ipv6"]

    def test_a_trial_is_beside_the_live_service(self) -> None:
        """Nothing that it makes or opens is the live service's; its files are the candidates."""
        live = _supervised.describe("shop", GIVEN, [{"host": "127.0.0.1", "port": 8000}], ["KEY"])
        trial = _supervised.describe_trial("shop", live, ["/new/bin/gunicorn"])
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
        live = _supervised.describe("shop", {**GIVEN, "secrets": ""}, [], [])
        assert live["secrets_file"] == _supervised.describe_trial("shop", live, [])["secrets_file"] == ""

    def test_the_master_alone_is_told_to_stop(self) -> None:
        """Its workers finish what they do, and supervisor waits for longer than Gunicorn does."""
        options = _supervised.program_options("shop", "/etc/opt/shop", True, 40, "hash")
        assert (options["stopasgroup"], options["killasgroup"], options["stopwaitsecs"]) == ("false", "true", "40")
        assert options["command"].endswith(" /etc/opt/shop/gunicorn.launch.json hash")
        assert "user" not in options
        assert _supervised.program_options("shop", "/etc/opt/shop", False, 40, "hash")["autostart"] == "false"

    @pytest.mark.parametrize("text", [None, "", "[]", "nonsense", '{"sockets": 1}', '{"sockets": [1]}'])
    def test_a_live_description_that_is_not_ours(self, text: str | None) -> None:
        """It names no socket that could be removed."""
        assert _supervised.unix_sockets(text) == ()

    def test_sockets_of_the_live_description(self) -> None:
        """Those in the file system; the others end with their process."""
        assert _supervised.unix_sockets('{"sockets": [{"path": "/run/a.sock"}, {"host": "::1"}]}') == ("/run/a.sock",)
