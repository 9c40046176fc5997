# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import uv


def test_the_arguments_of_uv() -> None:
    """uv gets from its environment what has a password, and the rest as it was."""
    arguments = ["--no-index", "-i", "https://u:a@h/", "--extra-index-url=https://u:b@h/", "--find-links", "/srv"]
    shown, environment = uv.split_arguments([*arguments, "--extra-index-url", "https://token@h/"])
    assert shown == ["--no-index", "--find-links", "/srv"]
    assert environment == {
        "UV_INDEX_URL": "https://u:a@h/",
        "UV_EXTRA_INDEX_URL": "https://u:b@h/ https://token@h/",
    }


@pytest.mark.parametrize("argument", ["--allow-insecure-host=u:harmless@h", "a @ https://u:harmless@h/a.whl"])
def test_an_argument_that_uv_takes_nowhere_else(argument: str) -> None:
    """It is refused without its password."""
    with pytest.raises(InvalidValue, match="gunicorn_pip_extra_args: .*gunicorn_pip_environment") as caught:
        uv.split_arguments([argument])
    assert "harmless" not in str(caught.value)
