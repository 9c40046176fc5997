# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import inspection
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import memory as inspection_memory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import requests as inspection_requests
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

FIXTURES = Path(__file__).parents[4] / "fixtures"
SHOWN = (FIXTURES / "services/systemctl-show.txt").read_text(encoding="utf-8")
ERROR_LOG = "[2026-11-22 11:26:31 +0000] [833] [CRITICAL] WORKER TIMEOUT (pid:835)\n"
JOURNAL = json.dumps(
    {"_PID": "993", "MESSAGE": "[2026-11-22 11:26:00 +0000] [993] [ERROR] Worker (pid:996) exited with code 7."}
)


def run(command: list[str]) -> tuple[int, str, str]:
    return 0, SHOWN if command[0] == "systemctl" else JOURNAL, ""


RUNNER = Runner(run)


def make_host(folder: Path) -> Path:
    """A captured host with captured services, and the logs of one of them."""
    root = folder / "host"
    shutil.copytree(FIXTURES / "hosts/vm-hybrid", root)
    shutil.copytree(FIXTURES / "services", root, symlinks=True, dirs_exist_ok=True)
    (root / "var/log/shop").mkdir(parents=True)
    (root / "var/log/shop/plain.log").write_text(ERROR_LOG, encoding="utf-8")
    line = '127.0.0.1 - - [22/Nov/2099:11:01:46 +0000] "GET / HTTP/1.1" 200 123 "-" "curl/7.88.1" 1322\n'
    (root / "var/log/shop/plain-access.log").write_text(line * 3, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_host(tmp_path)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a captured host do not change while one waits."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def services_of(root: Path, name: str | None = None, runner: Runner = RUNNER) -> dict[str, dict[str, t.Any]]:
    result = inspection.read_all(name, 0.5, runner, str(root))
    json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
    return {service["name"]: service for service in result["services"]}


class TestServices:
    def test_a_running_one(self, root: Path) -> None:
        """What stands in the captured files, put together."""
        plain = services_of(root)["plain"]
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

    def test_memory_adds_up(self, root: Path) -> None:
        """Shared pages count once, so the service takes less than its processes show."""
        memory = services_of(root)["plain"]["memory"]
        assert memory["private"] + memory["shared"] == memory["pss"] < memory["rss"]

    def test_what_a_worker_costs(self, root: Path) -> None:
        """Its anonymous pages, its share of the files, and what it once had more: of the dearest worker."""
        plain = services_of(root)["plain"]
        (dearest, _other) = sorted(
            (
                worker["anonymous"] + worker["pss_file"] + worker["pss_shmem"] + worker["peak_rss"] - worker["rss"]
                for worker in plain["processes"][1:]
            ),
            reverse=True,
        )
        assert plain["memory"]["per_worker"] == dearest

    def test_three_requests_are_no_measurement(self, root: Path) -> None:
        """A worker that has served next to nothing has not yet taken what it will."""
        assert services_of(root)["plain"]["measured"] is None

    @pytest.mark.parametrize(
        ("ratio", "rounded"), [(None, None), (0.0, 0.0), (8.349, 8.3), (0.0349, 0.035), (123.4, 120)]
    )
    def test_what_is_measured_is_rounded(self, ratio: float | None, rounded: float | None) -> None:
        """Two digits, and twice the memory of a worker up to the next 8 MiB: a second measurement gives the same."""
        requests = {"count": 100, "wait_ratio": ratio}
        assert inspection_requests.measured_needs(requests, {"per_worker": (61 << 20) + 1}) == {
            "wait_ratio": rounded,
            "memory_per_worker": "128M",
            "requests": 100,
        }
        assert inspection_requests.measured_needs({**requests, "count": 99}, {"per_worker": 1}) is None
        assert inspection_requests.measured_needs(requests, {"per_worker": None}) is None

    def test_what_it_once_had_more_counts(self) -> None:
        """A worker that is idle now will need it again; a kernel that does not tell is no error."""
        worker = {"anonymous": 70, "pss_file": 5, "pss_shmem": 1, "rss": 90, "peak_rss": 120}
        assert inspection_memory.cost_of(worker) == 106
        assert inspection_memory.cost_of({**worker, "peak_rss": None}) == 76
        assert inspection_memory.cost_of({**worker, "pss_file": None}) is None

    def test_one_with_its_log_in_the_journal(self, root: Path) -> None:
        """And with limits of its own; secrets of its command line are not told."""
        jrn = services_of(root)["jrn"]
        assert (jrn["exits"]["source"], jrn["exits"]["failed"]) == ("journal", 1)
        assert (jrn["limits"]["memory"], jrn["limits"]["memory_limited_by"]) == (150 << 20, "cgroup")
        assert (jrn["worker_class"], jrn["threads"]) == ("gthread", 3)
        assert jrn["exits"]["out_of_memory"] == 1
        assert "secret" not in json.dumps(jrn)

    def test_a_stopped_one(self, root: Path) -> None:
        """By its unit's file, and by what systemd says."""
        idle = services_of(root)["idle"]
        assert (idle["state"], idle["started"], idle["processes"]) == ("inactive", None, [])
        assert (idle["application"], idle["workers"]) == ("shop.wsgi", {"configured": 3, "running": 0})
        assert (idle["requests"], idle["measured"], idle["limits"]["tasks"]) == (None, None, 307)

    def test_a_stopped_one_with_limits(self, root: Path) -> None:
        """It has no cgroup that could say so."""
        shown = SHOWN.replace("CPUQuotaPerSecUSec=infinity", "CPUQuotaPerSecUSec=1s 500ms", 1)
        shown = shown.replace("MemoryHigh=infinity", "MemoryHigh=104857600", 1)
        limits = services_of(root, runner=Runner(lambda command: (0, shown, "")))["idle"]["limits"]
        assert (limits["cpus"], limits["cpus_limited_by"], limits["cpus_source"]) == (1.5, "quota", "idle.service")
        assert (limits["memory"], limits["memory_limited_by"]) == (100 << 20, "cgroup")

    def test_a_worker_that_ends_meanwhile(self, root: Path) -> None:
        """It is left out, and nothing else changes."""
        shutil.rmtree(root / "proc/836")
        (root / "proc/835/status").write_text("Name:\tgunicorn\nState:\tZ (zombie)\n", encoding="utf-8")
        plain = services_of(root)["plain"]
        assert [process["pid"] for process in plain["processes"]] == [833]
        assert plain["memory"]["per_worker"] is None

    def test_another_user_sees_less(self, root: Path) -> None:
        """What may not be read is null, and is told of."""
        for pid in (833, 835, 836):
            (root / f"proc/{pid}/smaps_rollup").unlink()
        shutil.rmtree(root / "proc/833/fd")
        (root / "var/log/shop/plain.log").unlink()
        (root / "var/log/shop/plain-access.log").unlink()
        plain = services_of(root)["plain"]
        assert plain["memory"]["pss"] is plain["memory"]["per_worker"] is plain["measured"] is None
        assert plain["memory"]["rss"] > 0
        assert [line.partition(":")[0] for line in plain["unseen"]] == [
            "memory of the processes (pss, private, shared)",
            "requests",
            "sockets",
            "worker exits",
        ]

    def test_a_user_who_sees_no_processes(self, root: Path) -> None:
        """As with hidepid: the service runs, by what systemd says, and nobody knows with how many workers."""
        for pid in (833, 835, 836, 993, 1003, 1015):
            shutil.rmtree(root / f"proc/{pid}")
        plain = services_of(root)["plain"]
        assert (plain["state"], plain["workers"]) == ("active", {"configured": 2, "running": None})
        assert plain["unseen"][0] == "processes: this user may not see those of others"

    def test_what_a_master_says_of_itself(self, root: Path) -> None:
        """In its runtime directory, which its user may write to: whatever it is, it comes out as plain text."""
        said = {
            "pid": 833,
            "argv": ["/opt/gunicorn", "--workers=9", "\ud800"],
            "prefix": "/opt",
            "gunicorn_version": "99\udfff",
            "configuration_sha256": "",
        }
        (root / "run/gunicorn/plain").mkdir(parents=True)
        (root / "run/gunicorn/plain/running.json").write_text(json.dumps(said), encoding="utf-8")
        plain = services_of(root)["plain"]
        assert plain["command"] == ["/opt/gunicorn", "--workers=9", "?"]
        assert (plain["gunicorn_version"], plain["workers"]["configured"]) == ("99?", 9)

    @pytest.mark.parametrize("name", ["plain", "plain.service"])
    def test_one_by_its_name(self, root: Path, name: str) -> None:
        """With or without the ending."""
        assert list(services_of(root, name)) == ["plain"]

    @pytest.mark.parametrize("name", ["shop", "", "pla", "ssh.service"])
    def test_a_name_that_is_none(self, root: Path, name: str) -> None:
        """The error says which there are."""
        with pytest.raises(InvalidValue, match="idle, jrn, plain"):
            services_of(root, name)


@pytest.mark.parametrize("sample", [0.0, 0.09, 61.0, float("nan"), float("inf"), -1.0])
def test_a_sample_that_can_not_be_taken(sample: float) -> None:
    """Named in one error."""
    with pytest.raises(InvalidValue, match="sample: .* seconds from 0.1 to 60"):
        inspection.check_sample(sample)


HOSTILE = (
    st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "replace")) | st.just(b"\xff\0" * 50)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=st.lists(HOSTILE, max_size=6), logs=HOSTILE, shown=HOSTILE, files=HOSTILE)
def test_nothing_of_a_service_stops_it(arguments: list[bytes], logs: bytes, shown: bytes, files: bytes) -> None:
    """Command lines, logs, unit files and what is printed may be anything; what comes back is plain JSON."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_host(Path(folder))
        command = [b"/usr/bin/python3", b"/usr/bin/gunicorn", *arguments]
        (root / "proc/833/cmdline").write_bytes(b"\0".join(command))
        (root / "proc/993/cmdline").write_bytes(b"gunicorn: master [" + b"".join(arguments) + b"]\0")
        (root / "var/log/shop/plain.log").write_bytes(logs)
        (root / "var/log/shop/plain-access.log").write_bytes(logs)
        (root / "etc/systemd/system/idle.service").write_bytes(
            b"[Service]\nExecStart=/bin/gunicorn " + b" ".join(arguments)
        )
        for pid, name in ((835, "stat"), (836, "status"), (1003, "smaps_rollup"), (1015, "cgroup"), (833, "net/unix")):
            (root / f"proc/{pid}/{name}").write_bytes(files)
        text = shown.decode("utf-8", "replace")
        for printed in (SHOWN, SHOWN.replace("shop", text), text):
            services_of(root, runner=Runner(lambda command, printed=printed: (0, printed, "")))


def test_this_machine() -> None:
    """No user that may run tests gets an error, whatever runs here."""
    result = inspection.read_all(None, 0.1, Runner(lambda command: (0, "", "")))
    assert result["host"]["name"] == os.uname().nodename
    json.dumps(result, allow_nan=False)
