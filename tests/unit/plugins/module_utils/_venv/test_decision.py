# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from venvs import want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.decision import Task
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvState


class TestDecide:
    """The task, from what is wanted and what the venv has."""

    GOOD = VenvState("/v", "3.11.2", "/usr/bin/python3.11", "27.0.1", True, {}, True, [], [], True)

    @pytest.mark.parametrize(
        ("before", "changes", "in_place", "beside"),
        [
            (GOOD, {}, Task.NOTHING, Task.NOTHING),
            (GOOD, {"upgrade": True}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD._replace(unmet=["gunicorn>=28"]), {}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD._replace(gunicorn_is_whole=False), {}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD._replace(is_stamped=False), {}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD, {"rebuild": True}, Task.NOTHING, Task.NOTHING),
            (None, {}, Task.MAKE, Task.BUILD),
            (None, {"upgrade": True}, Task.MAKE, Task.BUILD),
        ],
    )
    def test_what_is_missing(self, before: VenvState | None, changes: dict, in_place: Task, beside: Task) -> None:
        """Requirements make the venv the role's own: it is built anew instead of changed."""
        wanted = want(Path("/v"), **changes)
        assert decision.decide(wanted, before, rebuild=False, interrupted=False) is in_place
        assert decision.decide(wanted._replace(requirements=["notes"]), before, False, False) is beside

    @pytest.mark.parametrize("before", [GOOD, None])
    def test_rebuild(self, before: VenvState | None) -> None:
        """It comes first, also if nothing is missing or a run was killed."""
        wanted = want(Path("/v"), requirements=["notes"], rebuild=True)
        for interrupted in (False, True):
            assert decision.decide(wanted, before, rebuild=True, interrupted=interrupted) is Task.REBUILD

    def test_rebuild_without_requirements(self) -> None:
        """There is nothing to build from, and the error names both variables."""
        with pytest.raises(InvalidValue, match=r"gunicorn_requirements: \[\] .*gunicorn_venv_rebuild"):
            decision.decide(want(Path("/v"), rebuild=True), self.GOOD, rebuild=True, interrupted=False)

    @pytest.mark.parametrize(("lines", "task"), [([], Task.CHANGE_IN_PLACE), (["notes"], Task.BUILD)])
    def test_interrupted(self, lines: list[str], task: Task) -> None:
        """A venv that a killed pip left may look whole, and is not relied on."""
        wanted = want(Path("/v"), requirements=lines)
        assert decision.decide(wanted, self.GOOD, rebuild=False, interrupted=True) is task
