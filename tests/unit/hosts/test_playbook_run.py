# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How tests of scenarios call ansible-playbook."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ansible
import pytest
from playbook_run import PlaybookRun

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Ask
      ansible.builtin.stat: {path: /nowhere}
"""


@pytest.fixture
def run(tmp_path):
    """Run a play of one module on this machine."""
    (tmp_path / "play.yml").write_text(PLAY)
    interpreter = {"ansible_python_interpreter": sys.executable}
    return lambda: PlaybookRun(
        tmp_path / "play.yml", "--inventory=localhost,", "--connection=local", variables=interpreter
    )


def test_runs_share_the_modules_that_ansible_puts_together(run):
    """The second one takes what the first one has made, and leaves it."""
    shared = Path(os.environ["SHARED_MODULES"], ansible.__version__)
    assert run().on_host() == ["Ask"]
    (made,) = [
        path for path in shared.iterdir() if path.name.startswith("ansible.modules.stat-") and path.suffix != ".lock"
    ]
    before = made.stat()
    again = run()
    assert (again.code, again.on_host()) == (0, ["Ask"]), again.output
    assert (made.stat().st_ino, made.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
