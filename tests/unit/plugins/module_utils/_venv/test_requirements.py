# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest
from venvs import Host, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import requirements as venv_requirements


class TestGunicorn:
    @pytest.mark.parametrize(
        ("version", "requirement"),
        [
            ("newest", "gunicorn>=23.0.0"),
            ("27.0.1", "gunicorn>=23.0.0,==27.0.1"),
            (">= 25.3, < 28", "gunicorn>=23.0.0,>=25.3,<28"),
            ("==27.*", "gunicorn>=23.0.0,==27.*"),
        ],
    )
    def test_the_requirement(self, version: str, requirement: str) -> None:
        """The floor is always a part of it: older versions let requests be smuggled."""
        assert venv_requirements.gunicorn_requirement(version) == requirement


class TestRead:
    def test_a_file(self, venv: Path, tmp_path: Path, host: Host) -> None:
        """Files that it includes are found next to it."""
        (tmp_path / "base.txt").write_text("-r more/notes.txt\n")
        (tmp_path / "more").mkdir()
        (tmp_path / "more/notes.txt").write_text("notes\n")
        (tmp_path / "constraints.txt").write_text("notes<2\n")
        (tmp_path / "requirements.txt").write_text("# all\n-r base.txt  # the rest\n\n--constraint=constraints.txt\n")
        given = venv_requirements.read_requirements(str(tmp_path / "requirements.txt"))
        assert given == [f"-r {tmp_path}/base.txt", f"--constraint={tmp_path}/constraints.txt"]
        result = host.ensure(want(venv, requirements=given))
        assert "notes==1.0\n" in result["diff"]["after"]
        assert not host.ensure(want(venv, requirements=given))["changed"]

    @pytest.mark.parametrize(
        ("given", "lines"),
        [
            (None, []),
            ("", []),
            ([], []),
            (["Django~=5.2", " psycopg[binary] "], ["Django~=5.2", "psycopg[binary]"]),
            (["# no", "Django # the framework", "x\t# y", ""], ["Django", "x"]),
            (["notes @ https://example.com/n.whl#sha256=0"], ["notes @ https://example.com/n.whl#sha256=0"]),
        ],
    )
    def test_lines_of_a_list(self, given: list | str | None, lines: list[str]) -> None:
        """As pip reads them: a hash begins a comment only after white space."""
        assert venv_requirements.read_requirements(given) == lines

    @pytest.mark.parametrize(
        ("line", "whole"),
        [
            ("-r base.txt", "-r {0}/base.txt"),
            ("  -c ../c.txt", "-c {0}/../c.txt"),
            ("-rbase.txt", "-r{0}/base.txt"),
            ("--requirement base.txt", "--requirement {0}/base.txt"),
            ("--constraint=c.txt", "--constraint={0}/c.txt"),
            ("-r /proc/version", "-r /proc/version"),
            ("-r ${DIRECTORY}/base.txt", "-r ${DIRECTORY}/base.txt"),
            ("-r https://example.com/base.txt", "-r https://example.com/base.txt"),
            ("psycopg-c==3", "psycopg-c==3"),
            ("foo-r", "foo-r"),
            ("--require-hashes", "--require-hashes"),
            ("notes==1 \\", "notes==1 \\"),
        ],
    )
    def test_lines_of_a_file(self, tmp_path: Path, line: str, whole: str) -> None:
        """Only names of files become whole paths, since pip reads the lines from a file elsewhere."""
        folder = tmp_path / "project"
        folder.mkdir()
        for name in ("project/base.txt", "project/c.txt", "c.txt"):
            (tmp_path / name).touch()
        (folder / "r.txt").write_text(f"{line}\n", encoding="utf-8")
        assert venv_requirements.read_requirements(str(folder / "r.txt")) == [whole.replace("{0}", str(folder))]

    @pytest.mark.parametrize("given", [5, True, {"a": 1}, ["a", 5], [None], [["a"]]])
    def test_what_is_neither_is_refused(self, given: object) -> None:
        """Ansible can't check the type of an option that takes both."""
        with pytest.raises(InvalidValue) as caught:
            venv_requirements.read_requirements(given)
        assert str(caught.value).startswith(f"gunicorn_requirements: {given!r} can't be used: expected a list")

    @pytest.mark.parametrize(
        ("prepare", "reason"),
        [
            (lambda path: None, "No such file or directory"),
            (lambda path: path.mkdir(), "it is a directory and no regular file"),
            (lambda path: os.mkfifo(path), "it is a FIFO and no regular file"),
            (lambda path: path.symlink_to("/dev/zero"), "it is a device and no regular file"),
            (lambda path: path.write_bytes(b"#" * (1024 * 1024 + 1)), "it has more than 1048576 bytes"),
            (lambda path: path.write_bytes(b"\xe9\n"), "not UTF-8"),
        ],
    )
    def test_a_file_that_can_not_be_read(self, tmp_path: Path, prepare: Callable[[Path], object], reason: str) -> None:
        """The error names the file and says why, at once; so does that of a file that another one includes."""
        prepare(tmp_path / "r.txt")
        with pytest.raises(InvalidValue, match=f"gunicorn_requirements: '{tmp_path}/r.txt' .*{reason}"):
            venv_requirements.read_requirements(str(tmp_path / "r.txt"))
        (tmp_path / "base.txt").write_text("notes\n-c r.txt\n")
        for line in (f"-r {tmp_path}/base.txt", f"--requirement=file://{tmp_path}/base.txt"):
            with pytest.raises(InvalidValue) as caught:
                venv_requirements.read_requirements(["notes", line])
            said = f"'-c {tmp_path}/r.txt' can't be used: expected a file of the host ({tmp_path}/r.txt: {reason})"
            assert str(caught.value) == f"gunicorn_requirements: {said}"

    def test_files_without_an_end(self, tmp_path: Path) -> None:
        """Files that include each other are read once, and a chain of them ends."""
        (tmp_path / "r.txt").write_text("-r r.txt\n")
        assert venv_requirements.read_requirements(str(tmp_path / "r.txt")) == [f"-r {tmp_path}/r.txt"]
        for number in range(101):
            (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n")
        with pytest.raises(InvalidValue, match="expected at most 100 included files"):
            venv_requirements.read_requirements(str(tmp_path / "0.txt"))


def test_pip_gets_copies(tmp_path: Path) -> None:
    """It opens no file that others may have exchanged since the look; what is relative still is so to the original."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "base.txt").write_text("-c c.txt\n--find-links wheels\n--find-links=other\nnotes\n")
    (tmp_path / "c.txt").write_text("notes<2\n")
    (tmp_path / "to").mkdir()
    lines = ["packaging", f"-r {tmp_path}/base.txt", "-r https://example.com/r.txt"]
    assert venv_requirements.write_lines(str(tmp_path / "to"), "all.txt", lines) == f"{tmp_path}/to/all.txt"
    assert {path.name: path.read_text() for path in (tmp_path / "to").iterdir()} == {
        "all.txt": f"packaging\n-r {tmp_path}/to/included-0-all.txt\n-r https://example.com/r.txt\n",
        "included-0-all.txt": (
            f"-c {tmp_path}/to/included-1-all.txt\n--find-links {tmp_path}/wheels\n--find-links=other\nnotes\n"
        ),
        "included-1-all.txt": "notes<2\n",
    }


class TestStamp:
    def test_the_lines_that_were_installed_last(self, tmp_path: Path) -> None:
        """Any other line counts as not installed, and so does a stamp that is no text."""
        assert not venv_requirements.has_stamp(str(tmp_path), ["notes"])
        venv_requirements.write_stamp(str(tmp_path), ["notes"], {})
        assert venv_requirements.has_stamp(str(tmp_path), ["notes"])
        assert not venv_requirements.has_stamp(str(tmp_path), ["notes<2"])
        assert venv_requirements.has_stamp(str(tmp_path), [])
        (tmp_path / venv_requirements.STAMP).write_bytes(b"\xe9")
        assert not venv_requirements.has_stamp(str(tmp_path), ["notes"])

    def test_the_services_of_a_venv(self, venv: Path, host: Host) -> None:
        """Each is noted with what it wanted, the last one last, also in the venv that is built next."""
        for service, lines in (("a", ["notes"]), ("b", ["notes<2"]), ("a", ["notes<3"]), ("", ["notes"])):
            host.ensure(want(venv, service=service, requirements=lines))
        stamp = venv_requirements.read_stamp(str(venv))
        hashes = {name: want(venv, requirements=lines).hash for name, lines in (("b", ["notes<2"]), ("a", ["notes<3"]))}
        assert stamp.services == hashes
        assert list(stamp.services) == ["b", "a"]

    def test_what_others_wrote(self, tmp_path: Path) -> None:
        """Only what a stamp can say is taken from one."""
        (tmp_path / venv_requirements.STAMP).write_text(f"x\n../etc {'0' * 64}\na b\na {'0' * 64} c\nshop {'0' * 64}\n")
        assert venv_requirements.read_stamp(str(tmp_path)) == ("x", {"shop": "0" * 64})

    @pytest.mark.parametrize(
        ("noted", "owner"),
        [
            ({}, ""),
            ({"me": "1"}, ""),
            ({"me": "1", "you": "2"}, "you"),
            ({"you": "2"}, "you"),
            # Both want the same; or it is mine that is new.
            ({"me": "0", "you": "1"}, ""),
            ({"me": "0", "you": "2"}, ""),
            ({"you": "2", "me": "1"}, ""),
        ],
    )
    def test_whose_the_venv_is(self, noted: dict, owner: str) -> None:
        """A service that wants what it wanted before has to leave what another one has installed since."""
        assert venv_requirements.other_owner(venv_requirements.Stamp("", noted), "me", "1") == owner
        assert venv_requirements.other_owner(venv_requirements.Stamp("", noted), "", "1") == ""
