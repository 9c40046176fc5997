# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from service_samples import RUNNING
from service_samples import SUPERVISOR_SPEC as WANTED

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import (
    SupervisorState,
    decide,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess

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
            {"refused": True},
            {"venv_directory": "/opt/shop/venv-87654321"},
            {"differing": (WANTED.program.path,)},
            {"running": RUNNING._replace(workers=4)},
            {"running": RUNNING._replace(gunicorn_version="26.0.0")},
            {"running": RUNNING._replace(configuration="other")},
            {"running": RUNNING._replace(secrets="")},
            {"running": RUNNING._replace(holds_sockets=False)},
            {"lost_logs": {"/var/log/shop/gunicorn.log": False}},
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

    def test_a_release_needs_no_trial_of_code_in_place(self) -> None:
        """The mark of a change that was refused is removed."""
        released = replace(WANTED, code_directory="")
        assert decide(released, OBSERVED._replace(refused=True)) == ([comparison.REFUSED_BEFORE], False)

    def test_what_belongs_to_a_release_is_put_right_without_a_start(self) -> None:
        """Such as the link for people, which somebody has removed."""
        problem = "/opt/shop/current does not lead to the release 1a"
        assert decide(WANTED, OBSERVED._replace(release_problems=(problem,))) == ([problem], False)

    def test_a_log_is_opened_anew_by_the_process_that_runs(self) -> None:
        """It needs a signal."""
        decision = decide(WANTED, OBSERVED._replace(lost_logs={"/var/log/shop/gunicorn.log": True}))
        assert decision == (["the service writes into a file that is no more at /var/log/shop/gunicorn.log"], False)

    def test_a_venv_that_was_changed_in_place_is_started(self) -> None:
        """Also where the versions are the same."""
        assert decide(replace(WANTED, venv_backup="/opt/shop/venv.backup"), OBSERVED).switch

    @pytest.mark.parametrize("state", ["RUNNING", "STARTING", "BACKOFF"])
    def test_stopped_is_reached(self, state: str) -> None:
        """Also where it does not come up, and would be started again."""
        decision = decide(replace(WANTED, started=False), OBSERVED._replace(process=ProgramProcess(state, 7)))
        assert decision == (["the service runs and must be stopped"], False)

    @pytest.mark.parametrize("state", ["", "STOPPED", "EXITED", "FATAL"])
    def test_stopped_is_kept(self, state: str) -> None:
        """One that does not run, and is else as wanted, is left alone."""
        stopped = OBSERVED._replace(process=ProgramProcess(state), running=None)
        assert decide(replace(WANTED, started=False), stopped) == ([], False)
