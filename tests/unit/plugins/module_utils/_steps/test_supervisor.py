# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps under supervisor: run by a launcher, to their end, with all that they leave."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution, StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.supervisor import SupervisorSteps

# Becomes the command, without what needs a service's user
LAUNCHER = """
import json, os, sys
told = json.load(open(sys.argv[1]))
os.chdir(told["directory"])
os.environ.update(told["environment"], RUNTIME_DIRECTORY=told["runtime_directory"])
os.environ["CREDENTIALS"] = " ".join(told["credentials"]) + told["secrets_file"]
os.execv(told["command"][0], told["command"])
"""


def run(folder: Path, script: str, timeout: int = 20) -> tuple[str, str, float]:
    """Run a script as a step, in a process of its own; how it failed, what it said, and how long that took."""
    given: dict[str, Any] = {
        "user": "root",
        "group": "root",
        "service_directives": {},
        "environment": {"A": "of the service"},
        "launcher": LAUNCHER,
    }
    step = Execution({}, ["/bin/sh", "-c", script], str(folder), {"GUNICORN_STEP": "x"}, [], timeout)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        # All children of the process that runs a step are ended with it.
        began = time.monotonic()
        found = ("", "")
        try:
            SupervisorSteps("shop", given, str(folder)).run(step)
        except StepFailed as failure:
            found = (str(failure), failure.said)
        finally:
            with open(writer, "wb") as told:
                pickle.dump((*found, time.monotonic() - began), told)
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as told:
        result = pickle.load(told)  # noqa: S301
    os.waitpid(child, 0)
    return result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for root alone, with a secret and a credential."""
    monkeypatch.setattr(launcher, "folder_of_step", lambda _name: str(tmp_path))
    monkeypatch.setattr(supervisor, "_STOP_TIMEOUT", 1.0)
    (tmp_path / "secrets.env").touch()
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "key").touch()
    (tmp_path / "credentials" / ".candidate.key").touch()
    return tmp_path


def left(folder: Path) -> list[int]:
    """The processes that a script has left: they have its folder in their arguments."""
    return [pid for pid, words in processes.read_command_lines() if f"{folder}/mark" in words]


def test_a_step_that_succeeds(folder: Path) -> None:
    """It has the environment of the service and of its own, and the secrets."""
    script = 'echo "$A,$GUNICORN_STEP,$CREDENTIALS,$RUNTIME_DIRECTORY,$PWD" > said'
    assert run(folder, script)[:2] == ("", "")
    expected = f"of the service,x,key{folder}/secrets.env,/run/gunicorn/shop-step,{folder}\n"
    assert (folder / "said").read_text() == expected
    assert not (folder / "output").exists()


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("echo said; exit 3", "it ended with status 3"),
        ("echo said; kill -KILL $$", "it was ended by signal 9"),
        ("echo said; kill -SEGV $$", "it was ended by signal 11"),
    ],
)
def test_how_a_step_ended_is_told(folder: Path, script: str, how: str) -> None:
    """With what it printed."""
    assert run(folder, script)[:2] == (how, "said\n")


def test_a_step_that_does_not_end_is_ended(folder: Path) -> None:
    """Also if it ignores what asks it to end."""
    how, said, took = run(folder, "trap '' TERM; echo begun; while :; do sleep 1; done", timeout=1)
    assert (how, said) == ("it did not end within 1 s", "begun\n")
    assert took < 15


@pytest.mark.parametrize("daemon", ["sleep 1000 &", "setsid -f sleep 1000", "(setsid -f sh -c 'setsid -f sleep 1000')"])
def test_what_a_step_leaves_is_ended(folder: Path, daemon: str) -> None:
    """In its process group or not."""
    daemon = daemon.replace("sleep 1000", f"tail -f {folder}/mark")
    (folder / "mark").touch()
    assert run(folder, f"{daemon}\n sleep 0.2")[0] == ""
    assert left(folder) == []


def test_a_flood_is_no_matter(folder: Path) -> None:
    """The end of it is kept."""
    how, said, _took = run(folder, "yes | head -c 50000000; echo the end; exit 1")
    assert how == "it ended with status 1"
    assert said.endswith("the end\n")
    assert "y\ny\n" in said
