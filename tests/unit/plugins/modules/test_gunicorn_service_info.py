# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import companion_hosts
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import inspection
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.modules import gunicorn_service_info

FIXTURES = Path(__file__).parents[3] / "fixtures"
DOCUMENTATION = yaml.safe_load(gunicorn_service_info.DOCUMENTATION)
RETURN = yaml.safe_load(gunicorn_service_info.RETURN)
EXAMPLES = yaml.safe_load(gunicorn_service_info.EXAMPLES)
TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool, "dict": dict, "list": list}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., dict[str, t.Any]]:
    """Run the module with options, as Ansible does, and return what it printed."""

    def run_module(check_mode: bool = False, **options: object) -> dict[str, t.Any]:
        with patch_module_args({**options, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit):
            gunicorn_service_info.main()
        return json.loads(capsys.readouterr().out)

    return run_module


def test_it_tells_of_the_machine_it_runs_on(run: t.Callable[..., dict[str, t.Any]]) -> None:
    """Also where there is no systemd, no Gunicorn and no privilege, and in check mode."""
    for check_mode in (False, True):
        result = run(check_mode, sample=0.1)
        assert (result["changed"], "failed" in result) == (False, False)
        assert result["host"]["memory"]["total"] > 0


@pytest.mark.parametrize(
    "options", [{"sample": 0}, {"sample": 61}, {"sample": "nan"}, {"name": "no_such_service", "sample": 0.1}]
)
def test_a_bad_value_is_named_in_one_error(run: t.Callable[..., dict[str, t.Any]], options: dict[str, t.Any]) -> None:
    """The message says which option, and what was expected."""
    result = run(**options)
    assert result["failed"]
    assert result["msg"].startswith(("sample: ", "name: 'no_such_service' "))
    assert "can't be used: expected " in result["msg"]


def test_options_are_documented_as_they_are(specs_of: t.Callable[..., tuple[dict, dict]]) -> None:
    """Names, types and defaults of the argument spec and of the documentation are the same."""
    spec, documented = specs_of(gunicorn_service_info)
    assert documented == spec


def test_the_host_is_documented(run: t.Callable[..., dict[str, t.Any]]) -> None:
    """Every key that is returned, with its type."""
    result = run(sample=0.1)
    assert set(result) - {"changed", "invocation"} == set(RETURN)
    compare("host", result["host"], RETURN["host"])


def test_services_are_documented(tmp_path: Path) -> None:
    """The same for captured ones: running, stopped, with requests, and with companions."""
    shutil.copytree(FIXTURES / "hosts/vm-hybrid", tmp_path, dirs_exist_ok=True)
    shutil.copytree(FIXTURES / "services", tmp_path, symlinks=True, dirs_exist_ok=True)
    (tmp_path / "var/log/shop").mkdir(parents=True)
    line = '127.0.0.1 - - [22/Nov/2099:11:01:46 +0000] "GET / HTTP/1.1" 200 123 "-" "curl/7.88.1" 1322\n'
    (tmp_path / "var/log/shop/plain-access.log").write_text(line, encoding="utf-8")
    shown = (FIXTURES / "services/systemctl-show.txt").read_text(encoding="utf-8")
    companion_hosts.put(tmp_path, companion_hosts.ALL)
    runner = Runner(lambda command, **_options: (0, shown, ""))
    services = inspection.read_all(None, 0.1, runner, str(tmp_path))["services"]
    assert [len(service["companions"]) for service in services] == [0, 0, 3]
    assert [bool(service["requests"]) for service in services] == [False, False, True]
    for service in services:
        compare(service["name"], service, {**RETURN["services"], "type": "dict"})


def compare(path: str, value: object, documented: dict[str, t.Any]) -> None:
    """Fail unless a value is what its documentation says."""
    if value is None:
        return
    assert isinstance(value, TYPES[documented["type"]]), path
    if isinstance(value, list) and "contains" in documented:
        for item in value:
            compare(path, item, {**documented, "type": "dict"})
    if isinstance(value, dict) and "contains" in documented:
        assert set(value) == set(documented["contains"]), path
        for name, item in value.items():
            compare(f"{path}.{name}", item, documented["contains"][name])


def test_the_examples_are_of_this_module() -> None:
    """Their options exist."""
    for task in EXAMPLES:
        assert set(task.get("pyweb.gunicorn.gunicorn_service_info") or {}) <= set(DOCUMENTATION["options"])
