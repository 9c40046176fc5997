# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Callable

FIXTURES = Path(__file__).parents[4] / "fixtures"
SHOWN = (FIXTURES / "services/systemctl-show.txt").read_text(encoding="utf-8")


def test_a_running_one(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """What the captured files say, put together."""
    plain = services_of(captured_host)["plain"]
    assert (plain["state"], plain["user"], plain["application"]) == ("active", "shop", "shop.wsgi:application")
    assert (plain["worker_class"], plain["workers"]) == ("sync", {"configured": 2, "running": 2})
    assert [(process["pid"], process["role"]) for process in plain["processes"]] == [
        (833, "master"),
        (835, "worker"),
        (836, "worker"),
    ]
    assert plain["sockets"] == [
        {"address": "127.0.0.1:8020", "owner": "gunicorn"},
        {"address": "[::1]:8020", "owner": "gunicorn"},
    ]
    assert plain["limits"]["tasks"] == 307
    assert plain["exits"]["timeout"] == 1
    assert plain["exits"]["source"] == "/var/log/shop/plain.log"
    assert plain["requests"]["count"] == 3


def test_one_with_its_log_in_the_journal(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """And with limits of its own; secrets of its command line are not returned."""
    jrn = services_of(captured_host)["jrn"]
    assert (jrn["exits"]["source"], jrn["exits"]["failed"]) == ("journal", 1)
    assert (jrn["limits"]["memory"], jrn["limits"]["memory_limited_by"]) == (150 << 20, "cgroup")
    assert (jrn["worker_class"], jrn["threads"]) == ("gthread", 3)
    assert jrn["exits"]["out_of_memory"] == 1
    assert "secret" not in json.dumps(jrn)


def test_a_stopped_one(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """By its unit's file, and by what systemd says."""
    idle = services_of(captured_host)["idle"]
    assert (idle["state"], idle["started"], idle["processes"]) == ("inactive", None, [])
    assert (idle["application"], idle["workers"]) == ("shop.wsgi", {"configured": 3, "running": 0})
    assert (idle["requests"], idle["measured"], idle["limits"]["tasks"]) == (None, None, 307)


def test_a_stopped_one_with_limits(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """It has no cgroup that could say so."""
    shown = SHOWN.replace("CPUQuotaPerSecUSec=infinity", "CPUQuotaPerSecUSec=1s 500ms", 1)
    shown = shown.replace("MemoryHigh=infinity", "MemoryHigh=104857600", 1)
    limits = services_of(captured_host, shown=shown)["idle"]["limits"]
    assert (limits["cpus"], limits["cpus_limited_by"], limits["cpus_source"]) == (1.5, "quota", "idle.service")
    assert (limits["memory"], limits["memory_limited_by"]) == (100 << 20, "cgroup")


def test_another_user_sees_less(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """What may not be read is null, and is listed as unseen."""
    for pid in (833, 835, 836):
        (captured_host / f"proc/{pid}/smaps_rollup").unlink()
    shutil.rmtree(captured_host / "proc/833/fd")
    (captured_host / "var/log/shop/plain.log").unlink()
    (captured_host / "var/log/shop/plain-access.log").unlink()
    plain = services_of(captured_host)["plain"]
    assert plain["memory"]["pss"] is plain["memory"]["per_worker"] is plain["measured"] is None
    assert plain["memory"]["rss"] > 0
    assert [line.partition(":")[0] for line in plain["unseen"]] == [
        "memory of the processes (pss, private, shared)",
        "requests",
        "sockets",
        "worker exits",
    ]


def test_a_user_who_sees_no_processes(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """As with hidepid: the service runs, by what systemd says, and nobody knows with how many workers."""
    for pid in (833, 835, 836, 993, 1003, 1015):
        shutil.rmtree(captured_host / f"proc/{pid}")
    plain = services_of(captured_host)["plain"]
    assert (plain["state"], plain["workers"]) == ("active", {"configured": 2, "running": None})
    assert plain["unseen"][0] == "processes: this user may not see those of others"


def test_what_a_master_says_of_itself(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """In its runtime directory, which its user may write to: whatever it is, it comes out as plain text."""
    said = {
        "pid": 833,
        "argv": ["/opt/gunicorn", "--workers=9", "\ud800"],
        "prefix": "/opt",
        "gunicorn_version": "99\udfff",
        "configuration_sha256": "",
    }
    (captured_host / "run/gunicorn/plain").mkdir(parents=True)
    (captured_host / "run/gunicorn/plain/running.json").write_text(json.dumps(said), encoding="utf-8")
    plain = services_of(captured_host)["plain"]
    assert plain["command"] == ["/opt/gunicorn", "--workers=9", "?"]
    assert (plain["gunicorn_version"], plain["workers"]["configured"]) == ("99?", 9)
