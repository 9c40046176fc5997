# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import (
    SupervisorSpec,
    SupervisorState,
    decide,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

CONFIGURATION = WantedFile("/etc/opt/shop/gunicorn.conf.py", "threads = 1\n")
WANTED = SupervisorSpec(
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
    binds=(Address("127.0.0.1", 8000),),
    argv=("/opt/shop/venv/bin/gunicorn", "--workers=3", "shop.wsgi"),
    workers=3,
    venv="/opt/shop/venv",
    venv_directory="/opt/shop/venv-12345678",
    venv_backup="",
    gunicorn_version="27.0.1",
    configuration_hash="hash",
    secrets_hash="secrets",
    stop_timeout=40,
    health=HealthRequest("/", "localhost", "http", ()),
    health_timeout=30,
)
RUNNING = Running(
    pid=7,
    configuration="hash",
    secrets="secrets",
    argv=WANTED.argv,
    prefix="/opt/shop/venv-12345678",
    gunicorn_version="27.0.1",
    configuration_sha256=files.text_hash(CONFIGURATION.content or ""),
    workers=3,
    holds_sockets=True,
)
OBSERVED = SupervisorState(
    process=ProgramProcess("RUNNING", 7),
    running=RUNNING,
    differing=(),
    closed=(),
    addresses=(),
    venv_directory=WANTED.venv_directory,
    interrupted=False,
)


class TestDecide:
    def test_nothing_to_do_where_all_is_as_wanted(self) -> None:
        """What runs is what is wanted: no reason, no switch."""
        assert decide(WANTED, OBSERVED) == ([], False)

    @pytest.mark.parametrize(
        "found",
        [
            {"process": ProgramProcess("FATAL"), "running": None},
            {"process": ProgramProcess(), "running": None},
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
        decision = decide(WANTED._replace(started=False), OBSERVED._replace(process=ProgramProcess(state, 7)))
        assert decision == (["the service runs and shall be stopped"], False)

    @pytest.mark.parametrize("state", ["", "STOPPED", "EXITED", "FATAL"])
    def test_stopped_is_kept(self, state: str) -> None:
        """One that does not run, and is else as wanted, is left alone."""
        stopped = OBSERVED._replace(process=ProgramProcess(state), running=None)
        assert decide(WANTED._replace(started=False), stopped) == ([], False)
