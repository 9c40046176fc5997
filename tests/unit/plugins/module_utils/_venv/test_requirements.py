# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Callable

import pytest
from venvs import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import requirements as venv_requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.asked import Asked
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Requirements


def ask(file: object = "", lines: tuple = (), arguments: tuple = (), **changes: str) -> Asked:
    """What somebody gives."""
    return Asked(list(lines), str(file), list(arguments), **{"version": "newest", "installer": "pip", **changes})


@pytest.fixture
def read(host: Host) -> Callable[..., Requirements]:
    """Read requirements with the pip of the tests' own Python."""

    def reading(file: object = "", lines: tuple = (), arguments: tuple = (), **changes: str) -> Requirements:
        found = venv_requirements.read(ask(file, lines, arguments, **changes), sys.executable, {}, Runner(host.run))
        assert found is not None
        return found

    return reading


class TestRead:
    def test_a_file_and_what_it_includes(self, tmp_path: Path, read: Callable) -> None:
        """Each file is read once, and noted with a hash of its content."""
        (tmp_path / "more").mkdir()
        files = {
            "base.txt": "-r more/notes.txt\n",
            "more/notes.txt": "notes\n-r ../base.txt\n",
            "constraints.txt": "notes<2\n",
            "requirements.txt": "# all\n-r base.txt  # the rest\n\n--constraint=constraints.txt\n",
        }
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        found = read(tmp_path / "requirements.txt")
        assert set(found.hashes) == {str(tmp_path / name) for name in files}
        assert [(item.name, item.is_constraint) for item in found.items] == [("notes", True), ("notes", False)]
        assert found.names("notes")
        assert not found.names("gunicorn")

    def test_files_of_arguments(self, tmp_path: Path, read: Callable) -> None:
        """What pip gets by its arguments counts as well; what it would refuse is left to it."""
        (tmp_path / "c.txt").write_text("notes<2\n")
        (tmp_path / "r.txt").write_text("notes\n")
        arguments = ("--no-index", "-c", "c.txt", f"--requirement={tmp_path}/r.txt", "-c", "https://example.com/c.txt")
        found = read(tmp_path / "r.txt", arguments=arguments)
        assert sorted(found.hashes) == [f"{tmp_path}/c.txt", f"{tmp_path}/r.txt"]
        assert list(read(lines=("notes",), arguments=("-c",)).lines) == [""]

    @pytest.mark.parametrize(
        ("prepare", "reason"),
        [
            (lambda path: None, "No such file or directory"),
            (lambda path: os.mkfifo(path), "it is a FIFO and no regular file"),
            (lambda path: path.symlink_to("/dev/zero"), "it is a device and no regular file"),
            (lambda path: path.write_bytes(b"#" * (1024 * 1024 + 1)), "it has more than 1048576 bytes"),
        ],
    )
    def test_a_file_that_can_not_be_read(
        self, tmp_path: Path, read: Callable, prepare: Callable[[Path], object], reason: str
    ) -> None:
        """The error names the file and says why, at once; so does that of a file that another one includes."""
        prepare(tmp_path / "r.txt")
        with pytest.raises(InvalidValue, match=f"gunicorn_requirements: '{tmp_path}/r.txt' .*{reason}"):
            read(tmp_path / "r.txt")
        (tmp_path / "base.txt").write_text("notes\n-c r.txt\n")
        with pytest.raises(InvalidValue) as caught:
            read(tmp_path / "base.txt")
        said = f"'{tmp_path}/base.txt' can't be used: expected a file of the host ({tmp_path}/r.txt: {reason})"
        assert str(caught.value) == f"gunicorn_requirements: {said}"

    def test_what_is_no_requirements_file(self, tmp_path: Path, read: Callable) -> None:
        """Also where one is included."""
        (tmp_path / "base.txt").write_text("-r uv.lock\n")
        for given in (
            {"file": tmp_path / "base.txt"},
            {"file": tmp_path},
            {"lines": (f"-r {tmp_path}/pyproject.toml",)},
        ):
            with pytest.raises(InvalidValue, match="expected a requirements file for pip; "):
                read(**given)

    def test_a_line_that_pip_does_not_take(self, tmp_path: Path, read: Callable) -> None:
        """The error has the line, the file, and pip's words, without a password."""
        (tmp_path / "r.txt").write_text("notes @@ https://u:harmless@example.com/\n")
        with pytest.raises(InvalidValue) as caught:
            read(tmp_path / "r.txt")
        start = (
            "gunicorn_requirements: 'notes @@ https://u:********@example.com/' can't be used: expected what pip reads"
        )
        assert str(caught.value).startswith(f"{start} in {tmp_path}/r.txt (Invalid requirement")
        assert "harmless" not in str(caught.value)

    def test_too_many_files(self, tmp_path: Path, read: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        """A chain of them ends."""
        monkeypatch.setattr(venv_requirements, "_FILES_MAX", 2)
        for number in range(4):
            (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n")
        with pytest.raises(InvalidValue, match="expected at most 2 included files"):
            read(tmp_path / "0.txt")

    @pytest.mark.parametrize("answer", ["", "[]", "{}", '{"pip": true}', "[" * 100000])
    def test_an_answer_that_is_none(self, answer: str) -> None:
        """It is an error that names the interpreter."""
        runner = Runner(lambda *_given, **_more: (0, answer, ""))
        with pytest.raises(
            VenvError, match="gunicorn_requirements: /python can't read them: it answers something else"
        ):
            venv_requirements.read(ask(lines=("notes",)), "/python", {}, runner)

    def test_variables(self, host: Host) -> None:
        """A line may name one that only what installs gets; an error does not show its value if that is a secret."""
        given = (ask(lines=("${FRUIT}==1.0",)), sys.executable, {}, Runner(host.run))
        found = venv_requirements.read(*given, environment={"FRUIT": "pear"})
        assert (found.items[0].name, found.items[0].line) == ("pear", "${FRUIT}==1.0")
        given = (ask(lines=("${FRUIT_TOKEN}!",)), *given[1:])
        with pytest.raises(InvalidValue, match="FRUIT_TOKEN") as caught:
            venv_requirements.read(*given, environment={"FRUIT_TOKEN": "harmless"})
        assert "harmless" not in str(caught.value)

    def test_variables_are_for_root_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another account, whose interpreter reads the requirements, does not see passwords."""
        seen = []

        def run(_runner: Runner, _command: list, _failure: str, data: str, _account: object) -> str:
            seen.append(json.loads(data)["environment"])
            return json.dumps({"pip": False, "missing": []})

        monkeypatch.setattr(venv_requirements.commands, "run", run)
        for account in (None, Account(1000, 1000, ())):
            given = (ask(lines=("notes",)), "/python", {}, Runner(run), account)
            venv_requirements.read(*given, environment={"TOKEN": "harmless"})
        assert seen == [{"TOKEN": "harmless"}, {"TOKEN": ""}]

    def test_without_a_pip(self) -> None:
        """Nobody can read them yet."""
        runner = Runner(lambda *_given, **_more: (0, json.dumps({"pip": False, "missing": []}), ""))
        assert venv_requirements.read(ask(lines=("notes",)), "/python", {}, runner) is None


class TestLocks:
    LOCK = "notes==1.0 --hash=sha256:00\ngunicorn==26.0.0 --hash=sha256:00\n"

    def test_hashes(self, tmp_path: Path, read: Callable) -> None:
        """Hashes of an included file count for all, as with pip also those of constraints."""
        (tmp_path / "lock.txt").write_text(self.LOCK)
        (tmp_path / "r.txt").write_text("-r lock.txt\n")
        assert read(tmp_path / "r.txt").requires_hashes
        (tmp_path / "r.txt").write_text("-c lock.txt\nnotes\n")
        assert read(tmp_path / "r.txt").requires_hashes
        (tmp_path / "r.txt").write_text("notes==1.0\n")
        assert not read(tmp_path / "r.txt").requires_hashes
        assert read(lines=("--require-hashes", "notes==1.0")).requires_hashes

    def test_another_gunicorn_than_the_wanted_one(self, tmp_path: Path, read: Callable) -> None:
        """Neither is overruled; the error names both."""
        (tmp_path / "lock.txt").write_text(self.LOCK)
        assert read(tmp_path / "lock.txt", version=">=26,<27").names("gunicorn")
        with pytest.raises(InvalidValue) as caught:
            read(tmp_path / "lock.txt", version="27.0.1")
        said = f"'27.0.1' can't be used: expected what gunicorn_requirements pin in {tmp_path}/lock.txt, which is"
        assert str(caught.value) == f"gunicorn_version: {said} gunicorn==26.0.0"

    @pytest.mark.parametrize("version", ["newest", "27.0.1"])
    def test_a_gunicorn_below_the_floor(self, tmp_path: Path, read: Callable, version: str) -> None:
        """No lock makes it safe."""
        (tmp_path / "c.txt").write_text("gunicorn==22.0.0\n")
        with pytest.raises(
            InvalidValue, match=r"gunicorn_requirements: 'gunicorn==22.0.0' .* Gunicorn 23.0.0 or newer"
        ):
            read(lines=("notes", f"-c {tmp_path}/c.txt"), version=version)


class TestHash:
    def test_it_is_over_the_lines(self, tmp_path: Path, read: Callable) -> None:
        """A comment and a password don't count; another line, and another place of it, does."""
        file = tmp_path / "r.txt"
        texts = [
            "a @ https://u:one@h/\nb\n",
            "# x\na @ https://u:two@h/ # y\n\nb\n",
            "a @ https://u:one@h/\n",
            "b\n-c c.txt\n",
        ]
        (tmp_path / "c.txt").write_text("a @ https://u:one@h/\n")
        hashes = [read(file).hash for text in texts if file.write_text(text)]
        assert len(set(hashes)) == 3
        assert hashes[0] == hashes[1]


def test_pip_gets_copies(tmp_path: Path, read: Callable) -> None:
    """It opens no file that others may have exchanged since the look; what is relative still is so to the original."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "base.txt").write_text("-c c.txt\n# ours\n--find-links wheels\nnotes @ https://u:word@example.com/\n")
    (tmp_path / "c.txt").write_text("notes<2\n", encoding="utf-16")
    folder = tmp_path / "to"
    folder.mkdir()
    asked = ask(lines=("packaging", f"-r {tmp_path}/base.txt", "-r https://example.com/r.txt"))
    found = read(lines=tuple(asked.lines))
    path = venv_requirements.write_copies(str(folder), asked, found, lambda line: line.replace("u:word@", ""))
    assert path == f"{folder}/0-list"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "0-list": f"packaging\n--requirement {folder}/1-base.txt\n-r https://example.com/r.txt\n",
        "1-base.txt": (
            f"--constraint {folder}/2-c.txt\n\n--find-links {tmp_path}/wheels\nnotes @ https://example.com/\n"
        ),
        "2-c.txt": "notes<2\n",
    }
    said = f"(from -r {folder}/1-base.txt (line 4)) (from -r {folder}/0-list (line 1))"
    named = f"(from -r {tmp_path}/base.txt (line 4)) (from -r gunicorn_requirements (line 1))"
    assert venv_requirements.with_names(said, str(folder), found) == named


def test_the_name_of_a_copy(tmp_path: Path, read: Callable) -> None:
    """pip reads it in a line of requirements, where a space would end it."""
    name = f"base {'é' * 120}.txt"
    (tmp_path / name).write_text("notes\n")
    (tmp_path / "r.txt").write_text(f'-r "{name}"\n')
    folder = tmp_path / "to"
    folder.mkdir()
    path = Path(venv_requirements.write_copies(str(folder), ask(tmp_path / "r.txt"), read(tmp_path / "r.txt")))
    option, copy = path.read_text().split()
    assert (option, Path(copy).read_text()) == ("--requirement", "notes\n")


def test_copies_of_the_options(tmp_path: Path, read: Callable) -> None:
    """A run without the requirements has the options beside them, but asks for no hashes."""
    (tmp_path / "r.txt").write_text("--require-hashes\n--pre\n-r base.txt\nnotes\n")
    (tmp_path / "base.txt").write_text("notes\n--index-url https://example.com/\n")
    folder = tmp_path / "to"
    folder.mkdir()
    found = read(tmp_path / "r.txt")
    venv_requirements.write_copies(str(folder), ask(tmp_path / "r.txt"), found, options_only=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "0-r.txt": f"\n--pre\n--requirement {folder}/1-base.txt\n\n",
        "1-base.txt": "\n--index-url https://example.com/\n",
    }
