# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import deployment
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import parameters as plan_parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import grants, manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.grants import Grant
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import decision, stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.stamp import Stamp


@pytest.fixture
def shared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: SimpleNamespace, parameters: Callable[..., dict]
) -> SimpleNamespace:
    """A venv that was built for the service other, and the plan of another service for it."""
    monkeypatch.setattr(units, "UNIT_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(programs, "PROGRAMS", str(tmp_path))
    venv = tmp_path / "venv"
    venv.mkdir()
    stamp.write(str(venv), Stamp("0" * 64, "0" * 64, "0" * 64, services={"other": "0" * 64}))
    given = parameters(venv=str(venv), requirements=["Django"])
    return SimpleNamespace(venv=venv, folder=tmp_path, given=given)


@pytest.mark.parametrize(
    ("file", "text", "manager_name"),
    [
        ("other.service", "ExecStart={0}/bin/gunicorn\n", manager.SYSTEMD),
        ("any.conf", "[program:other]\n", manager.SUPERVISOR),
    ],
)
def test_a_venv_that_another_service_uses(shared: SimpleNamespace, file: str, text: str, manager_name: str) -> None:
    """The error names the variable, the venv and the service; once that is gone, the venv is free."""
    wanted = plan_parameters.wanted_venv(shared.given)
    deployment.check_owner(wanted, manager_name)
    (shared.folder / file).write_text(text.replace("{0}", str(shared.venv)))
    with pytest.raises(InvalidValue) as caught:
        deployment.check_owner(wanted, manager_name)
    said = f"gunicorn_venv: '{shared.venv}' can't be used: expected a virtual environment of its own: the service other"
    assert str(caught.value).startswith(said)
    deployment.check_owner(wanted._replace(service="other"), manager_name)


def test_the_plan_asks_only_if_something_must_be_installed(
    shared: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What suits both may be shared."""
    (shared.folder / "other.service").write_text(f"ExecStart={shared.venv}/bin/gunicorn\n")
    for changed in (True, False):
        monkeypatch.setattr(
            decision, "foresee", lambda *_given, changed=changed, **_more: {"changed": changed, "diff": {}}
        )
        if not changed:
            assert deployment.venv_state(shared.given, manager.SYSTEMD, None) == {"changed": False}
            continue
        with pytest.raises(InvalidValue, match="the service other uses this one"):
            deployment.venv_state(shared.given, manager.SYSTEMD, None)


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ("auto", ["- 1024 MiB for companions - 32 MiB master", "decides. Nothing is reserved for beat, which has no"]),
        # Then the numbers are the user's.
        ("4", []),
    ],
)
def test_companions_count_where_workers_are_sized(
    parameters: Callable[..., dict], workers: str, said: list[str]
) -> None:
    """The sentence that the role shows names them."""
    given = parameters(
        workers=workers,
        sizing={"cpus": 2, "memory": "16G"},
        companions={"mail": {"command": "x", "memory_max": "512M"}, "beat": {"command": "x", "single": True}},
    )
    wanted = plan_parameters.check_parameters(given, ipv6=True)
    sizing, _note, _warnings = deployment._size(given, wanted, None, Runner(lambda command: (0, "", "")))
    assert [text for text in said if text not in sizing["reason"]] == []
    assert bool(said) == ("companion" in sizing["reason"])


@pytest.mark.parametrize(
    ("workers", "sizing", "number", "told"),
    [
        ("auto", {}, "3", 0),
        ("auto", {"share": 0.5}, "2", 0),
        ("auto", {"share": 0.9}, "5", 1),
        # A number is taken as it is.
        ("4", {}, None, 1),
    ],
)
def test_other_projects_count(
    parameters: Callable[..., dict],
    monkeypatch: pytest.MonkeyPatch,
    workers: str,
    sizing: dict,
    number: str | None,
    told: int,
) -> None:
    """The sentence names them, it is noted what is left for the next one, and the run warns where that is too little."""
    monkeypatch.setattr(grants, "read_all", lambda root: {"blog": Grant("blog", 300 * MIB), "shop": Grant("shop", MIB)})
    given = parameters(workers=workers, sizing={"cpus": 4, "memory": "1000M", **sizing})
    wanted = plan_parameters.check_parameters(given, ipv6=True)
    found, note, warnings = deployment._size(given, wanted, None, Runner(None))
    assert len(warnings) == told
    if number:
        assert found["reason"].startswith(f"{number} workers: ")
        assert found["reason"].endswith("decides. Another project shares the host: blog 300 MiB.")
    assert f"memory={int(number or workers) * 128 + 32}M\n" in note
    assert ("share=" in note) == bool(sizing)


def test_no_companion_has_a_variable_of_a_secret(parameters: Callable[..., dict]) -> None:
    """It is refused before the host is asked for anything."""
    given = parameters(
        companions={"mail": {"command": "x", "environment": {"BROKER": "hush"}}},
        secrets='BROKER="redis://x"\n',
    )
    with pytest.raises(
        InvalidValue, match="^gunicorn_companions\\['mail'\\]\\['environment'\\]: 'BROKER' can't be used"
    ):
        deployment.plan_deployment({**given, "service_manager": "systemd"}, Runner(None), Runner(None))
