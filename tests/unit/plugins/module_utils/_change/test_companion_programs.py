# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest
from removal_host import Host, make_host
from supervised_companions import BEAT, MAIL, put, spec, up

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import companion_programs as change_programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.companion_programs import CompanionPrograms
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_programs, launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import CompanionFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import (
    SupervisorSpec,
    SupervisorState,
    companion_problems,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError

BOTH = {"mail": MAIL, "beat": BEAT}
MORE = {**BOTH, "mail": {**MAIL, "command": "celery worker --concurrency 4"}}


class Supervisor:
    """Starts and stops what it is told to, and notes that."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, ProgramProcess]] = {}
        self.told: list[str] = []
        self.starts: dict[str, list[dict[str, ProgramProcess]]] = {}  # what each look at a program shows
        self.failing = ""

    def runs(self) -> bool:
        return True

    def group(self, name: str) -> dict[str, ProgramProcess]:
        looks = self.starts.get(name, [])
        if len(looks) > 1:
            return looks.pop(0)
        return looks[0] if looks else self.groups.get(name, {})

    def load(self, name: str) -> bool:
        self.tell(f"load {name}")
        return True

    def start_group(self, name: str) -> None:
        self.tell(f"start {name}")

    def stop_group(self, name: str, wait: bool = True) -> None:
        self.tell(f"{'end' if wait else 'ask'} {name}")

    def remove(self, name: str) -> None:
        self.tell(f"remove {name}")

    def reread(self) -> None:
        self.tell("reread")

    def tell(self, what: str) -> None:
        if what == self.failing:
            raise SupervisorError(f"supervisor says {what}")
        self.told.append(what)


def run(_command: list[str]) -> tuple[int, str, str]:
    """No log of the service's user is read here."""
    return 1, "", ""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One on which nobody waits, and whose files are as if root had made them."""
    monkeypatch.setattr(change_programs, "_PAUSE", 0.01)
    monkeypatch.setattr(change_programs.companion_check, "_PAUSE", 0.01)
    monkeypatch.setattr(atomic_files, "differs", lambda file: atomic_files.read(file.path) != file.content)
    monkeypatch.setattr(
        launcher, "runtime_paths", lambda name: [f"{tmp_path}/run/{name}", f"{tmp_path}/run/{name}.group"]
    )
    return make_host(tmp_path, monkeypatch)


@pytest.fixture
def supervisor() -> Supervisor:
    """One that runs nothing yet."""
    return Supervisor()


@pytest.fixture
def change(host: Host, supervisor: Supervisor) -> Callable[..., CompanionPrograms]:
    """A change from what is on the host to these companions."""

    def make(options: dict, interrupted: bool = False, **changes: object) -> CompanionPrograms:
        wanted = spec(host.config, options, **changes)
        before = observe(host, supervisor, wanted, interrupted)
        return CompanionPrograms(wanted, before, supervisor, Runner(run))

    return make


def observe(host: Host, supervisor: Supervisor, wanted: SupervisorSpec, interrupted: bool) -> SupervisorState:
    """What the host has of them."""
    return SupervisorState(
        process=ProgramProcess("RUNNING", 7),
        running=None,
        differing=(),
        closed=(),
        addresses=(),
        venv_directory=wanted.venv_directory,
        interrupted=interrupted,
        companions=companion_programs.read("shop", str(host.config), supervisor),
    )


@pytest.fixture
def before(host: Host, supervisor: Supervisor) -> SupervisorSpec:
    """Both companions are there and run."""
    there = spec(host.config, BOTH)
    put(*there.companion_programs)
    # Processes that are not there say nothing of what they were started with.
    supervisor.groups = {"shop-mail": up(2**22 + 1, 2**22 + 2), "shop-beat": up(2**22 + 3)}
    return there


def test_what_is_as_wanted_is_left_alone(change: Callable, before: SupervisorSpec, supervisor: Supervisor) -> None:
    made = change(BOTH)
    made.bring()
    made.clear()
    made.withdraw()
    made.restore()
    assert (made.files, supervisor.told) == ([], [])


def test_only_what_differs_is_started_anew(change: Callable, before: SupervisorSpec, supervisor: Supervisor) -> None:
    """The old processes have ended before the file is read that says what the new ones are."""
    made = change(MORE)
    assert [Path(file.path).name for file in made.files] == ["gunicorn.launch.mail.json", "shop-mail.conf"]
    made.bring()
    assert supervisor.told == ["ask shop-mail", "end shop-mail", "load shop-mail", "start shop-mail"]


def test_all_are_asked_to_end_at_once(change: Callable, before: SupervisorSpec, supervisor: Supervisor) -> None:
    """Each may have a task to finish."""
    change({"mail": {**MAIL, "stop_timeout": 9}, "beat": {**BEAT, "stop_timeout": 9}}).bring()
    assert supervisor.told[:2] == ["ask shop-beat", "ask shop-mail"]


def test_the_one_process_that_does_not_run_is_started(
    change: Callable, before: SupervisorSpec, supervisor: Supervisor
) -> None:
    """The other one goes on."""
    supervisor.groups["shop-mail"] = {**up(2**22 + 1), "2": ProgramProcess("STOPPED")}
    supervisor.starts["shop-mail"] = [supervisor.groups["shop-mail"], up(2**22 + 1, 2**22 + 5)]
    change(BOTH).bring()
    assert supervisor.told == ["load shop-mail", "start shop-mail"]


def test_what_started_with_supervisor_itself_is_started_anew(
    change: Callable, before: SupervisorSpec, supervisor: Supervisor
) -> None:
    """supervisor did not run when the host was read: nobody has seen with which secrets it starts them."""
    running, supervisor.groups = supervisor.groups, {}
    made = change(BOTH)
    supervisor.groups = running
    made.bring()
    assert {"end shop-beat", "end shop-mail"} < set(supervisor.told)


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        ([up(5, 6), {**up(5), "2": ProgramProcess("BACKOFF", 0, "Exited too quickly")}], "Exited too quickly"),
        ([up(5, 6), up(5, 8)], "it does not stay up"),
        ([up(5)], "it does not stay up"),
        ([{**up(5), "2": ProgramProcess("FATAL", 0, "can't find command")}], "can't find command"),
    ],
)
def test_one_that_does_not_stay_up_fails(
    change: Callable, before: SupervisorSpec, supervisor: Supervisor, host: Host, looks: list, reason: str
) -> None:
    """With its own words, and those of supervisor."""
    host.write("log/supervisor/shop/mail-2.log", "before\n")
    made = change(MORE)
    supervisor.starts["shop-mail"] = [
        {name: each._replace(state="STARTING") if each.is_up else each for name, each in look.items()} for look in looks
    ]
    host.write("log/supervisor/shop/mail-2.log", "before\nno module named celery\n")
    with pytest.raises(CompanionFailed) as caught:
        made.bring()
    assert str(caught.value) == f"it does not come up: {reason}"
    assert caught.value.companion == "mail"
    assert caught.value.said[f"The end of {host.root}/log/supervisor/shop/mail-2.log"] == "no module named celery\n"


def test_one_counts_only_once_supervisor_calls_it_running(
    change: Callable, before: SupervisorSpec, supervisor: Supervisor
) -> None:
    """That is after start_seconds."""
    made = change(MORE)
    looks = [up(5, 6, state="STARTING"), up(5, 6, state="STARTING"), up(5, 6), up(9, 9)]
    supervisor.starts["shop-mail"] = looks
    made.bring()
    assert looks == [up(9, 9)]


def test_what_supervisor_says_is_the_reason(change: Callable, before: SupervisorSpec, supervisor: Supervisor) -> None:
    """It can't read another program's file, for instance."""
    supervisor.failing = "load shop-mail"
    with pytest.raises(CompanionFailed, match="^supervisor says load shop-mail$"):
        change(MORE).bring()


@pytest.mark.parametrize(("check", "ran"), [("ping mail-{instance}", ["1", "1", "2"]), ("ping", ["1", "1"])])
def test_its_check_must_succeed(
    change: Callable, before: SupervisorSpec, monkeypatch: pytest.MonkeyPatch, check: str, ran: list[str]
) -> None:
    """Once for each process that it names; what fails first is tried again."""
    found = []

    def attempt(_wanted: object, _checked: object, instance: str, _timeout: int) -> None:
        found.append(instance)
        if len(found) == 1:
            raise StepFailed("it ended with status 69", "no ping")

    monkeypatch.setattr(change_programs.companion_check, "run_supervised", attempt)
    change({**BOTH, "mail": {**MORE["mail"], "check": check}}).bring()
    assert found == ran


def test_a_check_that_goes_on_failing_ends_the_change(
    change: Callable, before: SupervisorSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(*_arguments: object) -> None:
        raise StepFailed("it ended with status 69", "no ping")

    monkeypatch.setattr(change_programs.companion_check, "run_supervised", attempt)
    with pytest.raises(CompanionFailed) as caught:
        change({"mail": {**MORE["mail"], "check": "ping --all", "check_timeout": 1}}).bring()
    assert str(caught.value) == "its check failed: it ended with status 69"
    assert caught.value.said["What its check ping --all said"] == "no ping"


class TestGone:
    """What is not wanted any more."""

    def test_it_is_stopped_and_removed(
        self, change: Callable, before: SupervisorSpec, supervisor: Supervisor, host: Host
    ) -> None:
        """Only once all that is wanted works."""
        kept = host.write("run/shop-beat@1")
        host.write("run/shop-mail@1")
        made = change({"beat": BEAT})
        made.bring()
        assert supervisor.told == []
        made.clear()
        assert supervisor.told == ["ask shop-mail", "end shop-mail", "remove shop-mail", "reread"]
        there = sorted(path.name for folder in (host.config, host.programs) for path in folder.iterdir())
        assert there == ["gunicorn.launch.beat.json", "shop-beat.conf"]
        assert [str(path) for path in (host.root / "run").iterdir()] == [kept]

    def test_a_removal_that_fails_is_completed_by_the_next_run(
        self, change: Callable, before: SupervisorSpec, supervisor: Supervisor, host: Host
    ) -> None:
        supervisor.failing = "remove shop-mail"
        made = change({"beat": BEAT})
        with pytest.raises(SupervisorError):
            made.clear()
        assert (host.programs / "shop-mail.conf").exists()

    def test_without_supervisor_its_files_go(
        self, change: Callable, before: SupervisorSpec, supervisor: Supervisor, host: Host, monkeypatch
    ) -> None:
        made = change({})
        monkeypatch.setattr(supervisor, "runs", lambda: False)
        made.clear()
        assert supervisor.told == []
        assert list(host.programs.iterdir()) == []

    @pytest.fixture
    def leftover(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen]:
        """A process that a worker has left in its group."""
        with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
            found = [[process.pid], []]
            monkeypatch.setattr(companion_programs, "left_running", lambda *_names: found.pop(0) if found else [])
            yield process
            process.kill()

    def test_what_it_leaves_is_ended(
        self, change: Callable, before: SupervisorSpec, leftover: subprocess.Popen
    ) -> None:
        """As under systemd."""
        change({"beat": BEAT}).clear()
        assert leftover.wait(5) == -9


def test_all_are_stopped(change: Callable, before: SupervisorSpec, supervisor: Supervisor) -> None:
    change(BOTH, companions_started=False).stop()
    assert supervisor.told == ["ask shop-beat", "ask shop-mail", "end shop-beat", "end shop-mail"]


class TestBack:
    def test_the_old_ones_run_again(self, change: Callable, before: SupervisorSpec, supervisor: Supervisor) -> None:
        """With the files of before, and nothing else is touched."""
        made = change(MORE)
        made.withdraw()
        made.restore()
        assert supervisor.told == ["ask shop-mail", "end shop-mail", "load shop-mail", "start shop-mail"]

    def test_one_that_was_not_there_is_not_there(self, change: Callable, host: Host, supervisor: Supervisor) -> None:
        made = change({"mail": MAIL})
        made.restore()
        assert supervisor.told == ["end shop-mail", "load shop-mail"]

    def test_one_that_did_not_run_does_not_run(
        self, change: Callable, before: SupervisorSpec, supervisor: Supervisor
    ) -> None:
        """To read its file may have started it."""
        supervisor.groups["shop-mail"] = {"1": ProgramProcess("STOPPED")}
        made = change(MORE)
        made.restore()
        assert supervisor.told[-2:] == ["load shop-mail", "end shop-mail"]

    def test_what_a_killed_run_has_ended_runs_again(
        self, change: Callable, before: SupervisorSpec, supervisor: Supervisor
    ) -> None:
        supervisor.groups["shop-mail"] = {"1": ProgramProcess("STOPPED")}
        change(MORE, interrupted=True).restore()
        assert "start shop-mail" in supervisor.told

    def test_what_a_killed_run_has_begun_ends(
        self, change: Callable, before: SupervisorSpec, supervisor: Supervisor, host: Host
    ) -> None:
        """This run does not want it, and the way back has removed its file."""
        made = change({"beat": BEAT}, interrupted=True)
        (host.programs / "shop-mail.conf").unlink()
        made.restore()
        assert supervisor.told[-2:] == ["end shop-mail", "load shop-mail"]

    def test_they_are_waited_for(self, change: Callable, before: SupervisorSpec, supervisor: Supervisor) -> None:
        """The run ends when supervisor calls them RUNNING, also if one was tried again."""
        made = change(MORE)
        looks = [up(8, 9, state="STARTING"), {"1": ProgramProcess("BACKOFF"), "2": up(9)["1"]}, up(8, 9)]
        supervisor.starts["shop-mail"] = [*looks, up(8, 9)]
        made.restore()
        assert supervisor.starts["shop-mail"] == [up(8, 9)]
        assert made.lost == []

    @pytest.mark.parametrize("state", ["STARTING", "BACKOFF", "FATAL", "EXITED", ""])
    def test_one_that_does_not_come_up_is_named(
        self,
        change: Callable,
        before: SupervisorSpec,
        supervisor: Supervisor,
        monkeypatch: pytest.MonkeyPatch,
        state: str,
    ) -> None:
        """After a while, and the others are not."""
        monkeypatch.setattr(change_programs, "_LATE", -0.9)
        made = change({**MORE, "beat": {**BEAT, "stop_timeout": 9}})
        supervisor.starts["shop-mail"] = [{"1": up(8)["1"], "2": ProgramProcess(state, 9)} if state else {}]
        made.restore()
        assert made.lost == ["mail"]

    def test_a_failure_does_not_keep_the_others_from_it(
        self, change: Callable, before: SupervisorSpec, supervisor: Supervisor
    ) -> None:
        supervisor.failing = "load shop-beat"
        change({"mail": MORE["mail"], "beat": {**BEAT, "stop_timeout": 9}}).restore()
        assert supervisor.told[-1] == "start shop-mail"


def test_those_of_a_killed_run_are_looked_at(change: Callable, before: SupervisorSpec, supervisor: Supervisor) -> None:
    """They run, and nobody has seen whether they work."""
    supervisor.starts["shop-mail"] = [up(5, 6), {"1": ProgramProcess("FATAL")}]
    made = change(BOTH, interrupted=True)
    with pytest.raises(CompanionFailed, match="^it does not come up: FATAL$"):
        made.bring()


def test_other_secrets_need_new_processes(
    change: Callable, before: SupervisorSpec, supervisor: Supervisor, host: Host
) -> None:
    """Though no file differs."""
    wanted = spec(host.config, {"mail": MAIL})
    found = observe(host, supervisor, wanted, False)
    mail = found.companions["mail"]._replace(secrets=("others",))
    found = found._replace(companions={"mail": mail})
    assert companion_problems(wanted, found) == {"mail": ["was started with other secrets"]}
    CompanionPrograms(wanted, found, supervisor, Runner(run)).bring()
    assert supervisor.told == ["ask shop-mail", "end shop-mail", "load shop-mail", "start shop-mail"]
    assert os.path.exists(wanted.companion_programs[0].program.path)
