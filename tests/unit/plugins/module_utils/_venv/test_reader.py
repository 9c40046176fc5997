# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import inspect
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import reader

VERSIONS = {"django": "5.2.1", "gunicorn": "27.0.1", "zope-interface": "7.0"}


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Read one file in a folder that has a package, a wheel and a folder of wheels."""
    make_folder(tmp_path)
    monkeypatch.chdir(tmp_path)

    def asked(text: str | bytes, name: str = "", constraint: bool = False) -> dict:
        return reader.answer(make_request(tmp_path, text, name, constraint))

    return asked


def make_folder(folder: Path) -> None:
    """A folder with what requirements name."""
    for path in ("shop", "wheels", "more/wheels"):
        (folder / path).mkdir(parents=True)
    (folder / "shop/pyproject.toml").touch()
    (folder / "wheels/notes-1.0-py3-none-any.whl").touch()


def make_request(folder: Path, text: str | bytes, name: str = "", constraint: bool = False) -> dict:
    """What the module asks."""
    name = name or f"{folder}/r.txt"
    content = base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()
    return {
        "folder": str(folder),
        "roots": [[name, constraint]],
        "texts": {name: content},
        "environment": {},
        "versions": VERSIONS,
        "own": {"gunicorn": [">=23.0.0", "==27.0.1"]},
    }


def lines_of(answer: dict) -> list[dict]:
    """The lines of the only text."""
    assert (answer["pip"], answer["problem"]) == (True, [])
    ((_name, _constraint, lines),) = answer["files"]
    return lines


class TestLines:
    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            (b"Django~=5.2\r\nnotes  # a comment\r\n", ["Django~=5.2", "notes"]),
            ("# ünïcode\nx\t# y\n\n  \n", ["x"]),
            (b"\xef\xbb\xbfDjango\n", ["Django"]),
            ("Django\n".encode("utf-16"), ["Django"]),
            ("# -*- coding: latin-1 -*-\n# \xe9\nDjango\n".encode("latin-1"), ["Django"]),
            ("notes==1 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\n", None),
            ("notes @ https://example.com/n.whl#sha256=00\n", ["notes @ https://example.com/n.whl#sha256=00"]),
            ("x ; python_version >= '3'\n", ["x ; python_version >= '3'"]),
            ("", []),
        ],
    )
    def test_text(self, ask: Callable, text: str | bytes, lines: list[str] | None) -> None:
        """Encodings, ends of lines, comments and continued lines are pip's to know."""
        found = [line["text"] for line in lines_of(ask(text))]
        if lines is None:
            assert [" ".join(line.split()) for line in found] == ["notes==1 --hash=sha256:00 --hash=sha256:11"]
        else:
            assert found == lines

    def test_a_variable_is_not_expanded_in_what_is_installed(
        self, ask: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """pip does that itself: the value may be a secret."""
        monkeypatch.setenv("TOKEN", "harmless")
        (line,) = lines_of(ask("notes @ https://${TOKEN}@example.com/n.zip\n"))
        assert line["text"] == "notes @ https://${TOKEN}@example.com/n.zip"

    @pytest.mark.parametrize("line", ["notes==${VERSION}", "${NAME}", "-r ${DIRECTORY}/r.txt", "-e ${DIRECTORY}"])
    def test_a_variable_that_only_what_installs_knows(self, tmp_path: Path, line: str) -> None:
        """The plan does not see its value: such a line is neither judged nor refused."""
        names = dict.fromkeys(("VERSION", "NAME", "DIRECTORY"), "")
        (found,) = lines_of(reader.answer({**make_request(tmp_path, line), "environment": names}))
        assert (found["text"], found["include"], found["requirement"]) == (line, "", None)

    def test_a_list(self, tmp_path: Path) -> None:
        """It is read as a file with these lines."""
        lines = ["Django", "# no", " x \\", "==1"]
        request = {**make_request(tmp_path, ""), "roots": [["", False]], "texts": {"": lines}}
        assert [line["text"] for line in lines_of(reader.answer(request))] == ["Django", "x ==1"]


blanks = st.sampled_from(("", "", "", " ", "\t", "\u00a0", "\x1f"))
clauses = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(("==", "~=", "!=", "<=", ">=", "<", ">")),
        blanks,
        st.sampled_from(("1", "5.2.1", "2.*", "1.0+a", "1!2", "1-", "-1", "*", "1.zip", "one")),
        blanks,
    ),
)
nearly_plain = st.builds(
    "".join,
    st.tuples(
        blanks,
        st.sampled_from(("Django", "zope.interface", "gunicorn", "a-b", "notes.zip", "notes.tgz", "1")),
        blanks,
        st.sampled_from(("", "", "[a]", "[a, b-c]", "[]", "[,]", "[a,]", "[-a]", "[a -b]")),
        blanks,
        st.lists(clauses, max_size=2).map(",".join),
        st.sampled_from(("", "", " # why", "#why", " ;", " -r")),
    ),
)


class TestPlain:
    """What means the same to everybody is read without all of pip, and must be read as pip reads it."""

    @pytest.mark.parametrize(
        "text",
        [
            "Django\n",
            "Django~=5.2\nGUNICORN >= 23 , != 24.*\nzope.interface<8  # a comment\n\n  # another\n",
            "uvicorn[standard, http2]>=0.30\nnotes == 1.0\nnotes<=2.0.0,>1!0\n",
            "a\nA_b.-c9==1.0rc1\n",
            ["Django~=5.2", "", "# none", "gunicorn==27.0.1\nnotes"],
            "gunicorn==22.0.0\ngunicorn==28\n",
            "Django==4.2\r\ndjango!=5.2.1\fnotes\vmore\n",
        ],
    )
    @pytest.mark.parametrize("constraint", [False, True])
    def test_as_pip_reads_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | list, constraint: bool
    ) -> None:
        """Name, versions, and whether what is installed meets them."""
        request = make_request(tmp_path, "" if isinstance(text, list) else text, "", constraint)
        name = request["roots"][0][0]
        if isinstance(text, list):
            request["texts"][name] = text
        assert reader.plain_lines(request["texts"][name])
        alone = reader.answer(request)
        monkeypatch.setattr(reader, "plain_lines", lambda _content: [])
        assert alone == reader.answer(request)
        assert lines_of(alone)

    @pytest.mark.parametrize(
        "line",
        [
            "-r base.txt",
            "--no-index",
            "./shop",
            "shop/",
            ".",
            "notes.zip",
            "notes==1.0.tar.gz",
            "notes-1.0-py3-none-any.WHL",
            "notes @ https://example.com/n.whl",
            "https://example.com/n.whl",
            "git+https://example.com/n.git",
            "notes; python_version > '3'",
            "notes==1 --hash=sha256:00",
            "notes \\",
            "notes==${VERSION}",
            "notes===1.0",
            "notes (>=1)",
            "notes=1",
            "notes.zip[extra]",
            "notes.tar.gz [extra]>=1",
            "notes[,]",
            "notes[one,]",
            "notes[one two]",
            "notes[-one]",
            "notes[one -two]",
            "notes == -1",
            "notes\x1f>=1",
            "notes>=1,",
            "notes>=1 <2",
            "notes one",
            "nötes",
            "notes-",
            "# -*- coding: latin-1 -*-",
        ],
    )
    def test_what_is_left_to_pip(self, line: str) -> None:
        """All that could mean something else, and what is no requirement; one such line is enough."""
        content = base64.b64encode(f"Django\n{line}\nwhitenoise\n".encode()).decode()
        assert reader.plain_lines(content) == []

    @given(lines=st.lists(nearly_plain, min_size=1, max_size=3), constraint=st.booleans())
    def test_all_that_is_plain_is_read_as_pip_reads_it(self, lines: list[str], constraint: bool) -> None:
        """Lines that are plain, or nearly so."""
        assume(reader.plain_lines(lines))
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.chdir(folder)
            request = make_request(Path(folder), "", "a list", constraint)
            request["texts"]["a list"] = lines
            alone = reader.answer(request)
            monkeypatch.setattr(reader, "plain_lines", lambda _content: [])
            assert alone == reader.answer(request)

    @pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\x1f"])
    def test_a_blank_that_pip_refuses(self, space: str) -> None:
        """Python takes it for one, and a list of the playbook may have it, copied from a web page."""
        assert reader.plain_lines([f"notes{space}==1.0"]) == []

    def test_versions_that_are_none(self, ask: Callable) -> None:
        """pip says what is wrong with them."""
        assert "(from line 2 of " in ask("Django\nnotes~=1\n")["problem"][2]

    def test_a_version_of_more_digits_than_python_reads(self, ask: Callable) -> None:
        """The requirement is named, and there is no traceback."""
        assert ask(f"Django=={'1' * 5000}\n")["problem"]

    def test_without_all_of_pip(self, tmp_path: Path) -> None:
        """The program imports none of pip's own modules for them: that takes a second from ensurepip's wheel."""
        code = f"{inspect.getsource(reader)}\nassert not [name for name in sys.modules if 'pip._internal' in name]"
        request = json.dumps(make_request(tmp_path, "Django\nwhitenoise\n"))
        done = subprocess.run(
            [sys.executable, "-I", "-c", code], input=request, capture_output=True, text=True, check=True
        )
        assert [line["text"] for line in lines_of(json.loads(done.stdout))] == ["Django", "whitenoise"]


class TestIncluded:
    @pytest.mark.parametrize(
        ("line", "path", "constraint"),
        [
            ("-r base.txt", "{0}/base.txt", False),
            ("-rbase.txt", "{0}/base.txt", False),
            ("  -c ../c.txt", "{1}/c.txt", True),
            ("--requirement base.txt", "{0}/base.txt", False),
            ("--constraint=more/c.txt", "{0}/more/c.txt", True),
            ("-r /proc/version", "/proc/version", False),
            ("-r file://{0}/base.txt", "{0}/base.txt", False),
            ("-r ${DIRECTORY}/base.txt", "", False),
            ("-r https://example.com/base.txt", "", False),
        ],
    )
    def test_the_path(self, ask: Callable, tmp_path: Path, line: str, path: str, constraint: bool) -> None:
        """It is relative to the file; a URL, and a variable that has no value here, are left to pip."""
        answer = ask(line.replace("{0}", str(tmp_path)))
        path = path.replace("{0}", str(tmp_path)).replace("{1}", str(tmp_path.parent))
        (found,) = lines_of(answer)
        assert (found["include"], found["is_constraint"], answer["missing"]) == (
            path,
            constraint,
            [path] if path else [],
        )

    def test_one_after_the_other(self, tmp_path: Path) -> None:
        """Each file is named that is not there yet, and read once for what it is; a circle has an end."""
        request = make_request(tmp_path, "-r a.txt\n-c a.txt\n-r b.txt\n")
        assert reader.answer(request)["missing"] == [f"{tmp_path}/a.txt", f"{tmp_path}/a.txt", f"{tmp_path}/b.txt"]
        request["texts"][f"{tmp_path}/a.txt"] = base64.b64encode(b"-r r.txt\nDjango<6\n").decode()
        answer = reader.answer(request)
        assert answer["missing"] == [f"{tmp_path}/b.txt"]
        named = [(os.path.basename(name), constraint) for name, constraint, _lines in answer["files"]]
        assert named == [("r.txt", False), ("a.txt", False), ("a.txt", True)]


class TestLinks:
    @pytest.mark.parametrize(
        ("name", "text", "paths", "lines"),
        [
            ("r.txt", "--find-links wheels", ["{0}/wheels"], ["--find-links {0}/wheels"]),
            ("r.txt", "-fwheels --no-index", ["{0}/wheels"], ["-f {0}/wheels --no-index"]),
            ("r.txt", "--no-index --find-links=./wheels", ["{0}/./wheels"], ["--no-index --find-links={0}/./wheels"]),
            ("more/r.txt", "--find-links wheels", ["{0}/more/wheels"], ["--find-links {0}/more/wheels"]),
            ("more/r.txt", "--find-links shop", ["{0}/shop"], ["--find-links {0}/shop"]),
            ("r.txt", "--find-links gone", [], ["--find-links gone"]),
            ("r.txt", "--find-links file://{0}/wheels", ["{0}/wheels"], None),
            ("r.txt", "--find-links https://example.com/x/wheels", [], None),
        ],
    )
    def test_a_folder(
        self, ask: Callable, tmp_path: Path, name: str, text: str, paths: list, lines: list | None
    ) -> None:
        """It is beside the file, or else in the folder where pip is run; the copies that pip gets are elsewhere."""
        text = text.replace("{0}", str(tmp_path))
        (line,) = lines_of(ask(text, name=f"{tmp_path}/{name}"))
        assert line["names_places"]
        assert line["paths"] == [path.replace("{0}", str(tmp_path)) for path in paths]
        assert line["text"] == (lines[0].replace("{0}", str(tmp_path)) if lines else text)


class TestRequirement:
    @pytest.mark.parametrize(
        ("text", "met"),
        [
            ("Django", True),
            ("Django>=5.2,<6", True),
            ("Django~=5.1.0", False),
            ("zope.interface==7", True),
            ("nosuch", False),
            ("nosuch; python_version < '3'", True),
            ("nosuch; extra == 'dev'", True),
            ("Django @ https://example.com/django.whl", True),
            ("nosuch @ https://example.com/nosuch.whl", False),
            ("./shop", True),
            ("Django==5.2.1 --hash=sha256:00", True),
            ("Django==5.2.2 --hash=sha256:00", False),
            ("Django[bcrypt]==5.2.1", True),
        ],
    )
    def test_what_is_met(self, ask: Callable, text: str, met: bool) -> None:
        """By name and version, with hashes as well; what names no package is left to the stamp."""
        (line,) = lines_of(ask(text))
        assert line["requirement"]["is_met"] is met

    def test_constraints(self, ask: Callable) -> None:
        """They count for what is installed."""
        lines = lines_of(ask("Django<5\nnosuch<2\nDjango<6\n", constraint=True))
        assert [line["requirement"]["is_met"] for line in lines] == [False, True, True]
        assert all(line["requirement"]["is_constraint"] for line in lines)

    @pytest.mark.parametrize(
        ("text", "kind", "path", "fixed"),
        [
            ("Django", "", "", True),
            ("./shop", "directory", "{0}/shop", True),
            ("shop/", "directory", "{0}/shop", True),
            ("shop @ file://{0}/shop", "directory", "{0}/shop", True),
            ("-e ./shop", "directory", "{0}/shop", True),
            ("./wheels/notes-1.0-py3-none-any.whl", "file", "{0}/wheels/notes-1.0-py3-none-any.whl", True),
            ("git+https://example.com/shop.git@main#egg=shop", "repository", "", False),
            (f"shop @ git+https://example.com/shop.git@{'a' * 40}", "repository", "", True),
            ("-e git+https://example.com/shop.git#egg=shop", "repository", "", False),
            ("https://example.com/notes.zip", "url", "", False),
            ("https://example.com/notes-1.0-py3-none-any.whl", "url", "", False),
            (f"https://example.com/notes.zip#sha256={'0' * 64}", "url", "", True),
            ("https://example.com/notes.zip --hash=sha256:00", "url", "", True),
        ],
    )
    def test_where_it_is_from(
        self, ask: Callable, tmp_path: Path, text: str, kind: str, path: str, fixed: bool
    ) -> None:
        """A branch, a tag, and a URL without a hash can be something else later."""
        (line,) = lines_of(ask(text.replace("{0}", str(tmp_path))))
        found = line["requirement"]
        assert (found["kind"], found["path"], found["is_fixed"]) == (kind, path.replace("{0}", str(tmp_path)), fixed)
        assert found["is_editable"] is text.startswith("-e")

    @pytest.mark.parametrize(
        ("text", "pinned", "refused_by"),
        [
            ("gunicorn==27.0.1 --hash=sha256:00", "27.0.1", ""),
            ("gunicorn==22.0.0", "22.0.0", ">=23.0.0"),
            ("Gunicorn===26.0.0", "26.0.0", "==27.0.1"),
            ("gunicorn==26.0.0; python_version < '3'", "26.0.0", ""),
            ("gunicorn==26.*", "", ""),
            ("gunicorn>=22", "", ""),
            ("Django==4", "4", ""),
        ],
    )
    def test_a_pinned_gunicorn(self, ask: Callable, text: str, pinned: str, refused_by: str) -> None:
        """It is held against what is wanted of Gunicorn."""
        (line,) = lines_of(ask(text))
        assert (line["requirement"]["pinned"], line["requirement"]["refused_by"]) == (pinned, refused_by)

    def test_an_index(self, ask: Callable) -> None:
        """It says where packages are, whatever else is in the line."""
        lines = lines_of(ask("-i https://a/\n--extra-index-url https://a/\n--no-index\n--pre\nnotes\n"))
        assert [line["names_places"] for line in lines] == [True, True, True, False, False]

    def test_options_that_uv_ignores(self, ask: Callable) -> None:
        """uv only warns of them in a file, and would install something else than pip."""
        lines = lines_of(ask("--pre\n--trusted-host index.example.com\n--no-index\nnotes\n"))
        assert [line["options_for_uv"] for line in lines] == [
            ["--prerelease=allow"],
            ["--allow-insecure-host=index.example.com"],
            [],
            [],
        ]

    def test_hashes(self, ask: Callable) -> None:
        """By a line, or for all."""
        lines = lines_of(ask("notes==1 --hash=sha256:00\nx==1\n--require-hashes\n"))
        assert [line["requires_hashes"] for line in lines] == [False, False, True]
        assert [line["requirement"]["is_hashed"] for line in lines[:2]] == [True, False]


class TestProblem:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("Django=5\n", "Invalid requirement"),
            ("notes\n--frobnicate\n", "no such option: --frobnicate"),
            ("-e ./nosuch\n", "nosuch"),
            ("./more\n", "is not installable"),
            ("notes==1 --hash=x\n", "--hash"),
        ],
    )
    def test_what_pip_refuses(self, ask: Callable, text: str, said: str) -> None:
        """In pip's words, with the line."""
        name, line, found, expected = ask(text)["problem"]
        assert (name[-6:], line, expected) == ("/r.txt", text.splitlines()[-1], "")
        assert said in found

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"# \xe9\nDjango\n", "text in UTF-8, or a comment that names its encoding"),
            (b"./gone-1.0-py3-none-any.whl\n", "something that is there, unlike"),
        ],
    )
    def test_what_pip_refuses_too_late(self, ask: Callable, content: bytes, expected: str) -> None:
        """The reason says what is expected."""
        problem = ask(content)["problem"]
        assert (problem[2], problem[3][: len(expected)]) == ("", expected)

    def test_an_encoding_that_does_not_exist(self, ask: Callable) -> None:
        """Python's words for it."""
        assert ask(b"# coding: nosuch\nDjango\n")["problem"][2] == "unknown encoding: nosuch"

    @pytest.mark.parametrize(
        "line", ["-r base.txt", "-c c.txt", "--find-links wheels", "-e .", "./shop", "shop/", "./gone", "-e ./gone"]
    )
    def test_a_relative_path_in_a_list(self, ask: Callable, tmp_path: Path, line: str) -> None:
        """There is no folder that it could be relative to."""
        request = {**make_request(tmp_path, ""), "roots": [["", False]], "texts": {"": [line]}}
        (tmp_path / "pyproject.toml").touch()
        assert reader.answer(request)["problem"][3].startswith("an absolute path: only a file has a folder")


RICH = """\
--find-links wheels
Django~=5.2  # the framework
notes==1 --hash=sha256:00
-r base.txt
-e ./shop
git+https://example.com/shop.git@main#egg=shop2
x; python_version < '3'
"""


@pytest.mark.parametrize("options", [["-I"], ["-I", "-S"]])
def test_the_program(tmp_path: Path, options: list[str]) -> None:
    """The pip of a virtual environment, or else that of ensurepip, reads the same."""
    make_folder(tmp_path)
    request = make_request(tmp_path, RICH)
    # Without site-packages, there is only the pip of ensurepip.
    python = sys.executable if options == ["-I"] else os.path.realpath(sys.executable)
    command = [python, *options, "-c", inspect.getsource(reader)]
    done = subprocess.run(command, input=json.dumps(request), check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == json.loads(json.dumps(reader.answer(request)))


@pytest.fixture
def place_of_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Python has the wheels of ensurepip; there is no other pip."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "pip"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(reader.sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(reader, "_DEBIAN", str(tmp_path / "none"))
    return tmp_path / "ensurepip/_bundled"


@pytest.mark.parametrize("line", ["Django", "-r base.txt"])
@pytest.mark.usefixtures("place_of_wheels")
def test_without_pip(tmp_path: Path, line: str) -> None:
    """The caller is told, whatever the lines say."""
    assert reader.answer(make_request(tmp_path, line)) == {"pip": False, "missing": [], "files": [], "problem": []}


def test_a_pip_of_ensurepip(place_of_wheels: Path) -> None:
    """It is looked for where Python has it."""
    place_of_wheels.mkdir(parents=True)
    wheel = place_of_wheels / "pip-25.1-py3-none-any.whl"
    wheel.touch()
    reader.find("pip._internal.req.req_file")
    assert sys.path == [str(wheel)]


def test_a_pip_that_does_not_work(tmp_path: Path) -> None:
    """One that is older than its Python: that of ensurepip takes its place, and the file is not blamed for it."""
    package = tmp_path / "old/pip/_internal/req"
    package.mkdir(parents=True)
    for folder in (package.parents[1], package.parent):
        (folder / "__init__.py").touch()
    (package / "__init__.py").write_text("raise AttributeError('pkgutil')\n")
    request = json.dumps(make_request(tmp_path, "Django; python_version >= '3'\n"))
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'old')!r})\nexec(sys.argv[1])"
    command = [sys.executable, "-I", "-c", code, inspect.getsource(reader)]
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=True)
    assert lines_of(json.loads(done.stdout))[0]["requirement"]["name"] == "django"


def test_the_line_that_pip_names(ask: Callable) -> None:
    """It is the line's number in the file."""
    assert "(from line 3 of " in ask("Django\n\nnotes=1\n")["problem"][2]
