# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running

SAID = {
    "pid": 100,
    "argv": ["/opt/shop/venv/bin/gunicorn", "--workers=2"],
    "prefix": "/opt/shop/venv",
    "gunicorn_version": "27.0.1",
    "configuration_sha256": "abc",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host on which master 100 has two workers that accept connections, and one of an earlier master is listed."""
    run = tmp_path / "run/gunicorn/shop"
    run.mkdir(parents=True)
    (run / "running.json").write_text(json.dumps(SAID))
    for pid, parent in {100: 1, 101: 100, 102: 100, 103: 99, 105: 100}.items():
        process = tmp_path / "proc" / str(pid)
        process.mkdir(parents=True)
        (process / "stat").write_text(f"{pid} (gunicorn: (worker)) S {parent} {parent} 1 0 -1 4194560 1\n")
    for pid in (101, 102, 103, 104):  # 104 is gone, 105 has not said that it is ready
        (run / f"worker-{pid}").touch()
    (tmp_path / "proc/100/environ").write_bytes(b"GUNICORN_CONFIGURATION=hash\0GUNICORN_SECRETS=other\0LISTEN_FDS=2\0")
    return tmp_path


def test_what_a_master_runs(root: Path) -> None:
    """Its own words, its environment, and those of its children that said that they work."""
    assert service_running.read("shop", 100, str(root)) == Running(
        pid=100,
        configuration="hash",
        secrets="other",
        argv=("/opt/shop/venv/bin/gunicorn", "--workers=2"),
        prefix="/opt/shop/venv",
        gunicorn_version="27.0.1",
        configuration_sha256="abc",
        workers=2,
        holds_sockets=True,
    )


def test_only_sockets_of_the_services_own_units_count(root: Path) -> None:
    """An administrator may have added a unit, and the launcher under supervisor gives no names."""
    assert service_running.read("shop", 100, str(root)).sockets == 0
    names = "shop.socket:shop.socket:shop-added-1a2b.socket:monitor.socket"
    (root / "proc/100/environ").write_bytes(b"LISTEN_FDS=4\0LISTEN_FDNAMES=" + names.encode() + b"\0")
    assert service_running.read("shop", 100, str(root)).sockets == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        json.dumps({**SAID, "pid": 99}),
        "\xff",
        "[" * 60000,
        json.dumps({**SAID, "argv": "x"}),
    ],
)
def test_what_is_no_word_of_this_master_does_not_count(root: Path, text: str) -> None:
    """The file may be another master's, or whatever the service's user wrote into it."""
    (root / "run/gunicorn/shop/running.json").write_text(text, encoding="latin-1")
    running = service_running.read("shop", 100, str(root))
    assert (running.argv, running.gunicorn_version) == ((), "")


def test_what_no_module_can_return_is_replaced(root: Path) -> None:
    """The next run finds that it differs, and puts it right."""
    said = {**SAID, "gunicorn_version": "\udcff", "argv": ["\ud800", {"\udcff": 1}]}
    (root / "run/gunicorn/shop/running.json").write_text(json.dumps(said))
    running = service_running.read("shop", 100, str(root))
    assert (running.gunicorn_version, running.argv[0]) == ("?", "?")
    json.dumps(running, ensure_ascii=False).encode()


def test_an_environment_that_is_not_utf8_is_not_the_wanted_one(root: Path) -> None:
    """The master can write over it. A module can return what is read, and the next run puts it right."""
    (root / "proc/100/environ").write_bytes(
        b"GUNICORN_CONFIGURATION=\xff\0GUNICORN_SECRETS=\xed\xa0\x80\0LISTEN_FDS=2\0"
    )
    running = service_running.read("shop", 100, str(root))
    assert running.configuration not in ("", "hash")
    json.dumps(running, ensure_ascii=False).encode()


def test_links_are_followed_where_they_are(root: Path) -> None:
    """The controller compares, and has other ones; what the service's user writes need not be a path."""
    (root / "opt").symlink_to(root / "srv")
    for prefix, real in ((f"{root}/opt/venv", f"{root}/srv/venv"), ("/opt\0", "")):
        (root / "run/gunicorn/shop/running.json").write_text(json.dumps({**SAID, "prefix": prefix}))
        assert service_running.read("shop", 100, str(root)).prefix == real


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path), os.mkdir])
def test_what_is_no_file_does_not_hold_it_up(root: Path, make: Callable) -> None:
    """A pipe that nobody writes to, a device that never ends."""
    said = root / "run/gunicorn/shop/running.json"
    said.unlink()
    make(said)
    assert service_running.read("shop", 100, str(root)).argv == ()


def test_a_service_that_says_nothing(tmp_path: Path) -> None:
    """One that was made by hand, or that is gone, is no error."""
    assert service_running.read("shop", 100, str(tmp_path)) == Running(100, "", "", (), "", "", "", 0, False)


class TestLostLogs:
    @pytest.fixture
    def log(self, root: Path) -> Path:
        """A log that master 100 has open, on a host where it sees all files."""
        (root / "var/log/shop").mkdir(parents=True)
        (root / "proc/100/fd").mkdir()
        (root / "proc/100/root").symlink_to(root)
        log = root / "var/log/shop/gunicorn.log"
        log.touch()
        return log

    def open(self, root: Path, number: int, shown: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the master have a file open, whose path the kernel shows in this way."""
        descriptor = root / f"proc/100/fd/{number}"
        descriptor.symlink_to(file)
        readlink = os.readlink
        monkeypatch.setattr(os, "readlink", lambda path: shown if str(path) == str(descriptor) else readlink(path))

    def lost(self, root: Path) -> dict[str, bool]:
        """What is lost of two logs."""
        return service_running.lost_logs(100, ["/var/log/shop/gunicorn.log", "/var/log/shop/access.log"], str(root))

    def test_one_that_is_open_is_not_lost(self, root: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor one that the master never opened, as with a logger of its own."""
        assert self.lost(root) == {}
        self.open(root, 5, "/var/log/shop/gunicorn.log", log, monkeypatch)
        self.open(root, 6, "socket:[7]", root / "socket", monkeypatch)
        assert self.lost(root) == {}

    def test_one_in_rotation_is_not_lost(self, root: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file has another name until the signal comes."""
        self.open(root, 5, "/var/log/shop/gunicorn.log.1", root / "other", monkeypatch)
        assert self.lost(root) == {}

    @pytest.mark.parametrize("shown", ["/var/log/shop/gunicorn.log (deleted)", "/gunicorn.log (deleted)"])
    @pytest.mark.parametrize("is_there", [True, False])
    def test_a_deleted_file_is_lost(
        self, root: Path, log: Path, monkeypatch: pytest.MonkeyPatch, shown: str, is_there: bool
    ) -> None:
        """As Linux shows it, also where its directory went, and whether another file is there or not."""
        (root / "deleted").touch()
        self.open(root, 5, shown, root / "deleted", monkeypatch)
        if not is_there:
            log.unlink()
        assert self.lost(root) == {"/var/log/shop/gunicorn.log": True}

    def test_a_directory_that_the_process_does_not_see_is_out_of_reach(
        self, root: Path, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A signal would end the master there; so it would in one that is read-only to it."""
        (root / "deleted").touch()
        self.open(root, 5, "/gunicorn.log (deleted)", root / "deleted", monkeypatch)
        with monkeypatch.context() as context:
            context.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
            assert self.lost(root) == {"/var/log/shop/gunicorn.log": False}
        (root / "proc/100/root").unlink()
        (root / "proc/100/root/var/log/shop").mkdir(parents=True)
        assert self.lost(root) == {"/var/log/shop/gunicorn.log": False}

    def test_a_master_that_is_gone_has_lost_nothing(self, root: Path) -> None:
        """There is nobody to reopen anything."""
        assert service_running.lost_logs(99, ["/var/log/shop/gunicorn.log"], str(root)) == {}
