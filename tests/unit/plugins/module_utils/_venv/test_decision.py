# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from venvs import Host, state_of, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import decision, requirements, sources
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.decision import Task
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Line, Requirement, Requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.sources import Source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.stamp import Stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvState


class TestDecide:
    """The task, from what is wanted and what the venv has."""

    GOOD = state_of()

    @pytest.mark.parametrize(
        ("before", "satisfied", "changes", "in_place", "beside"),
        [
            (GOOD, True, {}, Task.NOTHING, Task.NOTHING),
            (GOOD, True, {"upgrade": True}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD, False, {}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD, True, {"rebuild": True}, Task.NOTHING, Task.NOTHING),
            (None, False, {}, Task.MAKE, Task.BUILD),
            (None, False, {"upgrade": True}, Task.MAKE, Task.BUILD),
        ],
    )
    def test_what_is_missing(
        self, before: VenvState | None, satisfied: bool, changes: dict, in_place: Task, beside: Task
    ) -> None:
        """Requirements make the venv the role's own: it is built anew instead of changed."""
        wanted = want(Path("/v"), **changes)
        assert decision.decide(wanted, before, satisfied, rebuild=False, interrupted=False) is in_place
        for given in ({"requirements": ["notes"]}, {"requirements_file": "/r.txt"}):
            assert decision.decide(wanted._replace(**given), before, satisfied, False, False) is beside

    @pytest.mark.parametrize("before", [GOOD, None])
    def test_rebuild(self, before: VenvState | None) -> None:
        """It comes first, also if nothing is missing or a run was killed."""
        wanted = want(Path("/v"), requirements=["notes"], rebuild=True)
        for interrupted in (False, True):
            assert decision.decide(wanted, before, True, rebuild=True, interrupted=interrupted) is Task.REBUILD

    def test_rebuild_without_requirements(self) -> None:
        """There is nothing to build from, and the error names both variables."""
        with pytest.raises(InvalidValue, match=r"gunicorn_requirements: \[\] .*gunicorn_venv_rebuild"):
            decision.decide(want(Path("/v"), rebuild=True), self.GOOD, True, rebuild=True, interrupted=False)

    @pytest.mark.parametrize(("lines", "task"), [([], Task.CHANGE_IN_PLACE), (["notes"], Task.BUILD)])
    def test_interrupted(self, lines: list[str], task: Task) -> None:
        """A venv that a killed pip left may look whole, and is not relied on."""
        wanted = want(Path("/v"), requirements=lines)
        assert decision.decide(wanted, self.GOOD, True, rebuild=False, interrupted=True) is task


class TestHasAll:
    """What is not as it was noted may still be what is wanted."""

    @pytest.fixture
    def found(self) -> Requirements:
        """The requirement of a package that is there."""
        line = Line(1, "notes", "", False)
        item = Requirement("notes", "", "notes", "", "", True, True, False, False, False, "", "", True)
        return requirements.Requirements({"": [line]}, [item], {}, [], False, False, [])

    def has_all(self, found: Requirements, before: VenvState | None = None, **changes: object) -> bool:
        """Ask for that."""
        noted = Stamp(lines=found.hash, installed="0" * 64)._replace(**changes)
        return decision.has_all(want(Path("/v"), revision="2"), before or state_of(), noted, found)

    def test_the_same_lines(self, found: Requirements) -> None:
        """A comment changed, or somebody added a package by hand."""
        assert self.has_all(found)
        assert self.has_all(found, installed="1" * 64)

    def test_other_lines(self, found: Requirements) -> None:
        """They are installed, also if all of them are met: one may be gone."""
        assert not self.has_all(found, lines="1" * 64)

    def test_what_is_not_met(self, found: Requirements) -> None:
        """A requirement, or Gunicorn itself."""
        unmet = found._replace(items=[found.items[0]._replace(is_met=False)])
        assert not self.has_all(unmet)
        assert not self.has_all(found, state_of(has_extras=False))

    def test_a_lock_that_the_extras_contradict(self, found: Requirements) -> None:
        """A lock that names Gunicorn may have an older library than its extra asks for: nothing would change that."""
        item = found.items[0]._replace(name="gunicorn")
        locked = found._replace(items=[item], requires_hashes=True)
        assert self.has_all(locked, state_of(has_extras=False))
        assert not self.has_all(locked, state_of(gunicorn_is_wanted=False))
        assert not self.has_all(found._replace(items=[item]), state_of(has_extras=False))

    def test_hashes(self, found: Requirements) -> None:
        """Nothing by hand is left beside what a lock says."""
        locked = found._replace(requires_hashes=True)
        assert self.has_all(locked)
        assert not self.has_all(locked, installed="1" * 64)

    def test_what_moves(self, found: Requirements) -> None:
        """Another revision of the application installs it anew."""
        moving = found._replace(items=[found.items[0]._replace(kind="repository", is_fixed=False)])
        assert self.has_all(moving, revision="2")
        assert not self.has_all(moving, revision="1")

    def test_a_local_package_that_changed(self, found: Requirements, tmp_path: Path) -> None:
        """Its version tells nothing."""
        assert self.has_all(found, sources={str(tmp_path): sources.read(str(tmp_path), False)})
        assert not self.has_all(found, sources={str(tmp_path): Source("0" * 64, "0" * 64)})


class TestMessage:
    """What check mode and the plan say about an install."""

    def test_only_where_something_is_installed(self, venv: Path, host: Host) -> None:
        """With nothing to do, it is empty."""
        assert host.ensure(want(venv), check_mode=True)["message"] == ""
        new = host.ensure(want(venv, requirements=["notes"]), check_mode=True)["message"]
        assert new.startswith(f"pip installs Gunicorn, notes into a new virtual environment beside {venv}, from ")
        own = host.ensure(want(venv, version="27.0.0"), check_mode=True)["message"]
        assert own.startswith(f"pip installs Gunicorn 27.0.0 into {venv}, from ")

    def test_a_venv_that_a_killed_pip_left(self, venv: Path, host: Host) -> None:
        """It is not asked, and pip installs into it again."""
        directories.mark(str(venv), directories.CHANGING)
        message = host.ensure(want(venv), check_mode=True)["message"]
        assert message.startswith(f"pip installs Gunicorn into {venv}, from ")
