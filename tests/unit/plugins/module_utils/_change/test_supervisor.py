# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Callable

import pytest
from service_samples import SUPERVISOR_SPEC

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import supervisor as change_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.change import LIVE_AGAIN
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.supervisor import SupervisorChange
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed


class Noted:
    """Something that notes what it is told."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_arguments: self.steps.append(name)


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> SupervisorChange:
    """A change of a service that did not run, whose steps are noted."""
    made = SupervisorChange.__new__(SupervisorChange)
    made.companions = Noted([])
    made.wanted, made.journal, made.supervisor = SUPERVISOR_SPEC, "", Noted([])
    made.before = SimpleNamespace(running=None, process=SimpleNamespace(state=""), addresses=())
    made._put_back, made._forget_way_back = made.companions.put_back, made.companions.forget_way_back
    monkeypatch.setattr(change_supervisor.files, "put", lambda _file: None)
    monkeypatch.setattr(change_supervisor.journal, "commit", made.companions.commit)
    return made


def test_companions_go_back_with_the_service(change: SupervisorChange) -> None:
    """New ones end before their files go, and old ones run by theirs."""
    change._go_back()
    assert change.companions.steps == ["withdraw", "put_back", "restore", "commit"]


def test_what_is_left_out_is_cleared_once_all_works(change: SupervisorChange) -> None:
    """As long as there is a way back, it has their programs."""
    change._finish()
    assert change.companions.steps == ["forget_way_back", "clear"]


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ([], f"{LIVE_AGAIN}."),
        (["beat", "mail"], f"{LIVE_AGAIN}. But beat and mail, which ran before, did not come up again in time."),
    ],
)
def test_an_error_names_companions_that_are_lost(lost: list[str], said: str) -> None:
    """Whoever reads that all is as before must know what is not."""
    change = SupervisorChange.__new__(SupervisorChange)
    change.wanted, change.secrets, change.companions = SUPERVISOR_SPEC, (), SimpleNamespace(lost=lost)
    error = change._error("does not work with what is new", Failed("it ended"), LIVE_AGAIN, {})
    assert str(error).strip() == f"{SUPERVISOR_SPEC.name} does not work with what is new: it ended. {said}"
