# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.processes import Pages

SERVICES = str(Path(__file__).parents[4] / "fixtures" / "services")
WORKER = 835
KIB = 1024


class TestCapturedProcess:
    def test_arguments(self) -> None:
        """The command line, argument by argument, also one with blanks and quotes."""
        arguments = processes.read_arguments(WORKER, SERVICES)
        assert arguments[0].endswith("/bin/python")
        assert arguments[-1] == "shop.wsgi:application"
        assert '--access-logformat=%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s' in arguments

    def test_all_command_lines(self) -> None:
        """Of each process that shows one."""
        assert {pid for pid, _arguments in processes.read_command_lines(SERVICES)} == {833, 835, 836, 993, 1003, 1015}

    def test_the_command_lines_with_a_word(self) -> None:
        """Anywhere in them."""
        assert {pid for pid, _arguments in processes.read_command_lines(SERVICES, "plain.wsgi")} < {833, 835, 836}
        assert dict(processes.read_command_lines(SERVICES, "gunicorn")) == dict(processes.read_command_lines(SERVICES))
        assert list(processes.read_command_lines(SERVICES, "nginx")) == []

    def test_what_the_kernel_counts(self) -> None:
        """Parent, CPU time, and start."""
        stat = processes.read_stat(WORKER, SERVICES)
        assert stat is not None
        assert stat.parent == 833
        assert 0.1 < stat.cpu_seconds < 5
        assert stat.started > 20000

    def test_sizes(self) -> None:
        """RSS as the kernel says, in bytes; the peak is not below it."""
        sizes = processes.read_sizes(WORKER, SERVICES)
        text = Path(SERVICES, f"proc/{WORKER}/status").read_text(encoding="utf-8")
        assert sizes is not None
        assert f"VmRSS:\t   {sizes.rss // KIB} kB" in text
        assert sizes.peak_rss is not None
        assert sizes.peak_rss >= sizes.rss
        assert (sizes.swap, sizes.threads) == (0, 1)

    def test_pages(self) -> None:
        """Private and shared pages add up to RSS, and PSS is between private pages and RSS."""
        pages = processes.read_pages(WORKER, SERVICES)
        text = Path(SERVICES, f"proc/{WORKER}/smaps_rollup").read_text(encoding="utf-8")
        rss = int(text.split("Rss:")[1].split()[0]) * KIB
        assert pages is not None
        assert pages.private + pages.shared == rss
        assert pages.private <= pages.pss <= rss
        assert pages.anonymous <= rss
        assert pages.pss_file is not None
        assert pages.pss_file < pages.pss

    def test_scheduling(self) -> None:
        """How long its threads ran, and queued."""
        scheduling = processes.read_scheduling(WORKER, SERVICES)
        assert 0.1 < scheduling.ran < 5
        assert scheduling.queued > 0


class TestGone:
    """A process that ends while it is read counts as gone."""

    def test_nothing_is_left_of_it(self, tmp_path: Path) -> None:
        root = str(tmp_path)
        assert processes.read_arguments(7, root) == ()
        assert processes.read_stat(7, root) is None
        assert processes.read_sizes(7, root) is None
        assert processes.read_pages(7, root) is None
        assert processes.read_interpreter(7, root) is None
        assert processes.read_scheduling(7, root) == (0.0, 0.0)
        assert list(processes.read_command_lines(root)) == []

    def test_a_real_one(self) -> None:
        """One of this machine, first as a zombie, then after its parent has waited for it."""
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert processes.read_stat(pid) is not None
        assert (processes.read_arguments(pid), processes.read_sizes(pid), processes.read_pages(pid)) == (
            (),
            None,
            None,
        )
        os.waitpid(pid, 0)
        assert processes.read_stat(pid) is None


class TestHostileProcess:
    @pytest.mark.parametrize(
        ("text", "arguments"),
        [
            (b"", ()),
            (b"\0\0", ()),
            (b"a\0\0b\0", ("a", "", "b")),
            (b"gunicorn: master [shop]\0\0\0\0", ("gunicorn: master [shop]",)),
            (b"\xff\xfe\x1b[31m\0\n\0", ("\ufffd\ufffd\x1b[31m", "\n")),
        ],
    )
    def test_command_lines(self, text: bytes, arguments: tuple[str, ...]) -> None:
        """They are what the process wrote there."""
        assert processes.parse_arguments(text) == arguments

    def test_a_long_command_line_is_cut(self, tmp_path: Path) -> None:
        """The kernel allows megabytes."""
        (tmp_path / "proc/7").mkdir(parents=True)
        (tmp_path / "proc/7/cmdline").write_bytes(b"x" * 10_000_000)
        assert len(processes.read_arguments(7, str(tmp_path))[0]) == 1 << 16

    def test_a_name_of_brackets_and_numbers(self) -> None:
        """A process may name itself so that what follows looks like fields."""
        stat = processes.parse_stat("7 (a) S 1 2 3) S 42 " + " ".join(str(number) for number in range(5, 30)))
        assert stat is not None
        assert stat.parent == 42

    @given(st.text())
    def test_no_text_stops_the_parsers(self, text: str) -> None:
        """Whatever a file says, its parser returns."""
        for parse in (processes.parse_stat, processes.parse_status, processes.parse_rollup):
            parse(text)

    @given(st.binary())
    def test_no_bytes_stop_them(self, text: bytes) -> None:
        """What comes out is text that can be written as UTF-8."""
        "".join(processes.parse_arguments(text)).encode()


class TestReadEnvironment:
    def test_a_captured_process(self, tmp_path: Path) -> None:
        """NUL separates the items; values keep their equals signs, newlines and broken bytes."""
        (tmp_path / "proc/42").mkdir(parents=True)
        (tmp_path / "proc/42/environ").write_bytes(b"A=1\0B=x=y\nz\0C=\0BROKEN\0D=\xff\0")
        assert processes.read_environment(42, str(tmp_path)) == {"A": "1", "B": "x=y\nz", "C": "", "D": "\ufffd"}

    def test_a_real_process(self) -> None:
        """It is what the process was started with."""
        command = [sys.executable, "-c", "print('here', flush=True); input()"]
        environment, pipe = {"GUNICORN_SECRETS": "abc"}, subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe) as process:
            assert process.stdout.readline() == b"here\n"  # the kernel shows it a moment after the start
            assert processes.read_environment(process.pid)["GUNICORN_SECRETS"] == "abc"
            process.communicate(b"\n")

    def test_a_process_that_is_gone(self, tmp_path: Path) -> None:
        """It may end between two readings, which is no error."""
        assert processes.read_environment(42, str(tmp_path)) == {}


def test_an_older_kernel_tells_less_of_the_pages() -> None:
    """What it does not tell is not known, and no zero."""
    pages = processes.parse_rollup("Rss: 10 kB\nPss: 6 kB\nPrivate_Dirty: 4 kB\nShared_Clean: 6 kB\nAnonymous: 4 kB\n")
    assert pages == Pages(6 * KIB, 4 * KIB, 6 * KIB, 4 * KIB, None, None)


def test_when_this_process_was_started() -> None:
    """The boot time and the start since then make a time that is a moment ago."""
    stat = processes.read_stat(os.getpid())
    assert stat is not None
    created = os.stat(f"/proc/{os.getpid()}").st_ctime
    assert abs(processes.boot_time() + stat.started - created) < 5


def test_parent_of_a_process() -> None:
    """Read from the kernel; 0 where the process is gone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert processes.parent_of(child.pid) == os.getpid()
        assert child.pid in processes.children_of(os.getpid())
        assert child.pid in processes.descendants_of(os.getppid())
        assert {os.getpid(), os.getppid()} <= processes.ancestors_of(child.pid)
        assert not {1, child.pid} & processes.ancestors_of(child.pid)
    assert processes.parent_of(child.pid) == 0


@pytest.mark.parametrize(("text", "parent"), [("7 (a) S 1 2) (b)) S 42 7", 42), ("7 (a) S x", 0), ("7 (a)", 0)])
def test_parent_of_a_hostile_process(tmp_path: Path, text: str, parent: int) -> None:
    """Its name does not count, and a file that is no such file has no parent."""
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/stat").write_text(text, encoding="utf-8")
    assert processes.parent_of(7, str(tmp_path)) == parent
    assert processes.children_of(42, str(tmp_path)) == ({7} if parent == 42 else set())
