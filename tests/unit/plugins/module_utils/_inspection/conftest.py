# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A captured host with captured Gunicorn services, and what the module returns of them."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import inspection
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

FIXTURES = Path(__file__).parents[4] / "fixtures"
SHOWN = (FIXTURES / "services/systemctl-show.txt").read_text(encoding="utf-8")
ERROR_LOG = "[2026-11-22 11:26:31 +0000] [833] [CRITICAL] WORKER TIMEOUT (pid:835)\n"
REQUEST = '127.0.0.1 - - [22/Nov/2099:11:01:46 +0000] "GET / HTTP/1.1" 200 123 "-" "curl/7.88.1" 1322\n'
JOURNAL = json.dumps(
    {"_PID": "993", "MESSAGE": "[2026-11-22 11:26:00 +0000] [993] [ERROR] Worker (pid:996) exited with code 7."}
)


@pytest.fixture
def captured_host(tmp_path: Path) -> Path:
    """A captured host with captured services, and the logs of one of them."""
    root = tmp_path / "host"
    shutil.copytree(FIXTURES / "hosts/vm-hybrid", root)
    shutil.copytree(FIXTURES / "services", root, symlinks=True, dirs_exist_ok=True)
    (root / "var/log/shop").mkdir(parents=True)
    (root / "var/log/shop/plain.log").write_text(ERROR_LOG, encoding="utf-8")
    (root / "var/log/shop/plain-access.log").write_text(REQUEST * 3, encoding="utf-8")
    return root


@pytest.fixture
def services_of(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, dict[str, t.Any]]]:
    """Return what the module returns of the services on a host, by their names; systemd and the journal print this."""
    # Files of a captured host do not change while one waits.
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    def inspect(
        root: Path, name: str | None = None, shown: str = SHOWN, journal: str = JOURNAL
    ) -> dict[str, dict[str, t.Any]]:
        runner = Runner(lambda command, **_options: (0, shown if command[0] == "systemctl" else journal, ""))
        result = inspection.read_all(name, 0.5, runner, str(root))
        json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
        return {service["name"]: service for service in result["services"]}

    return inspect
