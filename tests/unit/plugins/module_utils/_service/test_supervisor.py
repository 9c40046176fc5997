# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import grp
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import supervised_companions
from removal_host import Host
from service_samples import RUNNING
from service_samples import SUPERVISOR_SPEC as WANTED

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_programs import ProgramState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import (
    SupervisorSpec,
    SupervisorState,
    companion_differences,
    decide,
    spec_from,
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
        assert decide(WANTED, OBSERVED._replace(differing=(WANTED.memory_note.path,))) == (
            ["/var/lib/gunicorn-shop.memory is not as configured"],
            False,
        )
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


class TestCompanions:
    """They follow the service, and start nothing of it."""

    @pytest.fixture
    def mail(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> SupervisorSpec:
        """The service with a companion whose files are in place."""
        monkeypatch.setattr(files, "differs", lambda file: files.read(file.path) != file.content)
        wanted = supervised_companions.spec(host.config, {"mail": supervised_companions.MAIL})
        supervised_companions.put(*wanted.companion_programs)
        return wanted

    def observed(self, **changes: object) -> SupervisorState:
        """Its processes run."""
        state = ProgramState((), supervised_companions.up(5, 6), (), ("secrets",))
        return OBSERVED._replace(companions={"mail": state._replace(**changes)})

    def test_nothing_to_do_where_all_is_as_wanted(self, mail: SupervisorSpec) -> None:
        assert decide(mail, self.observed()) == ([], False)

    def test_one_that_does_not_run_starts_nothing_of_the_service(self, mail: SupervisorSpec) -> None:
        decision = decide(mail, self.observed(processes=supervised_companions.up(5)))
        assert decision == (["the companion mail does not run"], False)

    def test_one_that_is_not_wanted_any_more(self) -> None:
        decision = decide(WANTED, self.observed())
        assert decision == (["the companion mail is not wanted any more"], False)

    def test_without_workers_it_runs_alone(self, mail: SupervisorSpec) -> None:
        """And the service must not."""
        alone = replace(mail, started=False)
        assert decide(alone, self.observed()._replace(process=ProgramProcess("STOPPED"), running=None)) == ([], False)
        assert decide(alone, self.observed()) == (["the service runs and must be stopped"], False)

    def test_all_are_stopped_with_the_service(self, mail: SupervisorSpec) -> None:
        stopped = replace(mail, started=False, companions_started=False)
        found = self.observed()._replace(process=ProgramProcess("STOPPED"), running=None)
        assert decide(stopped, found) == (["the companion mail runs and must be stopped"], False)

    def test_the_difference_is_shown(self, mail: SupervisorSpec, host: Host) -> None:
        """Also of what goes."""
        assert companion_differences(mail) == []
        changed = supervised_companions.spec(host.config, {"beat": supervised_companions.BEAT})
        shown = {Path(each["after_header"]).name: each for each in companion_differences(changed)}
        assert sorted(shown) == [
            "gunicorn.launch.beat.json",
            "gunicorn.launch.mail.json",
            "shop-beat.conf",
            "shop-mail.conf",
        ]
        assert shown["shop-beat.conf"]["before"] == shown["shop-mail.conf"]["after"] == ""


class TestSpecFrom:
    """What the module's arguments ask for."""

    def arguments(self, folder: Path, **changes: object) -> dict:
        """Those of the role, in short."""
        given = supervised_companions.given(folder, launcher="", group=grp.getgrgid(os.getegid()).gr_name)
        return {
            **given,
            "name": "shop",
            "state": "started",
            "description": "shop",
            "configuration": "",
            "secrets": "",
            "credentials": "e30=",
            "logrotate": "",
            "log_file": "/var/log/shop/gunicorn.log",
            "binds": ["127.0.0.1:8000"],
            "socket_directives": {},
            "trial_command": [],
            "workers": 2,
            "companions": {"mail": supervised_companions.MAIL},
            "venv": "/opt/shop/venv",
            "venv_directory": "/opt/shop/venv-12345678",
            "venv_backup": "",
            "venv_fingerprint": "",
            "gunicorn_version": "27.0.1",
            "stop_timeout": 40,
            "code_directory": "/opt/shop",
            "health": {"path": "/", "host": "x", "statuses": [], "scheme": "http", "forwarded_proto": "", "timeout": 9},
            **changes,
        }

    def test_a_companion_runs_where_the_code_is(self, host: Host) -> None:
        """Which is the release, if there is one."""
        release = {"id": "1a", "directory": "/opt/shop/releases"}
        (placed,) = spec_from(self.arguments(host.config)).companion_programs
        (released,) = spec_from(self.arguments(host.config, release=release)).companion_programs
        directories = [json.loads(each.description.content)["directory"] for each in (placed, released)]
        assert directories == ["/opt/shop", "/opt/shop/releases/1a"]

    def test_without_workers_the_service_does_not_start_at_boot(self, host: Host) -> None:
        """Its companions do."""
        wanted = spec_from(self.arguments(host.config, workers=0))
        assert "autostart=false" in wanted.program.content
        assert "autostart=true" in wanted.companion_programs[0].program.content
