# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules run as they do on a host."""

from __future__ import annotations

import typing as t
from types import ModuleType

import pytest
import yaml
from ansible.module_utils import _internal, basic


@pytest.fixture(autouse=True)
def on_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests import a filter, which makes this process a controller, where modules show warnings at once."""
    monkeypatch.setattr(_internal, "is_controller", False)


@pytest.fixture
def specs_of(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[ModuleType], tuple[dict, dict]]:
    """Return the argument spec of a module, and the one that its documentation describes: types and defaults."""

    class Recorder(Exception):
        pass

    def record(argument_spec: dict[str, dict[str, t.Any]], supports_check_mode: bool) -> basic.AnsibleModule:
        raise Recorder(argument_spec)

    def specs(module: ModuleType) -> tuple[dict, dict]:
        monkeypatch.setattr(module, "AnsibleModule", record)
        with pytest.raises(Recorder) as recorded:
            module.main()
        documented = {
            name: {key: value for key, value in option.items() if key in ("type", "default")}
            for name, option in yaml.safe_load(module.DOCUMENTATION)["options"].items()
        }
        return recorded.value.args[0], documented

    return specs
