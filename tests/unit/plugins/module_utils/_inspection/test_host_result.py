# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import host_result, host_usage
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import grants
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.grants import Grant
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

HOSTS = Path(__file__).parents[4] / "fixtures/hosts"
MEASURED = sorted(path.name for path in HOSTS.iterdir() if (path / "proc/stat").exists())


@pytest.fixture(params=MEASURED)
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Each captured host."""
    shutil.copytree(HOSTS / request.param, tmp_path / "host")
    return tmp_path / "host"


def read(root: Path) -> dict[str, t.Any]:
    place = host_usage.read_place(str(root))
    before, after = (host_usage.read_moment(place, at, str(root)) for at in (100.0, 100.5))
    host = host_result.read_host(place, before, after, str(root))
    json.dumps(host, allow_nan=False)
    return host


def test_the_host(root: Path) -> None:
    """Its verdict is the worst of all, with that one's sentence."""
    host = read(root)
    parts = [host[name] for name in ("memory", "swap", "cpu", "load", "pressure") if host[name]]
    order = ("healthy", "watch", "short")
    assert host["verdict"] == max((part["verdict"] for part in parts), key=order.index)
    assert host["reason"] in [part["reason"] for part in parts if part["verdict"] == host["verdict"]]


def test_what_projects_were_given(root: Path) -> None:
    """By their notes: of a project without one, nobody knows what its workers take."""
    units = root / "etc/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    (root / "var/lib").mkdir(parents=True, exist_ok=True)
    for name in ("shop", "blog", "old"):
        mark = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): x\n"
        (units / f"{name}.service").write_text(f"{mark}ExecStart=gunicorn --workers=5\n")
        if name != "old":
            (root / f"var/lib/gunicorn-{name}.memory").write_text(grants.text_of(Grant(name, 99 * MIB)))
    assert read(root)["memory"]["granted"] == 198 * MIB


def test_a_kernel_without_pressure() -> None:
    """Null, and listed as unseen."""
    host = read(HOSTS / "derived-256-cores")
    assert host["pressure"] is None
    assert host["unseen"] == ["pressure: the kernel does not tell it (PSI)"]


@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        (
            "derived-container-v2",
            "short",
            "Only 3% of the RAM is cache and 100 MiB of swap are in use: the host is short of RAM.",
        ),
        ("derived-zram", "healthy", "22% of the RAM is cache, and 20% is available."),
        ("derived-256-cores", "healthy", "37% of the RAM is cache, and 66% is available."),
    ],
)
def test_verdicts_on_hosts(name: str, verdict: str, reason: str) -> None:
    """A container that is full, zram in use, and a large machine that is at work."""
    host = read(HOSTS / name)
    assert (host["verdict"], host["reason"]) == (verdict, reason)
