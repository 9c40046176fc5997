# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Callable

import pytest
from companion_samples import ALL, BEAT, CLEAN, MAIL, loaded, put, spec
from noting_systemd import Systemd
from service_samples import SYSTEMD_STATE

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import companions as change_companions
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.companions import Companions
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_state, companion_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import CompanionFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import StepFailed

MORE = {"mail": {**MAIL, "command": "celery worker --concurrency 4"}}


class Starting(Systemd):
    """A systemd whose units run once they were started; those that are busy take their time to end."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: set[str] = set()
        self.dying: dict[str, str] = {}  # what becomes of a unit that was started

    def run(self, command: list[str]) -> tuple[int, str, str]:
        result = super().run(command)
        action, names = command[1], [word for word in command[2:] if not word.startswith("-")]
        enabled = {name for name in self.loaded if "UnitFileState=enabled" in self.loaded[name]}
        if action in ("start", "restart", "stop"):
            for name in names:
                ends = "deactivating" if name in self.busy else "inactive"
                state = ends if action == "stop" else "active"
                self.loaded[name] = self.dying.get(name) or loaded(state, enabled=name in enabled)
        elif action in ("enable", "disable"):
            for name in names:
                before = self.loaded.get(name, loaded("inactive"))
                self.loaded[name] = before.replace("=enabled", "=disabled").replace("=disabled", f"={action}d", 1)
        return result


@pytest.fixture
def systemd() -> Starting:
    """In place of one that only notes."""
    return Starting()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and files are as if root had made them."""
    monkeypatch.setattr(change_companions, "_PAUSE", 0.01)
    monkeypatch.setattr(change_companions.companion_check, "_PAUSE", 0.01)
    monkeypatch.setattr(change_companions, "_SOON", 0.05)
    real = atomic_files.state

    def state(path: str) -> object:
        found = real(path)
        return found and found._replace(owner=0, group=0, mode=0o644)

    monkeypatch.setattr(atomic_files, "state", state)


@pytest.fixture
def change(systemd: Starting, etc_units: Path, run_units: Path) -> Callable[..., Companions]:
    """A change to what is wanted, whose units are in place."""

    def make(wanted: SystemdSpec, in_place: bool = True, interrupted: bool = False) -> Companions:
        before = companion_state.read("shop", Runner(systemd.run))
        state = SYSTEMD_STATE._replace(companions=before, interrupted=interrupted)
        made = Companions(wanted, state, Runner(systemd.run), lambda unit: f"the journal of {unit}")
        if in_place:
            for file in made.files:
                Path(file.path).write_text(file.content)
                systemd.loaded.setdefault(Path(file.path).name, loaded("inactive"))
        systemd.asked.clear()
        return made

    return make


def units_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_as_wanted_is_left_alone(change, systemd: Starting, etc_units: Path) -> None:
    put(systemd, etc_units, spec(ALL))
    made = change(spec(ALL))
    assert not made
    assert made.files == []


def test_new_processes_start_beside_the_old_ones(change, systemd: Starting, etc_units: Path) -> None:
    """Those of the next generation; the old ones are not asked for anything yet."""
    put(systemd, etc_units, spec({"mail": MAIL}), generation=7)
    made = change(spec(MORE))
    assert sorted(Path(file.path).name for file in made.files) == [
        "shop-mail.service",
        "shop-mail@8-1.service",
        "shop-mail@8-2.service",
    ]
    made.bring()
    assert systemd.asked == ["start shop-mail@8-1.service shop-mail@8-2.service shop-mail.service"]


def test_no_unit_gets_the_name_of_one_that_finishes(
    change, systemd: Starting, etc_units: Path, run_units: Path
) -> None:
    """As after a way back, whose withdrawn processes are still at their tasks: systemd would wait for their end."""
    put(systemd, etc_units, spec({"mail": MAIL}), generation=7)
    put(systemd, run_units, spec({"mail": {**MAIL, "instances": 1}}), generation=8, state="deactivating")
    (run_units / "shop-mail.service").unlink()
    systemd.loaded["shop-mail.service"] = loaded("active", enabled=True)
    change(spec(MORE)).bring()
    assert systemd.asked == ["start shop-mail@9-1.service shop-mail@9-2.service shop-mail.service"]


def test_only_those_that_the_change_concerns_are_touched(change, systemd: Starting, etc_units: Path) -> None:
    put(systemd, etc_units, spec(ALL))
    made = change(spec({**ALL, "clean": {**CLEAN, "command": "clean --all"}}))
    made.bring()
    # Nor is the timer, which might be about to start its job.
    assert systemd.asked == []
    assert [Path(file.path).name for file in made.files] == ["shop-clean.service", "shop-clean.timer"]


def test_another_time_starts_the_timer_anew(change, systemd: Starting, etc_units: Path) -> None:
    """And not the job."""
    put(systemd, etc_units, spec({"clean": CLEAN}))
    change(spec({"clean": {**CLEAN, "calendar": "hourly"}})).bring()
    assert systemd.asked == ["restart shop-clean.timer"]


def test_one_that_becomes_a_job_is_not_waited_for(change, systemd: Starting, etc_units: Path) -> None:
    """Its processes have their tasks to finish; they are asked once all is verified."""
    put(systemd, etc_units, spec({"mail": MAIL}))
    change(spec({"mail": CLEAN})).bring()
    assert not [line for line in systemd.asked if line.startswith("stop")]


def test_one_that_is_single_ends_before_it_starts(change, systemd: Starting, etc_units: Path) -> None:
    """As systemd restarts a unit; also if it had several processes before."""
    put(systemd, etc_units, spec({"beat": BEAT}))
    change(spec({"beat": {**BEAT, "command": "celery beat --verbose"}})).bring()
    assert systemd.asked == ["restart shop-beat.service"]


def test_one_that_becomes_single_ends_first(change, systemd: Starting, etc_units: Path) -> None:
    put(systemd, etc_units, spec({"beat": {**MAIL}}))
    change(spec({"beat": BEAT})).bring()
    assert systemd.asked == [
        "stop shop-beat@1-1.service shop-beat@1-2.service",
        "restart shop-beat.service",
    ]


@pytest.mark.parametrize(
    ("was", "becomes", "disabled", "enabled"),
    [
        (BEAT, {"command": "celery beat", "calendar": "daily"}, "shop-beat.service", "shop-beat.timer"),
        ({"command": "celery beat", "calendar": "daily"}, BEAT, "shop-beat.timer", "shop-beat.service"),
    ],
)
def test_one_of_another_kind_starts_at_boot_as_that(
    change, systemd: Starting, etc_units: Path, was: dict, becomes: dict, disabled: str, enabled: str
) -> None:
    """And after the way back as before."""
    put(systemd, etc_units, spec({"beat": was}))
    made = change(spec({"beat": becomes}))
    made.bring()
    assert f"disable {disabled}" in systemd.asked
    assert f"enable {enabled}" in systemd.asked
    systemd.asked.clear()
    made.restore()
    assert f"enable {disabled}" in systemd.asked


def test_what_a_person_stopped_is_started_as_it_is(change, systemd: Starting, etc_units: Path) -> None:
    """No other generation is needed."""
    put(systemd, etc_units, spec({"mail": MAIL}), generation=3, state="inactive")
    made = change(spec({"mail": MAIL}))
    assert made.files == []
    made.bring()
    assert systemd.asked == ["start shop-mail@3-1.service shop-mail@3-2.service shop-mail.service"]


def test_those_of_a_killed_run_are_looked_at(change, systemd: Starting, etc_units: Path) -> None:
    """They run, and nobody has seen whether they work."""
    put(systemd, etc_units, spec({"mail": MAIL}))
    systemd.dying["shop-mail@1-2.service"] = loaded("failed") + "\nExecMainCode=1\nExecMainStatus=3"
    made = change(spec({"mail": MAIL}), interrupted=True)
    with pytest.raises(CompanionFailed, match="it does not come up: it ended with status 3"):
        made.bring()


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ("ActiveState=failed\nExecMainCode=1\nExecMainStatus=3", "it ended with status 3"),
        ("ActiveState=activating\nSubState=auto-restart\nExecMainCode=2\nExecMainStatus=9", "it was ended by signal 9"),
        ("ActiveState=failed\nResult=oom-kill", "it was ended since the memory was used up"),
        ("ActiveState=failed\nExecMainCode=1\nExecMainStatus=226", "systemd could not start it: 226/NAMESPACE"),
        ("ActiveState=inactive\nExecMainCode=1\nExecMainStatus=0", "it ended with status 0"),
    ],
)
def test_one_that_does_not_stay_up_fails(
    change, systemd: Starting, etc_units: Path, properties: str, reason: str
) -> None:
    """With its own words, and those of systemd."""
    put(systemd, etc_units, spec({"mail": MAIL}))
    systemd.dying["shop-mail@2-2.service"] = f"LoadState=loaded\n{properties}"
    with pytest.raises(CompanionFailed) as caught:
        change(spec(MORE)).bring()
    assert str(caught.value).startswith(f"it does not come up: {reason}")
    assert caught.value.companion == "mail"
    assert caught.value.said["The journal of shop-mail@2-2.service"] == "the journal of shop-mail@2-2.service"


def test_one_that_was_started_again_fails(
    change, systemd: Starting, etc_units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks, it may have ended and be up again."""
    put(systemd, etc_units, spec({"mail": MAIL}))
    made = change(spec(MORE))
    pauses = iter(range(9))

    def sleep(_seconds: float) -> None:
        if next(pauses) == 2:
            systemd.loaded["shop-mail@2-1.service"] = loaded("active", restarts=1)

    monkeypatch.setattr(change_companions.time, "sleep", sleep)
    with pytest.raises(CompanionFailed, match="it does not stay up"):
        made.bring()


@pytest.mark.parametrize(("check", "times"), [("ping mail-{instance}", 2), ("ping", 1)])
def test_its_check_must_succeed(
    change, systemd: Starting, etc_units: Path, monkeypatch: pytest.MonkeyPatch, check: str, times: int
) -> None:
    """Once for each process that it names; what fails first is tried again."""
    ran = []

    def run(_wanted: object, checked: object, instance: str, *_others: object) -> None:
        ran.append(instance)
        if len(ran) == 1:
            raise StepFailed("it ended with status 69", "no ping")

    monkeypatch.setattr(change_companions.companion_check, "run", run)
    put(systemd, etc_units, spec({"mail": MAIL}))
    change(spec({"mail": {**MORE["mail"], "check": check}})).bring()
    assert ran == ["2-1", "2-1", "2-2"][: times + 1]


def test_a_check_that_goes_on_failing_ends_the_change(
    change, systemd: Starting, etc_units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the words of the last try that had the time to say some."""
    failures = itertools.chain(
        [StepFailed("it ended with status 69", "no ping")], itertools.repeat(StepFailed("it did not end within 1 s"))
    )

    def run(*_arguments: object) -> None:
        raise next(failures)

    monkeypatch.setattr(change_companions.companion_check, "run", run)
    put(systemd, etc_units, spec({"mail": MAIL}))
    with pytest.raises(CompanionFailed) as caught:
        change(spec({"mail": {**MORE["mail"], "check": "ping --all", "check_timeout": 1}})).bring()
    assert str(caught.value) == "its check failed: it ended with status 69"
    assert caught.value.said["What its check ping --all said"] == "no ping"
    assert caught.value.checked


def test_the_old_ones_are_asked_to_finish(change, systemd: Starting, etc_units: Path, run_units: Path) -> None:
    """What is busy goes on in /run, and ends with itself; what has ended is gone, but for the way back."""
    put(systemd, etc_units, spec({"mail": MAIL}))
    made = change(spec(MORE))
    made.bring()
    systemd.asked.clear()
    systemd.busy = {"shop-mail@1-2.service"}
    way_back = str(etc_units / ".journal")
    made.retire(way_back)
    assert systemd.asked == ["stop --no-block shop-mail@1-1.service shop-mail@1-2.service", "daemon-reload"]
    assert units_in(run_units) == ["shop-mail@1-2.service"]
    text = (run_units / "shop-mail@1-2.service").read_text()
    assert f"ExecStopPost=+/bin/rm -f {run_units}/shop-mail@1-2.service\n" in text
    assert "TimeoutStopSec=300" in text
    # Nor would one that was killed stay in systemd's memory.
    assert "\n[Unit]\nCollectMode=inactive-or-failed\n" in text
    there = [name for name in units_in(etc_units) if not name.startswith(".")]
    assert there == ["shop-mail.service", "shop-mail@2-1.service", "shop-mail@2-2.service"]
    journal.go_back(way_back)
    assert {"shop-mail@1-1.service", "shop-mail@1-2.service"} <= set(units_in(etc_units))


# A drop-in of an administrator may make a job one that counts as active while it runs.
@pytest.mark.parametrize("state", ["activating", "active"])
def test_what_is_not_wanted_any_more_goes(
    change, systemd: Starting, etc_units: Path, run_units: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """After its task; the job of a timer is left to end, as its own unit says and not as systemd does without one."""
    stamp = etc_units.parent / "stamp-shop-clean.timer"
    stamp.touch()
    monkeypatch.setattr(companion_units, "stamp_of", lambda timer: str(etc_units.parent / f"stamp-{timer}"))
    put(systemd, etc_units, spec(ALL))
    systemd.loaded["shop-clean.service"] = loaded(state)
    systemd.busy = {"shop-mail@1-1.service"}
    made = change(spec({}))
    made.bring()
    made.retire(str(etc_units / ".journal"))
    made.clear()
    stopped = [line for line in systemd.asked if line.startswith("stop")]
    assert len(stopped) == 1
    assert set(stopped[0].split()[2:]) == {
        "shop-beat.service",
        "shop-clean.timer",
        "shop-mail.service",
        "shop-mail@1-1.service",
        "shop-mail@1-2.service",
    }
    assert units_in(etc_units) == []
    assert units_in(run_units) == ["shop-clean.service", "shop-mail@1-1.service"]
    assert not stamp.exists()
    disabled = [line for line in systemd.asked if line.startswith("disable")]
    assert disabled == ["disable shop-beat.service shop-clean.timer shop-mail.service"]


def test_the_new_ones_are_withdrawn(change, systemd: Starting, etc_units: Path, run_units: Path) -> None:
    """They may have taken a task, and have time for it. What ran before is what runs."""
    put(systemd, etc_units, spec({"mail": MAIL}))
    before = (etc_units / "shop-mail.service").read_text()
    made = change(spec(MORE))
    Path(atomic_files.beside(str(etc_units / "shop-mail.service"), atomic_files.PREVIOUS)).write_text(before)
    made.bring()
    systemd.asked.clear()
    systemd.busy = {"shop-mail@2-1.service"}
    made.withdraw()
    assert systemd.asked == ["stop --no-block shop-mail@2-1.service shop-mail@2-2.service"]
    assert units_in(run_units) == ["shop-mail@2-1.service"]
    # The files of before are put back.
    (etc_units / ".previous.shop-mail.service").rename(etc_units / "shop-mail.service")
    for name in ("shop-mail@2-1.service", "shop-mail@2-2.service"):
        (etc_units / name).unlink()
    systemd.asked.clear()
    made.restore()
    assert systemd.asked == ["start shop-mail@1-1.service shop-mail@1-2.service shop-mail.service"]


def test_one_that_was_not_there_before_leaves_nothing(change, systemd: Starting, etc_units: Path) -> None:
    made = change(spec({"beat": BEAT, "clean": CLEAN}))
    made.bring()
    assert systemd.asked[:2] == ["enable shop-beat.service", "restart shop-beat.service"]
    systemd.asked.clear()
    made.withdraw()
    assert systemd.asked[:2] == ["disable shop-beat.service", "disable shop-clean.timer"]
    assert set(systemd.asked[2].split()) == {"stop", "--no-block", "shop-beat.service", "shop-clean.timer"}


def test_what_is_single_runs_again_as_it_was(change, systemd: Starting, etc_units: Path) -> None:
    put(systemd, etc_units, spec({"beat": BEAT, "clean": CLEAN}))
    made = change(
        spec({"beat": {**BEAT, "command": "celery beat -v"}, "clean": {**CLEAN, "calendar": "hourly"}}), in_place=False
    )
    systemd.asked.clear()
    made.restore()
    assert systemd.asked == ["restart shop-beat.service", "restart shop-clean.timer"]


def test_all_are_stopped(change, systemd: Starting, etc_units: Path) -> None:
    """And a job that runs is left to end."""
    put(systemd, etc_units, spec(ALL))
    systemd.loaded["shop-clean.service"] = loaded("activating")
    made = change(spec(ALL, companions_started=False, companions_enabled=False))
    made.stop()
    (stopped,) = [line for line in systemd.asked if line.startswith("stop")]
    assert "shop-clean.service" not in stopped.split()
    assert {"shop-clean.timer", "shop-mail.service", "shop-beat.service"} < set(stopped.split())
    assert sum(line.startswith("disable") for line in systemd.asked) == len(ALL)


def test_units_are_put_where_systemd_looks(change, etc_units: Path) -> None:
    assert companion_units.path_of("shop-mail.service") == str(etc_units / "shop-mail.service")
