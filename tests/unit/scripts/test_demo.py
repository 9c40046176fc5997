# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What scripts/demo reads and writes; molecule/readme runs all of it on a host."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEMO = runpy.run_path(str(ROOT / "scripts" / "demo.py"))
Run, Row, Screen = (DEMO[name] for name in ("Run", "Row", "Screen"))
OUTPUT = r"""
TASK [pyweb.gunicorn.gunicorn : Show how many workers, and why] ****************
ok: [demo] => {
    "__gunicorn_sizing_sentence": "5 workers: 2 cores \"and\" so on."
}
TASK [pyweb.gunicorn.gunicorn : Serve] *****************************************
[ERROR]: Task failed: Module failed: demo was tried and does not work: KeyError: 'a'. The live service was not touched.
fatal: [demo]: FAILED! => {"changed": false, "msg": "demo was tried and does not work: KeyError: 'a'. Nothing.\nlog:\n..."}

PLAY RECAP *********************************************************************
"""


def test_one_line_of_the_error_is_shown() -> None:
    """The first one; what the application said in full is in the log."""
    assert Run(2, OUTPUT).error == "demo was tried and does not work: KeyError: 'a'. Nothing."
    assert Run(4, 'fatal: [demo]: UNREACHABLE! => {"msg": "gone"}\n').error == "gone"
    assert Run(0, "PLAY RECAP").error == ""


def test_the_sizing_is_shown() -> None:
    """As the role tells it, if it does."""
    assert Run(0, OUTPUT).sizing == '5 workers: 2 cores "and" so on.'
    assert Run(0, "PLAY RECAP").sizing == ""


REFUSED = 'fatal: [demo]: FAILED! => {"msg": "demo was tried: TemplateDoesNotExist: start.html. Nothing.\\nlog:"}\n'


class Host:
    """A host on which a version answers."""

    def __init__(self, version: str) -> None:
        self.answering = version

    def version(self) -> str:
        return self.answering


def project(tmp_path: Path, run: object, before: str = "second", after: str = "second") -> object:
    """The project, whose next run of the playbook ends so, and changes what answers."""
    host = Host(before)
    made = DEMO["Project"](host, tmp_path / "hosts.json", tmp_path)

    def deployed(_version: str) -> object:
        host.answering = after
        return run

    made._run = deployed
    return made


def test_good_release_must_go_live(tmp_path: Path) -> None:
    """The run succeeds, and the release answers."""
    assert project(tmp_path, Run(0, "done"), "first").deploy("second").output == "done"
    with pytest.raises(DEMO["DemoError"], match="the release second was not deployed") as failure:
        project(tmp_path, Run(2, REFUSED), "first").deploy("second")
    assert failure.value.said == REFUSED
    with pytest.raises(DEMO["DemoError"], match="the release first answers, and not second"):
        project(tmp_path, Run(0, "done"), "first", "first").deploy("second")


def test_broken_release_must_be_refused(tmp_path: Path) -> None:
    """By its own error, and the release before still answers."""
    assert project(tmp_path, Run(2, REFUSED)).refuse("broken").endswith("TemplateDoesNotExist: start.html. Nothing.")
    for run, after, error in (
        (Run(0, "done"), "broken", "the release broken is broken, and was not refused"),
        (Run(4, "gone"), "second", "the run failed, but not by the error of the release broken"),
        (Run(2, REFUSED), "broken", "the release broken answers, and not second"),
    ):
        with pytest.raises(DEMO["DemoError"], match=error):
            project(tmp_path, run, after=after).refuse("broken")


def test_failure_shows_what_was_said(tmp_path: Path, monkeypatch, capsys) -> None:
    """The whole output, an error, and the exit status 1."""

    def fail(*_arguments: object) -> None:
        raise DEMO["DemoError"]("the release second was not deployed", "TASK [...]\nfatal: ...")

    variables = dict.fromkeys(("ansible_host", "ansible_port", "ansible_user", "ansible_ssh_private_key_file"), "x")
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"demo": {**variables, "ansible_ssh_common_args": ""}}}}))
    monkeypatch.setattr(sys, "argv", ["demo.py", str(inventory), str(tmp_path)])
    monkeypatch.setitem(DEMO["main"].__globals__, "show", fail)
    assert DEMO["main"]() == 1
    assert capsys.readouterr().err == (
        "TASK [...]\nfatal: ...\nerror: the release second was not deployed; what was said is above\n"
    )


def phase(failed: int = 0, values: dict | None = None, latency: dict | None = None) -> dict:
    """Results of a phase as tests/load/load.py has them."""
    failures = {"refused": 0, "timeout": failed, "status": 0}
    return {"requests": 1200, "failed": failed, "failures": failures, "values": values or {}, "latency": latency}


def test_table_has_what_was_measured() -> None:
    """Lost requests included; without any answer, there is no longest wait."""
    rows = [
        Row("a good release", 9.87, phase(3, {"": 1, "second": 700, "first": 496}, {"max": 0.031})),
        Row("going back", 12.3, phase(1200)),
    ]
    assert DEMO["table"](rows) == (
        "under load        time  requests  lost  longest wait  answered by\n"
        "--------------  ------  --------  ----  ------------  ----------------\n"
        "a good release   9.9 s      1200     3        0.03 s  first, second, ?\n"
        "going back      12.3 s      1200  1200"
    )


@pytest.mark.parametrize(("failed", "lost", "colour"), [(0, "lost", "32"), (2, "lost (2 timeout)", "31")])
def test_only_a_terminal_gets_colours(monkeypatch, capsys, failed: int, lost: str, colour: str) -> None:
    """Green if nothing was lost and red otherwise; and none if the reader does not want them."""
    told = f"   live after 3.0 s: {failed} of 1200 requests {lost}\n"
    row = Row("a good release", 3.0, phase(failed))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Screen().outcome("live", row)
    assert capsys.readouterr().out == told
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    Screen().outcome("live", row)
    assert capsys.readouterr().out == f"   \033[{colour}m{told.strip()}\033[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    Screen().outcome("live", row)
    assert capsys.readouterr().out == told


def test_ssh_finds_the_host(tmp_path: Path) -> None:
    """By a name alone, with the port, the key and the options that the inventory has."""
    variables = {
        "ansible_host": "127.0.0.1",
        "ansible_port": 40022,
        "ansible_user": "ansible",
        "ansible_ssh_private_key_file": "/a folder/key",
        "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no",
    }
    config = tmp_path / "ssh_config"
    config.write_text(DEMO["ssh_config"](variables))
    understood = subprocess.run(["ssh", "-G", "-F", config, "demo"], capture_output=True, text=True, check=True)
    expected = {
        "hostname 127.0.0.1",
        "port 40022",
        "user ansible",
        "identityfile /a folder/key",
        "userknownhostsfile /dev/null",
        "stricthostkeychecking false",
    }
    assert expected <= set(understood.stdout.splitlines())


def test_second_demo_deploys_the_same_releases(tmp_path: Path) -> None:
    """The project's history has the same commits whenever it is made."""
    command = [sys.executable, ROOT / "tests" / "projects" / "history.py", "demo", tmp_path]
    made = []
    for date in ("2001-01-01T00:00:00Z", "2002-02-02T00:00:00Z"):
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        subprocess.run(command, env={**os.environ, **dates}, check=True)
        versions = ["git", "-C", tmp_path / "demo.git", "rev-parse", "first", "second", "broken"]
        made.append(subprocess.run(versions, capture_output=True, text=True, check=True).stdout.split())
    assert made[0] == made[1]
    assert len(set(made[0])) == 3
