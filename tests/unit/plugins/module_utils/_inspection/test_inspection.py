# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import builtins
import collections
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import inspection
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

FIXTURES = Path(__file__).parents[4] / "fixtures"
SHOWN = (FIXTURES / "services/systemctl-show.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["plain", "plain.service"])
def test_one_by_its_name(captured_host: Path, services_of: Callable[..., dict], name: str) -> None:
    """With or without its suffix."""
    assert list(services_of(captured_host, name)) == ["plain"]


@pytest.mark.parametrize("name", ["shop", "", "pla", "ssh.service"])
def test_a_name_that_is_none(captured_host: Path, services_of: Callable[..., dict], name: str) -> None:
    """The error says which there are."""
    with pytest.raises(InvalidValue, match="idle, jrn, plain"):
        services_of(captured_host, name)


@pytest.mark.parametrize("sample", [0.0, 0.09, 61.0, float("nan"), float("inf"), -1.0])
def test_a_sample_that_can_not_be_taken(sample: float) -> None:
    """Named in one error."""
    with pytest.raises(InvalidValue, match="sample: .* seconds from 0.1 to 60"):
        inspection.check_sample(sample)


def test_of_other_processes_only_the_command_is_read(
    captured_host: Path, services_of: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: on a host with many processes, each further file of theirs would be most of the cost."""
    others = range(5000, 5200)
    for pid in others:
        (captured_host / f"proc/{pid}").mkdir()
        for name in ("cmdline", "stat", "status", "cgroup"):
            (captured_host / f"proc/{pid}/{name}").write_text("postgres: writer", encoding="utf-8")
    paths: list[str] = []
    really = builtins.open
    monkeypatch.setattr(builtins, "open", lambda file, *rest, **more: paths.append(file) or really(file, *rest, **more))
    assert list(services_of(captured_host)) == ["idle", "jrn", "plain"]
    counts = collections.Counter(str(path) for path in paths)
    assert {path: number for path, number in counts.items() if re.search("/proc/5[0-9]{3}/", path)} == {
        f"{captured_host}/proc/{pid}/cmdline": 1 for pid in others
    }
    # Where the cgroups are: for the host, for the slice of the stopped service, and for the master and the sandbox of two
    assert counts[f"{captured_host}/proc/self/mountinfo"] <= 1 + 1 + 2 * 2


def test_only_what_reads_a_host_is_imported() -> None:
    """What a module imports on a host is compiled there, in every run."""
    program = f"import json, sys, {inspection.__name__}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    rooms = "ansible_collections.pyweb.gunicorn.plugins.module_utils."
    imported = {name[len(rooms) :] for name in json.loads(done.stdout) if name.startswith(rooms)}
    assert "_inspection.services" in imported
    left_out = {"_service.companion", "_service.companion_units", "_service.companion_programs", "_supervisor.client"}
    assert not imported & left_out
    assert not [name for name in imported if name.startswith(("_atomic.", "_sizing.", "_venv.", "_release."))]


HOSTILE = (
    st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "replace")) | st.just(b"\xff\0" * 50)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=st.lists(HOSTILE, max_size=6), logs=HOSTILE, shown=HOSTILE, files=HOSTILE)
def test_nothing_of_a_service_stops_it(
    captured_host: Path,
    services_of: Callable[..., dict],
    arguments: list[bytes],
    logs: bytes,
    shown: bytes,
    files: bytes,
) -> None:
    """Command lines, logs, unit files and what is printed may be anything; what comes back is plain JSON."""
    command = [b"/usr/bin/python3", b"/usr/bin/gunicorn", *arguments]
    (captured_host / "proc/833/cmdline").write_bytes(b"\0".join(command))
    (captured_host / "proc/993/cmdline").write_bytes(b"gunicorn: master [" + b"".join(arguments) + b"]\0")
    (captured_host / "var/log/shop/plain.log").write_bytes(logs)
    (captured_host / "var/log/shop/plain-access.log").write_bytes(logs)
    (captured_host / "etc/systemd/system/idle.service").write_bytes(
        b"[Service]\nExecStart=/bin/gunicorn " + b" ".join(arguments)
    )
    for pid, name in ((835, "stat"), (836, "status"), (1003, "smaps_rollup"), (1015, "cgroup"), (833, "net/unix")):
        (captured_host / f"proc/{pid}/{name}").write_bytes(files)
    text = shown.decode("utf-8", "replace")
    for printed in (SHOWN, SHOWN.replace("shop", text), text):
        services_of(captured_host, shown=printed, journal=printed)


def test_this_machine() -> None:
    """No user that may run tests gets an error, whatever runs here."""
    result = inspection.read_all(None, 0.1, Runner(lambda command: (0, "", "")))
    assert result["host"]["name"] == os.uname().nodename
    json.dumps(result, allow_nan=False)
