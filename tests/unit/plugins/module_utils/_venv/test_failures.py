# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import failures

# What pip and uv really said, shortened, on Debian 12 (pip 23.0.1), Debian 13 (pip 25.1.1) and others.
SAID = Path(__file__).resolve().parents[4] / "fixtures" / "failed_installs"
C = "build-essential python3-dev, on Debian and Ubuntu."
NOT_THERE = "The package index has nothing of this name for this Python, or it does not answer, or it wants a login."
UNREACHABLE = "The package index, or another server, can't be reached from the host."


def reason(text: str) -> str:
    output, _marker, errors = text.partition("--- stderr\n")
    return failures.reason_in(output, errors)


@pytest.mark.parametrize(
    ("name", "said", "advice"),
    [
        ("pip-23.0.1/psycopg2", "Error: pg_config executable not found", "program pg_config to build psycopg2 "),
        ("pip-23.0.1/mysqlclient", "Can not find valid pkg-config name", "program pkg-config to build mysqlclient "),
        (
            "pip-23.0.1/git",
            "Cannot find command 'git'",
            "lacks the program git: apt install git, on Debian and Ubuntu.",
        ),
        ("pip-23.0.1/python-ldap", "fatal error: Python.h", "header Python.h to build python-ldap "),
        ("pip-23.0.1/pycairo", "Dependency lookup for cairo", "program pkg-config to build pycairo "),
        ("pip-23.0.1/pillow", "RequiredDependencyException: zlib", "library zlib to build pillow "),
        ("pip-23.0.1/uwsgi", "uwsgi_python.h:4:10: fatal error: Python.h", f"uwsgi from its source: apt install {C}"),
        ("pip-23.0.1/gdal", "'gdal-config'", f"apt install libgdal-dev {C}"),
        ("pip-23.0.1/no-such-version", "django==99.0 (from versions: ..., ", "Some versions need another Python"),
        ("pip-23.0.1/hashes-unpinned", "These do not: idna>=3 from https://files.example.org", ""),
        ("pip-23.0.1/python-ldap-headers", "fatal error: lber.h", f"apt install libldap2-dev libsasl2-dev {C}"),
        ("pip-25.1.1/pyodbc-headers", "fatal error: sql.h", "lacks the header sql.h to build pyodbc "),
        ("pip-25.1.1/cffi", "'x86_64-linux-gnu-gcc'", f"a C compiler to build cffi .*apt install libffi-dev {C}"),
        ("pip-25.1.1/pyodbc", "'x86_64-linux-gnu-g++'", f"apt install unixodbc-dev {C}"),
        ("pip-25.1.1/cryptography", "ConnectError", "a Rust compiler to build cryptography .*apt install cargo "),
        ("pip-25.1.1/bcrypt", "can't find Rust compiler", f"a Rust compiler to build bcrypt .*apt install cargo {C}"),
        ("pip-25.1.1/pynacl", "'make' utility is missing", "program make to build pynacl .*libsodium-dev"),
        ("pip-25.1.1/old-source", "No module named 'distutils.msvccompiler'", "the source is too old for it"),
        ("pip-25.1.1/no-such-package", "No matching distribution found for nosuch", NOT_THERE),
        ("pip-25.1.1/wheel", "cp27-cp27m-win32.whl", "There is no wheel for this Python on this platform."),
        ("pip-25.1.1/conflict", "by: The user requested django==5.2 wagtail 2.0 depends on Django<2.1 and >=1.11", ""),
        ("pip-26.3/hashes-missing", "has a hash.) idna==3.10 --hash=sha256:946d195a", ""),
        (
            "pip-26.3/hash-wrong",
            "Expected sha256 0021f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 Got",
            "",
        ),
        (
            "pip-26.3/other-python",
            "'needsnew' requires a different Python: 3.11.7",
            "needs another Python than 3.11.7,",
        ),
        ("pip-26.3/unreachable", "No matching distribution found for six", UNREACHABLE),
        ("pip-26.3/no-directory", "It looks like a path. File './nonexistent' does not exist.", ""),
        ("pip-26.3/git-unreachable", "fatal: unable to access 'https://127.0.0.1:9/x.git/'", UNREACHABLE),
        ("uv-0.13.9/psycopg2", "Failed to build `psycopg2==2.9", f"to build psycopg2 .*apt install libpq-dev {C}"),
        ("uv-0.13.9/git", "Git executable not found", "program git: apt install git, on Debian and Ubuntu."),
        ("uv-0.13.9/cffi", "'x86_64-linux-gnu-gcc'", f"a C compiler to build cffi .*apt install libffi-dev {C}"),
        (
            "uv-0.13.9/other-python",
            "cannot be used. And because you require django==6.0.1",
            "another Python than 3.11.7",
        ),
        ("uv-0.13.9/conflict", "wagtail==2.0 depends on django>=1.11,<2.1 and you require django==4.2", ""),
        ("uv-0.13.9/unreachable", "cause: failed to lookup address information", UNREACHABLE),
        ("uv-0.13.9/hashes-missing", "none were provided for: idna==3.10", ""),
        ("uv-0.13.9/hash-wrong", "Hash mismatch for `six==1.17.0`", ""),
    ],
)
def test_what_was_really_said(name: str, said: str, advice: str) -> None:
    """The names and the reason are in one line, with what to do where that is known."""
    line = reason((SAID / f"{name}.txt").read_text())
    assert said in line
    assert re.search(advice, line)
    if not advice:
        assert "The host" not in line
        assert "The package" not in line
    assert "\n" not in line
    assert "Traceback" not in line


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("x.h:1: fatal error: lber.h: No such file or directory", "apt install libldap2-dev libsasl2-dev, on Debian"),
        ("x.h:1: fatal error: libpq-fe.h: No such file or directory", "apt install libpq-dev, on Debian"),
        ("x.h:1: fatal error: own/thing.h: No such file or directory", "The host lacks the header own/thing.h."),
        ("x.c:1: fatal error: longintrepr.h: No such file or directory", "the source is too old for it"),
        ("/usr/bin/ld: cannot find -lssl: No such file or directory", "lacks the library ssl: apt install libssl-dev,"),
        ("/usr/bin/ld: cannot find -lz", "The host lacks the library z: apt install zlib1g-dev,"),
        ("No package 'libsystemd' found", "apt install libsystemd-dev,"),
        ('../meson.build:9: ERROR: Dependency "openblas" not found, tried pkgconfig', "apt install libopenblas-dev,"),
        (
            "configure: error: no acceptable C compiler found in $PATH",
            "The host lacks a C compiler: apt install build-",
        ),
        ("CMake Error at a.cmake:48 (message): Could not find the compiler specified", "The host lacks a C compiler: "),
        ("setup.py: ERROR: Could not find C compiler", "The host lacks a C compiler: "),
        ("/bin/sh: 1: mysql_config: not found", "apt install default-libmysqlclient-dev,"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "A disk is full: "),
        (
            "WARNING: ... certificate verify failed: self-signed certificate",
            "does not trust the server's certificate: ",
        ),
        (
            "ERROR: HTTP error 401 while getting; 401 Client Error: Unauthorized for url",
            "The server wants another login.",
        ),
        ("gcc: fatal error: Killed signal terminated program cc1", "Something was killed, as where memory is short."),
        ("error: package `a` cannot be built because it requires rustc 1.83 or newer", "Rust compiler is too old."),
    ],
)
def test_other_reasons(line: str, advice: str) -> None:
    """Those that no project here fails with."""
    assert advice in failures.reason_in("", f"{line}\n")


class TestLines:
    def test_all_names_belong_to_an_error(self) -> None:
        """Also of a long list, whose end is cut and counted."""
        names = "".join(f"    p{number}>=1 from -r f\n" for number in range(25))
        line = failures.reason_in("", f"ERROR: These do not:\n{names}\nother\n")
        assert line.startswith("ERROR: These do not: p0>=1 from -r f p1>=1 from -r f ")
        assert line.endswith(" p19>=1 from -r f and 5 more")

    def test_nothing_of_a_terminal(self) -> None:
        """Neither its codes nor what is endless."""
        line = failures.reason_in("", "ERROR: \x1b[31mred\x1b[0m \x07" + "x" * 9999)
        assert line.startswith("ERROR: red ?xxx")
        assert line.endswith("... (cut)")
        assert len(line) < 800

    def test_the_last_ones(self) -> None:
        """pip says the most important at the end, and says some things twice."""
        lines = "".join(f"ERROR: {number}\n" for number in [*range(9), 8])
        assert failures.reason_in(lines, "") == " | ".join(f"ERROR: {number}" for number in range(3, 9))

    def test_the_last_lines_of_a_build(self) -> None:
        """Where nothing in them is known to tell something."""
        text = "  error: subprocess-exited-with-error\n  ╰─> [1 lines of output]\n      set X\n      [end of output]\n"
        line = failures.reason_in("", f"{text}error: subprocess-exited-with-error\n× It did not run.\n")
        assert line == "set X"

    def test_nothing_that_tells(self) -> None:
        """The last lines stand for it."""
        assert failures.reason_in("a\nb\n", "") == "a | b"
