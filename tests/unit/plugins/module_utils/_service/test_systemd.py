# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service_samples import FILES, GONE, RUNNING, UNIT, without
from service_samples import SYSTEMD_SPEC as WANTED
from service_samples import SYSTEMD_STATE as OBSERVED

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, comparison
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_state import CompanionState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdState, decide

# What can be found, and whether the service has to be started anew for it.
FINDINGS = [
    ({"service": UNIT._replace(active=False), "running": None}, True),
    ({"service": UNIT._replace(active=False, starting=True), "running": None}, True),
    ({"socket": UNIT._replace(active=False)}, True),
    ({"listening": ("127.0.0.1:8000",)}, True),
    ({"addresses": ("127.0.0.1:8000",)}, True),
    ({"addresses": ("127.0.0.1:8000", "[::1]:8000", "127.0.0.1:8001")}, True),
    ({"interrupted": True}, True),
    ({"refused": True}, True),
    ({"venv_directory": "/opt/shop/venv-87654321"}, True),
    ({"files": without(WANTED.unit.path)}, True),
    ({"files": without(WANTED.configuration.path)}, True),
    ({"files": without(WANTED.secret_files[0].path)}, True),
    ({"running": RUNNING._replace(workers=4)}, True),
    ({"running": RUNNING._replace(workers=2)}, True),
    ({"running": RUNNING._replace(gunicorn_version="26.0.0")}, True),
    ({"running": RUNNING._replace(gunicorn_version="")}, True),
    ({"running": RUNNING._replace(prefix="/opt/shop/venv-87654321")}, True),
    ({"running": RUNNING._replace(argv=())}, True),
    ({"running": RUNNING._replace(argv=WANTED.argv[::-1])}, True),
    ({"running": RUNNING._replace(configuration="other")}, True),
    ({"running": RUNNING._replace(configuration_sha256="other")}, True),
    ({"running": RUNNING._replace(secrets="")}, True),
    ({"running": RUNNING._replace(holds_sockets=False)}, True),
    ({"running": RUNNING._replace(sockets=3)}, True),
    ({"lost_logs": {"/var/log/shop/gunicorn.log": True}}, False),
    ({"release_problems": ("/opt/shop/current does not lead to the release 1a",)}, False),
    ({"lost_logs": {"/var/log/shop/gunicorn.log": False}}, True),
    ({"service": UNIT._replace(enabled=False)}, False),
    ({"socket": UNIT._replace(enabled=False)}, False),
    ({"service": UNIT._replace(stale=True)}, False),
    ({"socket": UNIT._replace(stale=True)}, False),
    ({"standin": UNIT}, False),
    ({"standin": UNIT._replace(active=False, starting=True)}, False),
    ({"files": without(WANTED.socket.path)}, False),
    ({"files": without(WANTED.logrotate.path)}, False),
    ({"files": without(WANTED.memory_note.path)}, False),
]


class TestDecide:
    def test_nothing_to_do_where_all_is_as_wanted(self) -> None:
        """What runs is what is wanted: no reason, no switch."""
        assert decide(WANTED, OBSERVED) == ([], False)

    @pytest.mark.parametrize(("found", "switch"), FINDINGS)
    def test_each_finding_is_one_reason(self, found: dict, switch: bool) -> None:
        """Each by itself is found, and starts the service anew only if it has to."""
        decision = decide(WANTED, OBSERVED._replace(**found))
        assert len(decision.reasons) == 1
        assert decision.switch is switch

    def test_a_venv_that_was_changed_in_place_is_started(self) -> None:
        """Also where the versions are the same: its files were repaired."""
        decision = decide(replace(WANTED, venv_backup="/opt/shop/venv.backup"), OBSERVED)
        assert decision == (["the virtual environment was changed"], True)

    @pytest.mark.parametrize(("found", "_switch_for_it"), FINDINGS)
    def test_nothing_is_started_that_shall_be_stopped(self, found: dict, _switch_for_it: bool) -> None:
        """A service that must be stopped is never switched, whatever is found."""
        assert not decide(replace(WANTED, started=False), OBSERVED._replace(**found)).switch

    def test_stopped_is_reached_and_kept(self) -> None:
        """One that runs is stopped; one that does not run, and is else as wanted, is left alone."""
        stopped = replace(WANTED, started=False)
        assert decide(stopped, OBSERVED).reasons == ["the service runs and must be stopped"]
        down = UNIT._replace(active=False, main_pid=0)
        assert decide(stopped, OBSERVED._replace(service=down, socket=down, running=None)).reasons == []

    def test_a_release_needs_no_trial_of_code_in_place(self) -> None:
        """The mark of a change that was refused is removed."""
        released = replace(WANTED, code_directory="")
        assert decide(released, OBSERVED._replace(refused=True)) == ([comparison.REFUSED_BEFORE], False)

    def test_a_first_deployment(self) -> None:
        """A host that has nothing of it gets everything."""
        fresh = SystemdState(GONE, GONE, GONE, None, dict.fromkeys(FILES), (), (), WANTED.venv, False, -1)
        decision = decide(WANTED, fresh)
        assert decision.switch
        assert "the service does not run" in decision.reasons
        assert "the service must start at boot" in decision.reasons

    @given(st.lists(st.sampled_from(FINDINGS), max_size=4))
    def test_any_finding_that_needs_a_switch_makes_one(self, findings: list) -> None:
        """However many there are."""
        found = {name: value for finding, _switch_for_it in findings for name, value in finding.items()}
        kept = [switch for finding, switch in findings if finding.items() <= found.items()]
        decision = decide(WANTED, OBSERVED._replace(**found))
        assert bool(decision.reasons) is bool(found)
        assert decision.switch or not any(kept)


class TestMismatches:
    def test_the_command_line_is_told_by_its_difference(self) -> None:
        """A reader sees what differs, not two long lines."""
        running = RUNNING._replace(argv=("/opt/shop/venv/bin/gunicorn", "--workers=5", "shop.wsgi"))
        assert comparison.mismatches(WANTED, running) == ["the command line has --workers=5 in place of --workers=3"]

    def test_versions_are_named(self) -> None:
        """The version that runs, and the wanted one."""
        running = RUNNING._replace(gunicorn_version="26.0.0")
        assert comparison.mismatches(WANTED, running) == ["Gunicorn's version is 26.0.0, not 27.0.1"]


class TestTexts:
    def test_only_the_last_mark_is_filled_in(self) -> None:
        """What a user wrote stands before it, and stays as it is."""
        assert comparison.fill_in("A=@SECRETS@\nS=@SECRETS@\n", "SECRETS", "x") == "A=@SECRETS@\nS=x\n"
        assert comparison.fill_in("nothing", "SECRETS", "x") == "nothing"

    @given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
    def test_digests_are_of_the_parts(self, one: list[str], other: list[str]) -> None:
        """Texts that join to the same are told apart."""
        assert (comparison.digest(*one) == comparison.digest(*other)) is (one == other)


class TestCompanions:
    """They follow the service, and start nothing of it."""

    def test_one_that_is_not_as_wanted(self) -> None:
        """Such as one that is not there yet."""
        wanted = replace(WANTED, companions=tuple(companion.parse({"mail": {"command": "celery worker"}}, "-")))
        assert decide(wanted, OBSERVED) == (["the companion mail is not as configured"], False)

    def test_one_that_is_not_wanted_any_more(self) -> None:
        """What only finishes has been asked to, and is no reason."""
        found = CompanionState({"shop-mail.service": None}, {"shop-mail.service": UNIT})
        decision = decide(WANTED, OBSERVED._replace(companions={"mail": found}))
        assert decision == (["the companion mail is not wanted any more"], False)
        finishing = CompanionState({}, {"shop-mail@1-1.service": UNIT._replace(active=False, stopping=True)})
        assert decide(WANTED, OBSERVED._replace(companions={"mail": finishing})) == ([], False)
