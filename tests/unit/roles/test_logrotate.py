# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What root does after it has rotated the logs of a service under supervisor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[3] / "roles" / "gunicorn" / "templates" / "logrotate.j2"
# Like a master that starts: only some time later it knows what the signal means
MASTER = """
import signal, time
time.sleep(1)
signal.signal(signal.SIGUSR1, lambda number, frame: print("opened anew", flush=True))
signal.sigtimedwait([], 20)
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    """The script for logrotate, as a shell runs it."""
    text = (
        jinja2.Environment(trim_blocks=True)
        .from_string(TEMPLATE.read_text(encoding="utf-8"))
        .render(
            __gunicorn_log_files=["/var/log/shop/gunicorn.log"],
            __gunicorn_plan={"manager": "supervisor"},
            __gunicorn_start_timeout=3,
            gunicorn_service_name="shop",
            gunicorn_user="shop",
            gunicorn_group="shop",
        )
    )
    return text.partition("postrotate")[2].partition("endscript")[0]


def rotate(script: str, pid: int, folder: Path) -> list[str]:
    """Run the script where supervisor has this process; returns the signals that it was told to send."""
    told = folder / "told"
    told.touch()
    program = folder / "supervisorctl"
    program.write_text(f"#!/bin/sh\ntest $1 = pid && echo {pid} && exit\necho $1 $2 $3 >> {told}\nkill -s $2 {pid}\n")
    program.chmod(0o755)
    subprocess.run(["sh", "-c", script], env={"PATH": f"{folder}:{os.environ['PATH']}"}, check=True, timeout=20)
    return told.read_text().splitlines()


def test_a_master_that_starts_gets_the_signal_when_it_knows_it(script: str, tmp_path: Path) -> None:
    """Before, it would end by it."""
    with subprocess.Popen([sys.executable, "-c", MASTER], stdout=subprocess.PIPE, text=True) as master:
        assert rotate(script, master.pid, tmp_path) == ["signal USR1 shop"]
        assert master.stdout
        assert master.stdout.readline() == "opened anew\n"
        master.kill()


def test_a_master_that_never_knows_it_is_left_alone(script: str, tmp_path: Path) -> None:
    """So is a program that does not run."""
    with subprocess.Popen(["sleep", "20"]) as master:
        assert rotate(script, master.pid, tmp_path) == []
        master.kill()
    assert rotate(script, 0, tmp_path) == []


def test_no_file_of_the_service_is_opened(script: str) -> None:
    """Its user could have put a pipe there, and root would wait for ever."""
    assert "/run/gunicorn" not in script
