# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which program a step runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import StepFailed


def test_a_program_is_found(tmp_path: Path) -> None:
    """First in the virtual environment, then where the system has its own; a path may begin at the release."""
    venv, release = tmp_path / "venv", tmp_path / "release"
    for path in (venv / "bin" / "true", release / "bin" / "build"):
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    arguments = (str(release), str(venv))
    assert programs.located(["true", "-x"], *arguments) == [f"{venv}/bin/true", "-x"]
    assert programs.located(["ls"], *arguments)[0].endswith("bin/ls")
    assert programs.located(["bin/build"], *arguments) == [f"{release}/bin/build"]
    assert programs.located(["./bin/build"], *arguments) == [f"{release}/bin/build"]
    assert programs.located(["/bin/sh", "-c", "id"], *arguments) == ["/bin/sh", "-c", "id"]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("npm-of-nobody", "no program 'npm-of-nobody' in .*/venv/bin, and none in the search path"),
        ("bin/none", "there is no program .*/release/bin/none"),
        ("./manage.py", ".*/release/manage.py is not executable"),
        ("bin", "no program 'bin'"),
        ("./bin", "there is no program .*/release/bin"),
    ],
)
def test_what_is_no_program_is_named(tmp_path: Path, program: str, reason: str) -> None:
    """Before anything is started."""
    (tmp_path / "release" / "bin").mkdir(parents=True)
    (tmp_path / "release" / "manage.py").write_text("")
    with pytest.raises(StepFailed, match=reason):
        programs.located([program], f"{tmp_path}/release", f"{tmp_path}/venv")
