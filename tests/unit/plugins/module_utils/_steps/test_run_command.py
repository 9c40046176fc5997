# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Live, Note
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names, unit_base
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import (
    run_command,
    run_supervisor,
    run_systemd,
    terminal,
)

UNIT = "[Service]\nUser=shop\nExecStart=/bin/gunicorn\nProtectSystem=strict\nOOMScoreAdjust=100\n"


class Ran:
    """What was run, and what the journal got."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []
        self.journal: list[str] = []
        self.status = 0

    def run(self, *asked: object) -> int:
        self.asked.append(asked)
        return self.status


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """In place of systemd and of the journal."""
    found = Ran()
    monkeypatch.setattr(run_command.run_systemd, "run", found.run)
    monkeypatch.setattr(run_command.syslog, "syslog", lambda _priority, text: found.journal.append(text))
    monkeypatch.setattr(run_command.os, "geteuid", lambda: 0)
    monkeypatch.setattr(run_command.os, "umask", lambda _mask: None)
    return found


@pytest.fixture
def project(tmp_path: Path, etc_units: Path) -> dict:
    """A project with code in place, whose service is on the host."""
    (etc_units / "shop.service").write_text(UNIT)
    venv = tmp_path / "venv-1"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "celery").write_text("#!/bin/sh\n")
    (venv / "bin" / "celery").chmod(0o755)
    (tmp_path / "venv").symlink_to(venv)
    code = tmp_path / "code"
    code.mkdir()
    (code / "manage.py").write_text("")
    return {
        "service": "shop",
        "manager": "systemd",
        "config_directory": str(tmp_path / "etc-opt"),
        "venv": str(tmp_path / "venv"),
        "code_directory": str(code),
    }


def with_releases(project: dict, tmp_path: Path, *ids: str) -> dict:
    """The same project with releases, the last of which is live."""
    directory = tmp_path / "releases"
    live = Live()
    for number, name in enumerate(ids):
        (directory / name).mkdir(parents=True)
        venv = {"directory": str(tmp_path / "venv-1"), "fingerprint": "", "gunicorn_version": "27.0.1"}
        notes.write(str(directory), Note(name, "", brought=float(number), built=True, venv=venv))
        asked = {
            "unit": UNIT,
            "venv_directory": str(tmp_path / "venv-1"),
            "release": {"id": name},
            "config_directory": project["config_directory"],
        }
        live = notes.went_live(live, name, False, asked)
    notes.write_live(str(directory), live)
    return {**project, "releases_directory": str(directory)}


def test_a_program_of_the_virtual_environment_runs_in_the_code(project: dict, ran: Ran, tmp_path: Path) -> None:
    """With the real paths of both; the exit status is handed through."""
    ran.status = 7
    assert run_command.main(project, ["celery", "status", "-v"]) == 7
    ((service, given, directory, venv, command),) = ran.asked
    assert (service, directory, venv) == ("shop", f"{tmp_path}/code", f"{tmp_path}/venv-1")
    assert given["unit"] == UNIT
    assert command == [f"{tmp_path}/venv-1/bin/celery", "status", "-v"]


def test_a_python_file_of_the_code_is_run_by_python(project: dict, ran: Ran, tmp_path: Path) -> None:
    """It need not be executable."""
    run_command.main(project, ["manage.py", "shell"])
    assert ran.asked[0][-1] == [f"{tmp_path}/venv-1/bin/python", f"{tmp_path}/code/manage.py", "shell"]


def test_options_after_the_command_are_its_own(project: dict, ran: Ran) -> None:
    run_command.main(project, ["--", "celery", "--release", "x"])
    assert ran.asked[0][-1][1:] == ["--release", "x"]


def test_the_live_release_and_a_kept_one(project: dict, ran: Ran, tmp_path: Path) -> None:
    told = with_releases(project, tmp_path, "1a", "2b")
    for options, expected in (([], "2b"), (["--release=1a"], "1a"), (["--release", "previous"], "1a")):
        assert run_command.main(told, [*options, "celery"]) == 0
        assert ran.asked[-1][2] == f"{tmp_path}/releases/{expected}"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nosuch"], "there is no program 'nosuch'"),
        (["--release", "1a", "celery"], "the project has no releases"),
        (["--release"], "expected the ID of a release"),
        (["--user=root", "celery"], "there is no option --user"),
        (["--"], "expected a command"),
    ],
)
def test_what_can_not_be_run_is_an_error(
    project: dict, ran: Ran, capsys: pytest.CaptureFixture, words: list[str], error: str
) -> None:
    """One line, and a status that no command of the project has by chance."""
    assert run_command.main(project, words) == 125
    assert re.fullmatch(f"shop-run: .*{re.escape(error)}.*\n", capsys.readouterr().err)
    assert (ran.asked, ran.journal) == ([], [])


@pytest.mark.parametrize("name", ["9z", "../1a", "/etc"])
def test_only_a_kept_release_is_one(
    project: dict, ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    assert run_command.main(with_releases(project, tmp_path, "1a"), ["--release", name, "celery"]) == 125
    assert "kept are 1a" in capsys.readouterr().err
    assert ran.asked == []


def test_a_service_that_is_not_there(project: dict, ran: Ran, etc_units: Path, capsys: pytest.CaptureFixture) -> None:
    (etc_units / "shop.service").unlink()
    assert run_command.main(project, ["celery"]) == 125
    assert "the service is not on this host" in capsys.readouterr().err


def test_nothing_to_run_is_explained(project: dict, ran: Ran, capsys: pytest.CaptureFixture) -> None:
    assert run_command.main(project, []) == 2
    assert "usage: shop-run" in capsys.readouterr().err
    assert run_command.main(project, ["--help"]) == 0


def test_the_journal_gets_who_and_what_without_secrets(
    project: dict, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in one line, whatever the arguments are."""
    monkeypatch.setattr(run_command.service_secrets, "live_files", lambda _folder: ([], ""))
    monkeypatch.setattr(run_command.service_secrets, "secret_values", lambda _files: ["verysecret", "it's one"])
    monkeypatch.setattr(run_command, "_caller", lambda: "ann (1001)")
    ran.status = 3
    run_command.main(project, ["celery", "verysecret", "it's one", "a\nb\x1b[2J"])
    begun, ended = ran.journal
    assert begun.startswith("ann (1001) runs: celery '********' '********' 'a b")
    assert "\n" not in begun
    assert "\x1b" not in begun
    assert re.fullmatch(r"ended after [0-9.]+ s: status 3", ended)


def test_only_root_or_a_member_of_the_group(
    project: dict, ran: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A member is given to sudo, which asks for no password."""
    called = []
    monkeypatch.setattr(run_command.os, "geteuid", lambda: 1001)
    monkeypatch.setattr(run_command.os, "getgroups", lambda: [55])
    monkeypatch.setattr(run_command.os, "execvp", lambda *asked: called.append(asked))
    monkeypatch.setattr(run_command.accounts, "group_id", lambda group: {"ops": 55}.get(group, -1))
    for group in ("", "others", "ops"):
        assert run_command.main({**project, "group": group}, ["celery", "x"]) == 125
    assert called == [("sudo", ["sudo", "-n", names.run_command("shop"), "celery", "x"])]
    assert "only root can do this" in capsys.readouterr().err
    assert ran.asked == []


@pytest.mark.parametrize(
    ("login", "sudo", "expected"), [("0\n", "7", 0), ("4294967295\n", "0", 0), (None, "x", os.getuid())]
)
def test_who_has_logged_in_counts(monkeypatch: pytest.MonkeyPatch, login: str | None, sudo: str, expected: int) -> None:
    """Before what sudo says, which a member can't set either."""
    monkeypatch.setattr(run_command.files, "read", lambda _path: login)
    monkeypatch.setenv("SUDO_UID", sudo)
    assert run_command._caller().endswith(f"({expected})")


def test_the_unit_has_what_the_service_has() -> None:
    """But for what makes it a web service, and with the signals of a command in a pipe."""
    text = run_systemd._text("shop-run-1.service", unit_base.service_lines(UNIT), "/opt/shop", "/opt/shop/venv-1")
    assert text.startswith("[Service]\nUser=shop\nProtectSystem=strict\n")
    assert "ExecStart=" not in text
    for line in ("WorkingDirectory=/opt/shop", "IgnoreSIGPIPE=no", "KillMode=control-group"):
        assert f"\n{line}\n" in text
    assert "Environment=PATH=/opt/shop/venv-1/bin:" in text


def test_drop_ins_of_the_service_count(etc_units: Path, run_units: Path) -> None:
    """But for what would make the command a service, or take its streams from it."""
    (etc_units / "shop.service.d").mkdir()
    (etc_units / "shop.service.d" / "more.conf").write_text(
        "[Unit]\nAfter=x\n[Service]\nNice=5\nRestart=always\nStandardOutput=journal\nExecStart=/bin/false\n"
    )
    assert run_systemd._added("shop") == ["Nice=5"]


def test_a_release_does_without_what_the_host_can_not_apply(project: dict, ran: Ran, tmp_path: Path) -> None:
    """As its service does."""
    told = with_releases(project, tmp_path, "1a")
    live = notes.read_live(told["releases_directory"])
    left_out = {"directives": ["ProtectSystem"], "tried_with": "systemd 257"}
    notes.write_live(told["releases_directory"], live._replace(asked={**live.asked, "left_out": left_out}))
    assert run_command.main(told, ["celery"]) == 0
    assert "ProtectSystem=" not in ran.asked[0][1]["unit"]
    assert "User=shop" in ran.asked[0][1]["unit"]


def test_a_long_command_is_in_the_journal_to_its_end(project: dict, ran: Ran) -> None:
    """Or somebody would write a long word first."""
    run_command.main(project, ["celery", "x" * 1000, "the-end"])
    assert ran.journal[0].endswith("the-end")


def test_systemd_replaces_no_variable_in_an_argument(monkeypatch: pytest.MonkeyPatch, run_units: Path) -> None:
    """And whatever looks like an option of systemd-run's is one of the command."""
    asked = []
    monkeypatch.setattr(run_systemd, "_piped", lambda words, *_others: asked.append(words) or 0)
    monkeypatch.setattr(run_systemd, "_added", lambda _service: [])
    monkeypatch.setattr(run_systemd, "_clean_up", lambda *_arguments: None)
    monkeypatch.setattr(run_systemd.os, "isatty", lambda _number: False)
    run_systemd.run("shop", {"unit": UNIT}, "/opt/shop", "/opt/shop/venv-1", ["/bin/echo", "$HOME", "--uid=0"])
    assert asked[0][-4:] == ["--", "/bin/echo", "$$HOME", "--uid=0"]


@pytest.mark.parametrize(("note", "status"), [("exited 3\n", 3), ("", 7)])
def test_systemd_run_is_told_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_units: Path, note: str, status: int
) -> None:
    """Every local user sees its arguments: the unit names the file of the secrets. The status is the command's."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("LANG", raising=False)
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    seen: dict[str, object] = {}

    def piped(words: list[str], unit: str, _runner: object) -> int:
        seen.update(words=words, text=(run_units / f"{unit}.d" / run_systemd._DROP_IN).read_text())
        return 7

    (tmp_path / "note").write_text(note)
    monkeypatch.setattr(run_systemd, "_piped", piped)
    monkeypatch.setattr(run_systemd, "_note_of", lambda _unit: str(tmp_path / "note"))
    monkeypatch.setattr(run_systemd, "_added", lambda _service: [])
    monkeypatch.setattr(run_systemd, "_clean_up", lambda *_arguments: None)
    monkeypatch.setattr(run_systemd.os, "isatty", lambda _number: False)
    unit = f"{UNIT}EnvironmentFile=/etc/opt/shop/secrets.env\nLoadCredential=key:/etc/opt/shop/credentials/key\n"
    assert run_systemd.run("shop", {"unit": unit}, "/opt/shop", "/opt/shop/venv-1", ["/bin/echo"]) == status
    assert [word for word in seen["words"] if word.startswith("--setenv")] == ["--setenv=TERM=xterm"]
    assert "s3cret" not in " ".join(seen["words"])
    for line in ("EnvironmentFile=/etc/opt/shop/secrets.env", "LoadCredential=key:/etc/opt/shop/credentials/key"):
        assert f"\n{line}\n" in seen["text"]


class TestUnderSupervisor:
    @pytest.fixture
    def asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict]]:
        """What the launcher is called with, and what it is told in a file; the command ends by a signal."""
        found: list[tuple[list[str], dict]] = []

        def piped(words: list[str], **_more: object) -> int:
            found.append((words, json.loads(given[0].content)))
            return -9

        given: list = []
        monkeypatch.setattr(run_supervisor.files, "put", given.append)
        monkeypatch.setattr(run_supervisor.terminal, "piped", piped)
        monkeypatch.setattr(run_supervisor.terminal, "is_callers", lambda: False)
        monkeypatch.setattr(run_supervisor, "_clean_up", lambda *_arguments: None)
        text = '{"user": "shop", "secrets_file": "/etc/opt/shop/secrets.env", "environment": {"A": "1"}}'
        told = {"description_text": text, "config_directory": "/etc/opt/shop"}
        assert run_supervisor.run("shop", told, "/opt/shop", "/opt/shop/venv-1", ["/bin/echo", "x"]) == 137
        assert given[0].mode == 0o600
        return found

    def test_the_launcher_is_told_no_secret(self, asked: list[tuple[list[str], dict]]) -> None:
        """It reads them itself. The status is the command's, or that of the signal that has ended it."""
        ((words, told),) = asked
        assert words[-3:] == ["/etc/opt/shop/gunicorn.launch.py", f"/run/gunicorn-shop-run-{os.getpid()}.json", ""]
        assert (told["secrets_file"], told["command"]) == ("/etc/opt/shop/secrets.env", ["/bin/echo", "x"])
        assert told["directory"] == "/opt/shop"


@pytest.mark.parametrize(
    ("note", "status"),
    [
        ("exited 3\n", 3),
        ("exited 0\n", 0),
        ("killed KILL\n", 137),
        ("killed INT\n", 130),
        ("dumped SEGV\n", 139),
        ("", None),
        ("killed X", None),
        ("exited", None),
    ],
)
def test_how_a_command_has_ended(tmp_path: Path, note: str, status: int | None) -> None:
    """As a shell says it; systemd-run has another status if a process that the command left must be killed."""
    (tmp_path / "note").write_text(note)
    assert run_systemd._ended(str(tmp_path / "note")) == status


def test_nothing_else_of_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LANG", "de_DE.UTF-8\nPATH=/tmp")
    monkeypatch.setenv("PYTHONPATH", "/tmp")
    assert terminal.variables() == {"TERM": "xterm-256color"}


def test_what_is_guarded_is_cleaned_up(tmp_path: Path) -> None:
    """By another process, so that it does not matter how this one ends."""
    with terminal.guarded(lambda: (tmp_path / "clean").write_text(str(os.getpid()))):
        assert not (tmp_path / "clean").exists()
    assert int((tmp_path / "clean").read_text()) != os.getpid()


def test_what_a_killed_caller_leaves_is_cleaned_up(tmp_path: Path) -> None:
    """With SIGKILL, after which it can do nothing itself."""
    caller = os.fork()
    if caller == 0:
        with terminal.guarded(lambda: (tmp_path / "clean").write_text("")):
            os.kill(os.getpid(), 9)
    os.waitpid(caller, 0)
    assert appears(tmp_path / "clean")


def appears(path: Path) -> bool:
    """Whether a file is there within five seconds."""
    for _attempt in range(100):
        if path.exists():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(("name", "ends"), [("sudo", True), ("sh", False)])
def test_a_command_ends_with_the_sudo_that_has_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, ends: bool
) -> None:
    """Which was killed, though the command's output is still open. A shell may leave what it has started."""
    monkeypatch.setattr(terminal, "_WATCH", 20)
    caller = os.fork()
    if caller == 0:
        Path("/proc/self/comm").write_text(name)
        if os.fork() == 0:
            try:
                with terminal.guarded(lambda: (tmp_path / "clean").write_text("")):
                    (tmp_path / "began").write_text("")
                    appears(tmp_path / ("clean" if ends else "go_on"))
                    (tmp_path / "as_before").write_text(str((tmp_path / "clean").exists()))
            finally:
                # Not as pytest
                os._exit(0)
        time.sleep(60)
    assert appears(tmp_path / "began")
    os.kill(caller, 9)
    os.waitpid(caller, 0)
    if ends:
        assert appears(tmp_path / "clean")
    else:
        time.sleep(0.3)
        assert not (tmp_path / "clean").exists()
        (tmp_path / "go_on").touch()
    assert appears(tmp_path / "as_before")
