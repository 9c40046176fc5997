# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import probe

Ask = Callable[..., Any]


@pytest.fixture(params=["oldest", "newest"])
def site(request: pytest.FixtureRequest, sites: dict[str, Path], newest: str) -> Path:
    """A folder with one of the Gunicorns that are supported."""
    return sites[newest if request.param == "newest" else "23.0.0"]


@pytest.fixture
def ask(site: Path) -> Ask:
    """Ask a Gunicorn as the module does: its interpreter runs the file's source, with the request on stdin."""

    def asked(settings: dict | None = None, worker_class: str = "sync", requirements: tuple = ()) -> dict:
        request = {"requirements": requirements, "settings": settings or {}, "worker_class": worker_class}
        command = [sys.executable, "-S", "-c", inspect.getsource(probe)]
        environment = {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, input=json.dumps(request), env=environment, check=True, capture_output=True, text=True
        )
        assert done.stderr == ""
        return json.loads(done.stdout)

    return asked


def install(folder: Path, name: str, metadata: str, *files: str) -> None:
    """Write what pip writes about a distribution."""
    info = folder / f"{name}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(metadata)
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).touch()


class TestAnswer:
    def test_what_is_installed(self, ask: Ask, site: Path) -> None:
        """The answer has the fields that the caller needs."""
        found = ask(requirements=("gunicorn>=23", "packaging", "nosuch", "gunicorn<1"))
        (version,) = {path.name.split("-")[1][: -len(".dist")] for path in site.glob("gunicorn-*.dist-info")}
        assert found["gunicorn_version"] == found["versions"]["gunicorn"] == version
        assert found["python_version"] == ".".join(map(str, sys.version_info[:3]))
        assert found["gunicorn_is_whole"]
        assert found["problems"] == []
        assert "nosuch" in found["unmet"]

    def test_an_empty_venv(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Settings can't be checked before there is a Gunicorn."""
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        found = probe.answer({"requirements": ["gunicorn>=23"], "settings": {"x": 1}, "worker_class": "nosuch"})
        del found["python_version"], found["interpreter"]
        assert found == {
            "gunicorn_version": None,
            "gunicorn_is_whole": False,
            "versions": {},
            "has_pip": False,
            "unmet": ["gunicorn>=23"],
            "problems": [],
        }

    def test_a_python_that_is_too_old(self) -> None:
        """Python 3.7 has no importlib.metadata; the message is one line."""
        code = "import sys; sys.modules['importlib.metadata'] = None\nexec(sys.argv[1])"
        source = inspect.getsource(probe).replace("from __future__ import annotations", "")
        done = subprocess.run([sys.executable, "-c", code, source], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, "its Python is older than 3.8\n")


class TestInstalled:
    def test_names_are_normalized(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """PEP 503: case and the kind of separator do not matter."""
        install(tmp_path, "Zope.Interface-7.0", "Name: Zope.Interface\nVersion: 7.0\n")
        install(tmp_path, "typing_extensions-4.1", "Name: typing_extensions\nVersion: 4.1\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        assert probe.installed_versions() == {"zope-interface": "7.0", "typing-extensions": "4.1"}

    def test_what_a_killed_pip_left_does_not_count(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """pip moves what it replaces to ~unicorn, and ignores that later on; a folder may also be empty."""
        for version in ("22.0.0", "23.0.0", "25.0.0", "26.0.0"):
            install(tmp_path, f"~unicorn-{version}", f"Name: gunicorn\nVersion: {version}\n")
        (tmp_path / "broken-1.0.dist-info").mkdir()
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        assert probe.installed_versions() == {}
        install(tmp_path, "gunicorn-24.0.0", "Name: gunicorn\nVersion: 24.0.0\n")
        assert probe.installed_versions() == {"gunicorn": "24.0.0"}

    def test_whole(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Every file that was recorded is there; bytecode comes and goes."""
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        assert not probe.is_whole("gunicorn")
        install(tmp_path, "gunicorn-23.0.0", "Name: gunicorn\nVersion: 23.0.0\n", "gunicorn/a.py", "gunicorn/b.pyc")
        assert probe.is_whole("gunicorn")
        (tmp_path / "gunicorn/b.pyc").unlink()
        assert probe.is_whole("gunicorn")
        (tmp_path / "gunicorn/a.py").unlink()
        assert not probe.is_whole("gunicorn")

    def test_without_a_record_it_is_not_whole(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """pip writes the record last."""
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        install(tmp_path, "gunicorn-23.0.0", "Name: gunicorn\nVersion: 23.0.0\n", "gunicorn/a.py")
        (tmp_path / "gunicorn-23.0.0.dist-info/RECORD").unlink()
        assert not probe.is_whole("gunicorn")


class TestIsMet:
    VERSIONS = {"gunicorn": "27.0.1", "django": "6.0rc1", "zope-interface": "7.0"}

    @pytest.mark.parametrize(
        ("line", "met"),
        [
            ("gunicorn", True),
            ("Gunicorn>=23.0.0", True),
            ("gunicorn>=23.0.0,==27.0.1", True),
            ("gunicorn>=23.0.0,<27", False),
            ("gunicorn==27.*", True),
            ("gunicorn~=26.1", False),
            ("zope.interface", True),
            ("Django>=6.0rc1", True),  # a pre-release that is there counts
            ("psycopg[binary]", False),
            ("gunicorn[gevent]", True),
            ("nosuch; python_version < '3'", True),
            ("nosuch; python_version >= '3'", False),
            ("nosuch; extra == 'dev'", True),
            ("nosuch @ https://example.com/nosuch.whl", False),
            ("gunicorn @ https://example.com/gunicorn.whl", True),
            # for the stamp to judge
            ("-r base.txt", True),
            ("--hash=sha256:0", True),
            ("./local", True),
            ("gunicorn == 27.0.1 \\", True),
        ],
    )
    def test_by_name_and_version(self, line: str, met: bool) -> None:
        """A requirement for another platform is met, and so is what can't be judged."""
        assert probe.is_met(line, self.VERSIONS) is met

    def test_without_pip(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Plain numbers are compared all the same; anything more counts as unmet, so that pip is called and decides."""
        monkeypatch.setitem(sys.modules, "pip._vendor.packaging.requirements", None)
        assert probe.is_met("Zope.Interface", self.VERSIONS)
        assert probe.is_met("gunicorn >= 23.0.0, <28", self.VERSIONS)
        assert not probe.is_met("gunicorn~=27.0", self.VERSIONS)
        assert not probe.is_met("Django>=5.2", self.VERSIONS)

    @given(
        sign=st.sampled_from(["==", "<", "<=", ">", ">="]),
        wanted=st.lists(st.integers(0, 2), min_size=1, max_size=4),
        found=st.lists(st.integers(0, 2), min_size=1, max_size=4),
    )
    def test_plain_versions_are_compared_as_pip_does(self, sign: str, wanted: list[int], found: list[int]) -> None:
        """As PEP 440 says of releases, zeros at the end do not matter."""
        specifier, version = sign + ".".join(map(str, wanted)), ".".join(map(str, found))
        assert probe.is_met(f"shop{specifier}", {"shop": version}) is SpecifierSet(specifier).contains(version)


class TestSettings:
    def test_good_ones(self, ask: Ask) -> None:
        """Values that either Gunicorn accepts are no problem, in the types that YAML has."""
        good = {
            "graceful_timeout": 30,
            "timeout": "60",
            "max_requests": 1000,
            "preload_app": True,
            "capture_output": "false",
            "worker_tmp_dir": "/dev/shm",
            "certfile": None,
            "statsd_host": "localhost:8125",
            "forwarded_allow_ips": "10.0.0.1,10.0.0.2",
            "secure_scheme_headers": {"X-FORWARDED-PROTO": "https"},
            "logconfig_dict": {"version": 1},
            "post_fork": "shop.hooks.post_fork",
            "umask": 0o27,
        }
        assert ask(good)["problems"] == []

    @pytest.mark.parametrize(
        ("name", "nearest"),
        [
            ("timeut", "timeout"),
            ("max_request", "max_requests"),
            ("Timeout", "timeout"),
            ("gracefultimeout", "graceful_timeout"),
        ],
    )
    def test_a_misspelt_name(self, ask: Ask, name: str, nearest: str) -> None:
        """Gunicorn itself ignores an unknown name in its file; here the problem names the nearest one."""
        assert ask({name: 1})["problems"] == [
            [name, 1, f"the name of a setting of Gunicorn; the nearest is '{nearest}'"]
        ]

    def test_a_name_like_no_other(self, ask: Ask) -> None:
        """The problem names some setting all the same."""
        ((name, value, expected),) = ask({"ɸ": None})["problems"]
        assert (name, value) == ("ɸ", None)
        assert "the nearest is '" in expected

    def test_wrong_types(self, ask: Ask) -> None:
        """Each gets its own problem, with Gunicorn's verdict; good ones in between get none."""
        wrong: dict[str, object] = {
            "graceful_timeout": "thirty",
            "timeout": -1,
            "max_requests": [],
            "preload_app": "perhaps",
            "worker_tmp_dir": 5,
            "statsd_host": "a:b:c",
            "logconfig_dict": "x",
            "umask": "abc",
            "chdir": "/no/such/folder",
        }
        problems = ask({"keepalive": 2, **wrong, "backlog": 100})["problems"]
        assert [problem[:2] for problem in problems] == [[name, value] for name, value in wrong.items()]
        assert all(problem[2].startswith("a value that Gunicorn takes (") for problem in problems)

    @pytest.mark.parametrize("value", ["post_fork", 5, None, True, ["a.b"]])
    def test_a_hook_is_a_dotted_path(self, ask: Ask, value: object) -> None:
        """YAML holds no functions. The code is not imported, since the application may not be there yet."""
        ((name, named, expected),) = ask({"post_fork": value})["problems"]
        assert (name, named) == ("post_fork", value)
        assert "dotted path" in expected


class TestWorkerClass:
    @pytest.mark.parametrize("name", ["sync", "gthread", "shop.workers.Own", "egg:shop#own", "shop.workers:Own"])
    def test_good_ones(self, ask: Ask, name: str) -> None:
        """A dotted path is a class of the application, which is not imported here."""
        assert ask(worker_class=name)["problems"] == []

    @pytest.mark.parametrize("name", ["gthred", "Sync", "async"])
    def test_an_unknown_one(self, ask: Ask, name: str) -> None:
        """The problem lists the classes that this Gunicorn has."""
        ((setting, value, expected),) = ask(worker_class=name)["problems"]
        assert (setting, value) == ("worker_class", name)
        assert "gthread" in expected
        assert "sync" in expected
        assert "dotted path" in expected

    @pytest.mark.parametrize("name", ["gevent", "tornado"])
    def test_one_without_its_library(self, ask: Ask, name: str) -> None:
        """The problem names the library, in one line."""
        ((_setting, value, expected),) = ask(worker_class=name)["problems"]
        assert value == name
        assert name in expected
        assert "library" in expected
        assert "\n" not in expected

    def test_eventlet_went_away(self, sites: dict[str, Path], newest: str, ask: Ask, site: Path) -> None:
        """The installed Gunicorn says which classes there are: 23 has eventlet, and the newest has not."""
        ((_setting, _value, expected),) = ask(worker_class="eventlet")["problems"]
        assert ("library" in expected) is (site != sites[newest])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            RuntimeError("class uri 'x' invalid or not found: \n\n[Traceback\nImportError: no x\n]\n"),
            "ImportError: no x",
        ),
        (RuntimeError("  a\n b \n\n"), "b"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_last_line(error: Exception, line: str) -> None:
    """The last line says most, and an error without a message is named by its type."""
    assert probe.last_line(error) == line
