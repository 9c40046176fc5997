# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import (
    CompanionFailed,
    Failed,
    deploy_error,
)

TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/shop/venv/lib/gunicorn/arbiter.py", line 1, in spawn_worker
    worker.init_process()
ModuleNotFoundError: No module named 'nosuch'
"""
FOLLOW_UP = TRACEBACK.replace(
    "ModuleNotFoundError: No module named 'nosuch'", "gunicorn.errors.HaltServer: <HaltServer>"
)


def told(**said: str) -> str:
    """The error of a change, as a person reads it."""
    return str(deploy_error("shop was tried and does not work", Failed("it ended"), "Nothing was touched", said))


def test_the_applications_own_error_is_the_reason() -> None:
    """Not that of Gunicorn, which follows from it."""
    first, *_rest = told(log=f"before\n{TRACEBACK}{FOLLOW_UP}").splitlines()
    assert (
        first == "shop was tried and does not work: ModuleNotFoundError: No module named 'nosuch'. Nothing was touched."
    )


def test_the_traceback_is_quoted_by_its_source() -> None:
    """Without what stood around it, and without sources that said nothing."""
    text = told(log=f"before\n{TRACEBACK}after\n", journal=" \n")
    assert text.splitlines()[1:] == ["log:", *TRACEBACK.splitlines()]


@pytest.mark.parametrize(
    ("checked", "reason"), [(True, "no answer"), (False, "ModuleNotFoundError: No module named 'nosuch'")]
)
def test_the_log_of_a_companion_that_goes_on_is_not_the_reason(checked: bool, reason: str) -> None:
    """Its traceback may be of any task; that of one that did not come up is its own."""
    failure = CompanionFailed("mail", "no answer", {"log": TRACEBACK})
    failure.checked = checked
    first, *rest = str(deploy_error("shop failed", failure, "All is as before", failure.said)).splitlines()
    assert first == f"shop failed: {reason}. All is as before."
    assert rest == ["log:", *TRACEBACK.splitlines()]


@pytest.mark.parametrize("said", ["", "\n".join(map(str, range(40)))])
def test_without_a_traceback_the_step_is_the_reason(said: str) -> None:
    """With the last lines of what was said."""
    lines = told(log=said).splitlines()
    assert lines[0] == "shop was tried and does not work: it ended. Nothing was touched."
    assert lines[1:] == (["log:", *map(str, range(15, 40))] if said else [])


def test_an_error_is_shown_after_its_cause() -> None:
    """The trial request's own error says the status, and the application's says why."""
    cause = TRACEBACK.replace("ModuleNotFoundError: No module named 'nosuch'", "LookupError: no price\nfor this")
    link = "\nThe above exception was the direct cause of the following exception:\n\n"
    text = told(log=f"{TRACEBACK}\nelse\n{cause}{link}{TRACEBACK}{FOLLOW_UP}")
    assert text.splitlines()[1:] == ["log:", *cause.splitlines()[:-1], "", *TRACEBACK.splitlines()]


def test_what_the_application_wrote_can_do_no_harm() -> None:
    """It is cut, is not in control of the terminal, and has no secrets: in the reason and in what is quoted."""
    hostile = f"ValueError: \x1b[2J\x07 {'x' * 3_000_000}"
    said = {
        "log": TRACEBACK.replace("ModuleNotFoundError: No module named 'nosuch'", hostile),
        "journal": "\x1b]0;a\x07",
    }
    error = str(deploy_error("shop", Failed("it ended"), "Nothing was touched", said))
    assert error.replace("\n", "").isprintable()
    assert len(error) < 2000
    assert "ValueError: " in error.splitlines()[0]


def test_secrets_are_masked() -> None:
    """In what the application wrote, and in what the step said."""
    said = {"log": TRACEBACK.replace("'nosuch'", "'hunter22'"), "journal": "began with hunter22\n"}
    for failure in (said, {"journal": "hunter22"}):
        error = str(deploy_error("shop", Failed("hunter22 is wrong"), "Nothing was touched", failure, ["hunter22"]))
        assert "hunter22" not in error
        assert "********" in error.splitlines()[0]
