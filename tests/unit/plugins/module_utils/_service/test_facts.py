# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a play may know of a deployment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from service_samples import SUPERVISOR_SPEC, SYSTEMD_SPEC

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.live import Release
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import facts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision

MODULES = Path(__file__).parents[5] / "plugins" / "modules"
NEW = Release("7c4f1a9be2d0-3f9a1c", "/opt/shop/releases")


def test_a_service_whose_code_is_no_release() -> None:
    """It has no ID, and none has changed."""
    result = facts.result(SYSTEMD_SPEC, Decision(["the number of workers is 3, not 5"], switch=True), "")
    deployment = result.pop("ansible_facts")["gunicorn_deployment"]
    assert result == {"changed": True, "name": "shop", "reasons": ["the number of workers is 3, not 5"]}
    assert deployment == {
        "name": "shop",
        "release": "",
        "previous_release": "",
        "release_changed": False,
        "code_directory": "/opt/shop",
        "venv": "/opt/shop/venv-12345678",
        "gunicorn_version": "27.0.1",
        "workers": 3,
        "binds": ["127.0.0.1:8000", "[::1]:8000"],
        "switched": True,
    }


@pytest.mark.parametrize(("live", "changed"), [("", True), ("52a1c7d80e4b-3f9a1c", True), (NEW.id, False)])
def test_a_release_that_was_live_or_not(live: str, changed: bool) -> None:
    """Where the code is that runs, what it replaced, and whether it did."""
    result = facts.result(replace(SYSTEMD_SPEC, release=NEW), Decision([], switch=False), live)
    deployment = result["ansible_facts"]["gunicorn_deployment"]
    assert (deployment["release"], deployment["previous_release"]) == (NEW.id, live)
    assert deployment["release_changed"] is changed
    assert deployment["code_directory"] == f"/opt/shop/releases/{NEW.id}"
    assert (result["changed"], deployment["switched"]) == (False, False)


@pytest.mark.parametrize("module", ["gunicorn_service", "gunicorn_supervised_service"])
def test_the_modules_document_each_fact(module: str) -> None:
    """Under both managers, what is told is what is documented."""
    text = (MODULES / f"{module}.py").read_text(encoding="utf-8")
    documented = yaml.safe_load(text.partition('RETURN = r"""')[2].partition('"""')[0])
    told = facts.result(SUPERVISOR_SPEC, Decision([], switch=False), "")
    assert list(documented) == ["name", "reasons", "ansible_facts"]
    assert set(told) == {"changed", *documented}
    contains = documented["ansible_facts"]["contains"]["gunicorn_deployment"]["contains"]
    assert list(contains) == list(told["ansible_facts"]["gunicorn_deployment"])
