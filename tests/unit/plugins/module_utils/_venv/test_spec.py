# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import spec

OPTIONS = {
    "path": "/opt/../opt/venv",
    "python": "python3",
    "version": "newest",
    "requirements": ["notes @ https://u:********@h/"],
    "pip_extra_args": [],
    "revision": "",
    "upgrade": False,
    "rebuild": False,
    "activate": True,
    "settings": {},
    "worker_class": "sync",
    "installer": "pip",
    "user": "",
    "group": "",
    "service": "",
    "confidential": "",
}


def encoded(value: object) -> str:
    """As the role gives it."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_what_is_confidential_is_used() -> None:
    """It takes the place of what may be seen; without it, that is used."""
    real = {"requirements": ["notes @ https://u:harmless@h/"], "environment": {"A": 1, "B": True, "C": None}}
    found = spec.read({**OPTIONS, "confidential": encoded(real)})
    assert (found.path, found.requirements, found.pip_extra_args) == ("/opt/venv", real["requirements"], [])
    assert found.environment == {"A": "1", "B": "True", "C": ""}
    assert spec.read(OPTIONS).requirements == OPTIONS["requirements"]


def test_a_file_of_requirements(tmp_path: Path) -> None:
    """Its path is taken; nothing is read yet."""
    found = spec.read({**OPTIONS, "requirements": f"{tmp_path}/r.txt"})
    assert (found.requirements, found.requirements_file) == ([], f"{tmp_path}/r.txt")


@pytest.mark.parametrize(
    "text", ["harmless", "aGFybWxlc3M=", encoded([]), encoded({"path": "/"}), encoded({"environment": []})]
)
def test_what_can_not_be_read(text: str) -> None:
    """The error does not show it."""
    with pytest.raises(InvalidValue) as caught:
        spec.read({**OPTIONS, "confidential": text})
    assert "harmless" not in str(caught.value)
    assert str(caught.value).startswith("confidential: '********' can't be used: expected base64 of a JSON mapping")


@pytest.mark.parametrize(("value", "reason"), [({}, "it is no string"), ("harmless\0", "a NUL character")])
def test_a_value_that_is_no_variables(value: object, reason: str) -> None:
    """The error names the variable, and does not show the value."""
    with pytest.raises(InvalidValue) as caught:
        spec.read({**OPTIONS, "confidential": encoded({"environment": {"A": value}})})
    assert str(caught.value).startswith(
        f"gunicorn_pip_environment['A']: '********' can't be used: expected a string ({reason}"
    )


def test_an_argument_that_leads_elsewhere() -> None:
    """The module refuses it as the plan does."""
    with pytest.raises(InvalidValue, match="gunicorn_pip_extra_args: '--user'"):
        spec.read({**OPTIONS, "confidential": encoded({"pip_extra_args": ["--user"]})})
