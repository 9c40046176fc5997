# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from venvs import Host, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import pip_runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.pip_runner import Rejected, Watch


class TestFirstChoice:
    def test_a_downgrade_in_an_open_range(self, venv: Path, host: Host, family: Path) -> None:
        """It gives what pip gives in an empty venv, and not the oldest version, which takes everything."""
        host.environment["PIP_FIND_LINKS"] = str(family)
        host.ensure(want(venv, requirements=["cms"]))
        after = host.ensure(want(venv, requirements=["cms<5"]))["diff"]["after"]
        assert ("cms==4.0\n" in after, "frame==4.0\n" in after) == (True, True)

    def test_versions_stay_where_nothing_conflicts(self, venv: Path, host: Host, family: Path) -> None:
        """A version that a later requirement replaces is no conflict."""
        host.environment["PIP_FIND_LINKS"] = str(family)
        host.ensure(want(venv, requirements=["frame<3"]))
        after = host.ensure(want(venv, requirements=["frame", "part", "whole"]))["diff"]["after"]
        assert ("frame==2.0\n" in after, "part==1.0\n" in after) == (True, True)

    @pytest.mark.parametrize(("options", "code"), [([], 0), ([pip_runner.FIRST_CHOICE], 2)])
    def test_where_pip_ends(self, venv: Path, host: Host, family: Path, options: list[str], code: int) -> None:
        """Without the option, pip finds the oldest one; with it, it does not look at a second one."""
        constraints = family / "constraints.txt"
        constraints.write_text("frame==5.0\n")
        host.ensure(want(venv))
        arguments = ["pip", "install", "--dry-run", f"--constraint={constraints}", "cms<5"]
        command = [str(venv / "bin/python"), "-I", "-c", inspect.getsource(pip_runner), *options]
        done = subprocess.run(
            command,
            input=json.dumps(arguments),
            env={**host.environment, "PIP_FIND_LINKS": str(family)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, "cms-1.0" in done.stdout) == (code, code == 0)
        assert ("Rejected" in done.stderr) == (code != 0)


class TestWatch:
    """What pip's resolver reports, in the order of its versions."""

    one, two = SimpleNamespace(name="a", version=1), SimpleNamespace(name="a", version=2)

    def test_the_next_version_of_one_that_was_not_chosen(self) -> None:
        """pip 23.0 does not say that it rejects one."""
        watch = Watch()
        watch.adding_requirement(requirement="b", parent=None)
        watch.adding_requirement(requirement="b", parent=self.two)
        watch.adding_requirement(requirement="c", parent=self.two)
        with pytest.raises(Rejected, match="^a 2$"):
            watch.adding_requirement(requirement="b", parent=self.one)

    def test_another_version_of_one_that_was_chosen(self) -> None:
        """A requirement that came later asks for it."""
        watch = Watch()
        watch.adding_requirement("b", self.two)
        watch.pinning(candidate=self.two)
        watch.adding_requirement("b", self.one)

    def test_what_pip_says_itself(self) -> None:
        """It rejects a version, or goes back."""
        with pytest.raises(Rejected):
            Watch().rejecting_candidate("criterion", self.one)
        with pytest.raises(Rejected):
            Watch().resolving_conflicts(causes=[])

    def test_a_pip_that_reports_nothing(self) -> None:
        """What its events hold is not known."""
        Watch().adding_requirement(object(), object())
        Watch().pinning(object())


def test_a_pip_without_a_reporter(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks for older versions, as it does by itself."""
    monkeypatch.setitem(sys.modules, "pip._internal.resolution.resolvelib.reporter", None)
    pip_runner.end_at_first_rejection()
