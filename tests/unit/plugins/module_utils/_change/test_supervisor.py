# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from service_samples import SUPERVISOR_SPEC

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.change import LIVE_AGAIN
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.supervisor import SupervisorChange
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed


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
