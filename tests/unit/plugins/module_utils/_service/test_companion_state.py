# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from companion_samples import ALL, BEAT, CLEAN, MAIL, loaded, put, spec

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_state, systemd_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_state import ABSENT, CompanionState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are as if root had made them."""
    real = atomic_files.state

    def state(path: str) -> object:
        found = real(path)
        return found and found._replace(owner=0, group=0, mode=0o644)

    monkeypatch.setattr(companion_state.atomic_files, "state", state)


def read(systemd) -> dict[str, CompanionState]:
    """What the host has."""
    return companion_state.read("shop", Runner(systemd.run))


def problems(systemd, wanted: SystemdSpec, name: str = "mail", secrets: str = "") -> list[str]:
    """What has to be put right of a companion."""
    (each,) = [each for each in wanted.companions if each.name == name]
    found = read(systemd).get(name, ABSENT)
    return found.problems(each, wanted.common, wanted.companions_started, wanted.companions_enabled, secrets)


def test_a_host_without_companions_is_not_asked(systemd, etc_units: Path, run_units: Path) -> None:
    """systemctl costs time."""
    (etc_units / "shop-other.service").write_text("[Service]\n")
    assert companion_state.read("shop", Runner(lambda _command: 1 / 0)) == {}


def test_systemd_is_asked_once(systemd, etc_units: Path, run_units: Path) -> None:
    """About the service and its companions together."""
    put(systemd, etc_units, spec({"mail": MAIL}))
    commands = []
    asked = systemd_state.ask("shop", Runner(lambda command: commands.append(command) or systemd.run(command)))
    assert sum("show" in command for command in commands) == len(commands) == 1
    assert asked.companions == read(systemd)


def test_it_tells_its_own_from_those_of_another_service(systemd, etc_units: Path, run_units: Path) -> None:
    """A service may be called shop-two, and have a companion of the same name."""
    put(systemd, etc_units, spec({"mail": MAIL}))
    put(systemd, etc_units, spec({"two": MAIL}, name="shop-mail"))
    assert sorted(read(systemd)) == ["mail"]


@pytest.mark.parametrize("name", ALL)
def test_what_is_as_wanted_has_no_problem(systemd, etc_units: Path, run_units: Path, name: str) -> None:
    wanted = spec(ALL)
    put(systemd, etc_units, wanted, generation=4)
    assert problems(systemd, wanted, name) == []


def test_the_live_generation_is_the_one_that_is_wanted(systemd, etc_units: Path, run_units: Path) -> None:
    """Others may be there, and finish in /run."""
    wanted = spec({"mail": MAIL})
    put(systemd, etc_units, wanted, generation=2)
    put(systemd, run_units, wanted, generation=5, state="deactivating")
    (run_units / "shop-mail.service").unlink()
    found = read(systemd)["mail"]
    assert (found.generation, found.newest) == (2, 5)
    systemd.loaded["shop-mail.service"] = loaded("active", enabled=True)
    assert problems(systemd, wanted) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mail", {"command": "celery worker --concurrency 4"}),
        ("mail", {"instances": 3}),
        ("mail", {"instances": 1}),
        ("mail", {"stop_timeout": 900}),
        ("mail", {"single": True, "instances": 1}),
        ("beat", {"command": "celery beat --verbose"}),
        ("beat", {"single": False}),
        ("clean", {"calendar": "hourly"}),
        ("clean", {"command": "clean --all"}),
    ],
)
def test_each_difference_is_seen(systemd, etc_units: Path, run_units: Path, name: str, change: dict) -> None:
    put(systemd, etc_units, spec(ALL))
    wanted = spec({**ALL, name: {**ALL[name], **change}})
    expected = ["has processes of an earlier change"] if change == {"instances": 1} else ["is not as configured"]
    assert problems(systemd, wanted, name) in (["is not as configured"], expected)
    for other in set(ALL) - {name}:
        assert problems(systemd, wanted, other) == []


def test_one_that_is_not_there_is_not_as_configured(systemd, etc_units: Path, run_units: Path) -> None:
    assert problems(systemd, spec({"mail": MAIL})) == ["is not as configured"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("mail", "shop-mail.service"),
        ("mail", "shop-mail@1-2.service"),
        ("beat", "shop-beat.service"),
        ("clean", "shop-clean.timer"),
    ],
)
@pytest.mark.parametrize("state", ["inactive", "failed", "activating"])
def test_what_does_not_run_is_seen(systemd, etc_units: Path, run_units: Path, name: str, unit: str, state: str) -> None:
    wanted = spec(ALL)
    put(systemd, etc_units, wanted)
    systemd.loaded[unit] = loaded(state, enabled=True)
    assert problems(systemd, wanted, name) == ["does not run"]


def test_a_job_need_not_run(systemd, etc_units: Path, run_units: Path) -> None:
    """Nor is it a problem if it does, or has failed."""
    wanted = spec({"clean": CLEAN})
    put(systemd, etc_units, wanted)
    for state in ("activating", "failed"):
        systemd.loaded["shop-clean.service"] = loaded(state)
        assert problems(systemd, wanted, "clean") == []


@pytest.mark.parametrize("name", ALL)
def test_a_stopped_service_has_no_companion_that_runs(systemd, etc_units: Path, run_units: Path, name: str) -> None:
    wanted = spec(ALL, companions_started=False)
    put(systemd, etc_units, wanted)
    assert problems(systemd, wanted, name) == ["runs and must be stopped"]
    put(systemd, etc_units, wanted, state="inactive")
    assert problems(systemd, wanted, name) == []


def test_a_boot_must_start_it_or_not(systemd, etc_units: Path, run_units: Path) -> None:
    wanted = spec({"beat": BEAT}, companions_enabled=False)
    put(systemd, etc_units, wanted)
    assert problems(systemd, wanted, "beat") == ["must not start at boot"]


def test_units_that_changed_must_be_read(systemd, etc_units: Path, run_units: Path) -> None:
    wanted = spec({"mail": MAIL})
    put(systemd, etc_units, wanted)
    systemd.loaded["shop-mail@1-1.service"] += "\nNeedDaemonReload=yes"
    assert problems(systemd, wanted) == ["has units that systemd has not read since they changed"]


def test_an_earlier_generation_that_nobody_asked_to_finish_is_seen(systemd, etc_units: Path, run_units: Path) -> None:
    """As after a run that was killed; one that finishes is no problem."""
    wanted = spec({"mail": MAIL})
    put(systemd, run_units, wanted, generation=2)
    (run_units / "shop-mail.service").unlink()
    put(systemd, etc_units, wanted, generation=3)
    assert problems(systemd, wanted) == ["has processes of an earlier change"]
    for number in (1, 2):
        systemd.loaded[f"shop-mail@2-{number}.service"] = loaded("deactivating")
    assert problems(systemd, wanted) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"GUNICORN_SECRETS": "new"}, []),
        ({"GUNICORN_SECRETS": "old"}, ["was started with other secrets"]),
        # It has cleared its environment, and so does not use them.
        ({}, []),
    ],
)
def test_other_secrets_are_seen(
    systemd, etc_units: Path, run_units: Path, monkeypatch: pytest.MonkeyPatch, environment: dict, expected: list
) -> None:
    wanted = spec({"mail": MAIL})
    put(systemd, etc_units, wanted)
    systemd.loaded["shop-mail@1-2.service"] += "\nMainPID=7"
    monkeypatch.setattr(companion_state.processes, "read_environment", lambda _pid: environment)
    assert problems(systemd, wanted, secrets="new") == expected


@pytest.mark.parametrize("kind", ["a job", "what finishes"])
def test_what_ends_by_itself_may_have_other_secrets(
    systemd, etc_units: Path, run_units: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(companion_state.processes, "read_environment", lambda _pid: {"GUNICORN_SECRETS": "old"})
    wanted = spec({"clean": CLEAN} if kind == "a job" else {"mail": MAIL})
    if kind == "what finishes":
        put(systemd, run_units, wanted, generation=1, state="deactivating")
        (run_units / "shop-mail.service").unlink()
        systemd.loaded["shop-mail@1-1.service"] += "\nMainPID=7"
    put(systemd, etc_units, wanted, generation=2)
    if kind == "a job":
        systemd.loaded["shop-clean.service"] = loaded("activating") + "\nMainPID=7"
    assert problems(systemd, wanted, wanted.companions[0].name, secrets="new") == []


def test_it_survives_the_way_to_the_controller(systemd, etc_units: Path, run_units: Path) -> None:
    """As JSON, in which there are no tuples."""
    put(systemd, etc_units, spec(ALL))
    for state in read(systemd).values():
        told = companion_state.as_dict(state)
        assert companion_state.from_dict({**told, "secrets": list(told["secrets"])}) == state
