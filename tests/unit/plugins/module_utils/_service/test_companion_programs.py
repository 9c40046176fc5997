# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import configparser
import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from removal_host import Host
from supervised_companions import BEAT, COMMON, MAIL, put, up, wanted

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_programs, launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_programs import (
    ABSENT,
    CompanionProgram,
    ProgramState,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.fixture
def mail(host: Host) -> Callable[..., CompanionProgram]:
    """The companion mail, whose files are below a temporary directory; with changes."""
    return lambda **changes: wanted(host.config, {"mail": {**MAIL, **changes}})[0]


def told(made: CompanionProgram) -> dict:
    """What the launcher is told."""
    return json.loads(made.description.content or "")


def option(made: CompanionProgram, name: str) -> str:
    """An option as supervisor gets it for the first process."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(made.program.content or "")
    return parser["program:shop-mail"][name] % {"process_num": 1}


class TestWanted:
    def test_supervisor_starts_each_by_its_number(self, mail: Callable, host: Host) -> None:
        made = mail()
        assert option(made, "numprocs") == "2"
        assert option(made, "process_name") == option(made, "numprocs_start") == "1"
        command = shlex.split(option(made, "command"))
        assert command[-4:] == [
            f"{host.config}/gunicorn.launch.py",
            f"{host.config}/gunicorn.launch.mail.json",
            made.configuration,
            "1",
        ]
        assert option(made, "stdout_logfile").endswith("/supervisor/shop/mail-1.log")
        assert made.numbers == ["1", "2"]

    def test_it_ends_as_it_is_asked_to(self, mail: Callable) -> None:
        """The others of its group get no signal before their time is over."""
        made = mail(stop_signal="INT", stop_timeout=3600, start_seconds=7)
        names = ("stopsignal", "stopwaitsecs", "stopasgroup", "killasgroup", "autorestart", "startsecs")
        assert [option(made, name) for name in names] == ["INT", "3600", "false", "true", "true", "7"]

    def test_it_has_what_the_service_has_but_its_sockets(self, mail: Callable, host: Host) -> None:
        found = told(mail(environment={"B": "2"}, directives={"UMask": "0077"}))
        assert found["environment"] == {
            "PATH": "/opt/shop/venv-12345678/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "DJANGO_SETTINGS_MODULE": "settings",
            "B": "2",
            "GUNICORN_COMPANION": "mail",
        }
        assert (found["user"], found["group"], found["directory"]) == ("shop", "shop", "/opt/shop")
        assert (found["umask"], found["no_new_privileges"]) == ("0077", True)
        assert found["sockets"] == []
        assert found["secrets_file"] == f"{host.config}/secrets.env"
        assert found["credentials"] == {"KEY": f"{host.config}/credentials/KEY"}
        assert found["state"] == "/run/gunicorn-shop-mail"

    def test_a_path_that_is_given_is_kept(self, host: Host) -> None:
        """That of the companion, or that of the service."""
        (own,) = wanted(host.config, {"mail": {**MAIL, "environment": {"PATH": "/own"}}})
        (services,) = wanted(host.config, {"mail": MAIL}, environment={"PATH": "/services"})
        assert told(own)["environment"]["PATH"] == "/own"
        assert told(services)["environment"]["PATH"] == "/services"

    def test_a_shell_opens_its_log_as_the_services_user(self, mail: Callable) -> None:
        """The launcher has given up root's rights by then."""
        assert told(mail())["command"][:5] == [
            "/bin/sh",
            "-c",
            'log=$1; shift; exec "$@" >>"$log" 2>&1',
            "mail",
            "/var/log/shop/mail.log",
        ]
        assert told(mail(log_file="-"))["command"][2] == 'exec "$@"'

    @pytest.mark.parametrize("changes", [{"launcher": "another"}, {"environment": {"A": "2"}}])
    def test_all_that_it_is_started_with_counts(self, host: Host, changes: dict) -> None:
        (before,), (after,) = wanted(host.config, {"mail": MAIL}), wanted(host.config, {"mail": MAIL}, **changes)
        assert before.configuration != after.configuration
        assert before.program.content != after.program.content

    def test_another_environment_with_the_same_path_counts(self, host: Host) -> None:
        """What is in the virtual environment was changed."""
        (before,) = wanted(host.config, {"mail": MAIL})
        (after,) = wanted(host.config, {"mail": MAIL}, COMMON._replace(fingerprint="another"))
        assert before.configuration != after.configuration

    def test_no_more_than_the_group_reads_its_description(self, mail: Callable) -> None:
        made = mail()
        assert (made.description.mode, made.description.group) == (0o640, os.getegid())
        assert made.files == [made.description, made.program]

    def test_it_starts_at_boot_if_the_service_does(self, host: Host) -> None:
        (made,) = wanted(host.config, {"mail": MAIL}, enabled=False)
        assert option(made, "autostart") == "false"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"calendar": "hourly"},
            "gunicorn_companions['x']['calendar']: 'hourly' can't be used: expected none under supervisor: timers need "
            "systemd; use ansible.builtin.cron",
        ),
        (
            {"directives": {"PrivateNetwork": True}},
            "gunicorn_companions['x']['directives']['PrivateNetwork']: True can't be used: expected directives that work "
            "under supervisor: without systemd nothing would enforce this one",
        ),
        (
            {"directives": {"UMask": "x"}},
            "gunicorn_companions['x']['directives']['UMask']: 'x' can't be used: expected octal digits, such as 0027",
        ),
    ],
)
def test_what_supervisor_can_not_do_is_refused(host: Host, options: dict, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        wanted(host.config, {"x": {"command": "clean", **options}})
    assert str(caught.value) == message


class TestProblems:
    @pytest.fixture(autouse=True)
    def _root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Files are as if root had made them, in their modes."""
        monkeypatch.setattr(atomic_files, "differs", lambda file: atomic_files.read(file.path) != file.content)

    @pytest.fixture
    def made(self, mail: Callable) -> CompanionProgram:
        """One whose files are in place."""
        made = mail()
        put(made)
        return made

    def state(self, made: CompanionProgram, **changes: object) -> ProgramState:
        """What a host has that needs nothing."""
        fine = ProgramState((), up(5, 6), (made.configuration,), ("secrets",))
        return fine._replace(**changes)

    def test_none_where_all_is_as_wanted(self, made: CompanionProgram) -> None:
        assert self.state(made).problems(made, True, "secrets") == []

    @pytest.mark.parametrize(
        ("found", "problem"),
        [
            ({"processes": up(5)}, "does not run"),
            ({"processes": {**up(5), "2": ProgramProcess("BACKOFF")}}, "does not run"),
            ({"processes": up(5, 6, 7)}, "does not run"),
            ({"configurations": ("another",)}, "was started with another configuration"),
            ({"secrets": ("secrets", "others")}, "was started with other secrets"),
        ],
    )
    def test_each_by_itself_is_found(self, made: CompanionProgram, found: dict, problem: str) -> None:
        assert self.state(made, **found).problems(made, True, "secrets") == [problem]

    def test_a_file_that_differs(self, made: CompanionProgram) -> None:
        """Each of the two."""
        for file in made.files:
            Path(file.path).write_text("edited\n")
            assert self.state(made).problems(made, True, "secrets") == ["is not as configured"]
            put(made)

    def test_what_says_nothing_of_itself_is_believed(self, made: CompanionProgram) -> None:
        """It has cleared its environment."""
        assert self.state(made, configurations=(), secrets=()).problems(made, True, "secrets") == []

    @pytest.mark.parametrize("state", ["RUNNING", "STARTING", "BACKOFF"])
    def test_one_that_must_not_run(self, made: CompanionProgram, state: str) -> None:
        running = self.state(made, processes=up(5, state=state))
        running = running if state != "BACKOFF" else self.state(made, processes={"1": ProgramProcess("BACKOFF")})
        assert running.problems(made, False, "secrets") == ["runs and must be stopped"]

    def test_one_that_is_stopped_as_it_must_be(self, made: CompanionProgram) -> None:
        """Its secrets are of no importance."""
        assert self.state(made, processes={"1": ProgramProcess("STOPPED")}).problems(made, False, "x") == []

    def test_one_that_is_not_there(self, mail: Callable) -> None:
        assert ABSENT.problems(mail(instances=1), True, "secrets") == ["is not as configured", "does not run"]


class Supervisor:
    """Knows the processes of some programs."""

    def __init__(self, groups: dict[str, dict[str, ProgramProcess]]) -> None:
        self.groups = groups

    def group(self, name: str) -> dict[str, ProgramProcess]:
        return self.groups.get(name, {})


class TestRead:
    def test_the_services_own_alone(self, host: Host) -> None:
        """A program of somebody else may be called the same way, and so may that of a companion of shop-mail."""
        put(*wanted(host.config, {"mail": MAIL, "beat": BEAT}))
        put(*wanted(host.config, {"out": MAIL}, COMMON._replace(service="shop-mail")))
        host.write(host.programs / "shop-other.conf", "; A companion of shop: other\n[program:shop-other]\n")
        found = companion_programs.read("shop", str(host.config), None)
        assert sorted(found) == ["beat", "mail"]
        assert found["mail"].paths == (f"{host.config}/gunicorn.launch.mail.json", f"{host.programs}/shop-mail.conf")
        assert not found["mail"].active

    def test_what_the_processes_were_started_with(self, host: Host) -> None:
        put(*wanted(host.config, {"mail": MAIL}))
        environment = {"GUNICORN_CONFIGURATION": "hash", "GUNICORN_SECRETS": "0a", "PATH": os.environ["PATH"]}
        with subprocess.Popen(["sleep", "60"], env=environment) as process:
            while not processes.read_environment(process.pid):
                time.sleep(0.01)
            found = companion_programs.read("shop", str(host.config), Supervisor({"shop-mail": up(process.pid)}))
            process.kill()
        assert found["mail"].configurations == ("hash",)
        assert found["mail"].secrets == ("0a",)
        assert found["mail"].active == ["1"]


@pytest.mark.parametrize(
    "text", [None, "", "; A companion of shop: mail\n", "; Managed by Ansible (role pyweb.gunicorn.gunicorn)\n"]
)
def test_a_program_of_nobody(text: str | None) -> None:
    assert companion_programs.owner_of(text) == ("", "")


def test_what_has_a_description(host: Host) -> None:
    """The service has one, too."""
    put(*wanted(host.config, {"mail": MAIL, "beat": BEAT}))
    host.write(host.config / "gunicorn.launch.json")
    assert companion_programs.described(str(host.config)) == ["beat", "mail"]


class TestLeftRunning:
    """What the launcher has started, and supervisor does not know."""

    @pytest.fixture
    def process(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen]:
        """In a group of its own, which the launcher has noted."""
        monkeypatch.setattr(
            launcher, "runtime_paths", lambda name: [str(tmp_path / name), str(tmp_path / f"{name}.group")]
        )
        monkeypatch.setattr(launcher, "runtime_directory", lambda name: str(tmp_path / name))
        monkeypatch.setattr(launcher, "group_note", lambda name: str(tmp_path / f"{name}.group"))
        environment = {**os.environ, "RUNTIME_DIRECTORY": str(tmp_path / "shop-mail@2")}
        with subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True) as process:
            (tmp_path / "shop-mail@2.group").write_text(f"{process.pid}")
            (tmp_path / "shop-mail@2").mkdir()
            while not processes.read_environment(process.pid):
                time.sleep(0.01)
            yield process
            process.kill()

    def test_it_is_found(self, process: subprocess.Popen, tmp_path: Path) -> None:
        assert companion_programs.left_running("shop", "mail") == [process.pid]
        assert companion_programs.started_names("shop", "mail") == ["shop-mail@2"]
        assert companion_programs.runtime_paths("shop", "mail") == [
            str(tmp_path / "shop-mail@2"),
            str(tmp_path / "shop-mail@2.group"),
        ]
        assert companion_programs.left_running("shop", "other") == []

    def test_another_group_with_the_noted_number_is_left_alone(
        self, process: subprocess.Popen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(launcher, "runtime_directory", lambda name: f"/run/other/{name}")
        assert companion_programs.left_running("shop", "mail") == []
