# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import probe

Ask = Callable[..., Any]


@pytest.fixture(params=["oldest", "newest"])
def site(request: pytest.FixtureRequest, sites: dict[str, Path], newest: str) -> Path:
    """A folder with one of the Gunicorns that are supported."""
    return sites[newest if request.param == "newest" else "23.0.0"]


@pytest.fixture
def ask(site: Path) -> Ask:
    """Ask a Gunicorn as the module does: its interpreter runs the file's source, with the request on stdin."""

    def asked(settings: dict | None = None, worker_class: str = "sync", gunicorn: str = ">=23") -> dict:
        request = {"gunicorn": gunicorn, "extras": [], "settings": settings or {}, "worker_class": worker_class}
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


def versions() -> dict[str, str]:
    """Name and version of what is installed."""
    return {name: version for name, (version, _origin, _looks) in probe.installed().items()}


class TestAnswer:
    def test_what_is_installed(self, ask: Ask, site: Path) -> None:
        """The answer has the fields that the caller needs."""
        found = ask()
        (version,) = {path.name.split("-")[1][: -len(".dist")] for path in site.glob("gunicorn-*.dist-info")}
        assert found["gunicorn_version"] == found["versions"]["gunicorn"] == version
        assert found["python_version"] == ".".join(map(str, sys.version_info[:3]))
        assert found["gunicorn_is_whole"]
        assert found["problems"] == []
        assert (found["gunicorn_is_wanted"], found["has_extras"], found["origins"]) == (True, True, {})
        assert not ask(gunicorn=">=23,<23.0.0")["gunicorn_is_wanted"]

    def test_an_empty_venv(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Settings can't be checked before there is a Gunicorn."""
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        found = probe.answer({"gunicorn": ">=23", "extras": ["gevent"], "settings": {"x": 1}, "worker_class": "nosuch"})
        del found["python_version"], found["interpreter"]
        assert found == {
            "gunicorn_version": None,
            "gunicorn_is_whole": False,
            "gunicorn_is_wanted": False,
            "has_extras": False,
            "versions": {},
            "origins": {},
            "installed": probe.hash_of([]),
            "has_pip": False,
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
        assert versions() == {"zope-interface": "7.0", "typing-extensions": "4.1"}

    def test_metadata_is_parsed_once(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """It has the whole description, of which each run of the role would pay for every package."""
        for number in range(3):
            install(tmp_path, f"shop{number}", f"Name: shop{number}\nVersion: 1.{number}\n\nA long story\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        names: list[str] = []
        really = metadata.PathDistribution.read_text
        monkeypatch.setattr(
            metadata.PathDistribution, "read_text", lambda own, name: names.append(name) or really(own, name)
        )
        assert versions() == {"shop0": "1.0", "shop1": "1.1", "shop2": "1.2"}
        assert names.count("METADATA") == 3

    def test_what_a_killed_pip_left_does_not_count(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """pip moves what it replaces to ~unicorn, and ignores that later on; a folder may also be empty."""
        for version in ("22.0.0", "23.0.0", "25.0.0", "26.0.0"):
            install(tmp_path, f"~unicorn-{version}", f"Name: gunicorn\nVersion: {version}\n")
        (tmp_path / "broken-1.0.dist-info").mkdir()
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        assert versions() == {}
        install(tmp_path, "gunicorn-24.0.0", "Name: gunicorn\nVersion: 24.0.0\n")
        assert versions() == {"gunicorn": "24.0.0"}

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


class TestOrigin:
    RECORD = "shop/app.py,sha256=1,1\nshop/__pycache__/app.cpython-311.pyc,,\n../../../bin/shop,sha256={0},1\n"

    def ask(self, monkeypatch: pytest.MonkeyPatch, folder: Path, url: object, record: str = RECORD) -> str:
        """The origin of a package that was installed with this URL and these files."""
        install(folder, "shop-1.0", "Name: shop\nVersion: 1.0\n")
        (folder / "shop-1.0.dist-info/RECORD").write_text(record)
        if url is not None:
            (folder / "shop-1.0.dist-info/direct_url.json").write_text(json.dumps(url))
        monkeypatch.setattr(sys, "path", [str(folder)])
        return probe.installed()["shop"][1]

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ({"url": "file:///opt/shop", "dir_info": {}}, "file:///opt/shop#"),
            ({"url": "https://h/shop", "vcs_info": {"commit_id": "abc"}}, "https://h/shop@abc#"),
            ({"other": 1}, "#"),
            ([], "#"),
            (None, ""),
        ],
    )
    def test_a_url(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: object, shown: str) -> None:
        """As PEP 610 notes it; what is from an index has none."""
        found = self.ask(monkeypatch, tmp_path, url)
        assert found[: len(shown)] == shown
        assert bool(found) is bool(shown)

    def test_its_code(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The same in another venv is the same; other code is not."""
        url = {"url": "file:///opt/shop"}
        records = [self.RECORD, self.RECORD.replace("{0}", "2"), self.RECORD.replace("sha256=1", "sha256=3")]
        found = []
        for number, record in enumerate(records):
            (tmp_path / str(number)).mkdir()
            found.append(self.ask(monkeypatch, tmp_path / str(number), url, record))
        assert found[0] == found[1] != found[2]

    def test_its_code_without_hashes(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Some tools build a record without them; the files tell then."""
        (tmp_path / "shop").mkdir()
        found = []
        for text in ("1", "2", "2"):
            (tmp_path / "shop/app.py").write_text(text)
            shutil.rmtree(tmp_path / "shop-1.0.dist-info", ignore_errors=True)
            record = "shop/app.py,,\nshop/gone.py,,\nshop-1.0.dist-info/RECORD,,\n"
            found.append(self.ask(monkeypatch, tmp_path, {"url": "file:///opt/shop"}, record))
        assert found[0] != found[1] == found[2]

    def test_a_package_that_was_exchanged(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Its record is written anew, with the same version, too."""
        self.ask(monkeypatch, tmp_path, None)
        request = {"gunicorn": "", "extras": [], "settings": {}, "worker_class": "sync"}
        before = probe.answer(request)["installed"]
        assert probe.answer(request)["installed"] == before
        record = tmp_path / "shop-1.0.dist-info/RECORD"
        record.write_text(record.read_text() + "x")
        assert probe.answer(request)["installed"] != before


class TestGunicorn:
    @pytest.mark.parametrize(
        ("version", "specifier", "within"),
        [
            ("27.0.1", ">=23.0.0", True),
            ("27.0.1", ">=23.0.0,==27.0.1", True),
            ("27.0.1", ">=23.0.0,<27", False),
            ("27.0.1", "==27.*", True),
            ("27.0.1", "~=26.1", False),
            ("28.0rc1", ">=23.0.0", True),  # a pre-release that is there counts
        ],
    )
    def test_its_version(self, monkeypatch: pytest.MonkeyPatch, version: str, specifier: str, within: bool) -> None:
        """The package that compares is Gunicorn's or pip's; without both, pip is called and decides."""
        assert probe.is_within(version, specifier) is within
        monkeypatch.setitem(sys.modules, "packaging.specifiers", None)
        assert probe.is_within(version, specifier) is within
        monkeypatch.setitem(sys.modules, "pip._vendor.packaging.specifiers", None)
        assert not probe.is_within(version, specifier)

    @pytest.mark.parametrize(
        ("extras", "versions", "met"),
        [
            (["gevent"], {"gevent": "25.1", "packaging": "26.0"}, True),
            (["gevent", "http2"], {"gevent": "25.1", "packaging": "26.0"}, True),
            (["gevent"], {"gevent": "25.1"}, False),
            (["gevent"], {"gevent": "22.0", "packaging": "26.0"}, False),
            (["tornado"], {}, False),
            (["other"], {}, True),
            ([], {}, True),
        ],
    )
    def test_extras(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extras: list[str], versions: dict, met: bool
    ) -> None:
        """They ask for what the installed distribution says of them: up to Gunicorn 23 in other quotes and spaces."""
        asks = (
            'gevent>=24.10.1; extra == "gevent"',
            "packaging ; extra == 'gevent'",
            'tornado[x]; extra == "tornado"',
            "nosuch; python_version < '3' and extra == 'gevent'",
            "importlib_metadata",
        )
        text = "".join(f"Requires-Dist: {each}\n" for each in asks)
        install(tmp_path, "gunicorn-27.0.1", f"Name: gunicorn\nVersion: 27.0.1\n{text}")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        required = probe.required_by_extras("gunicorn", extras)
        assert all(probe.is_met(each, versions) for each in required) is met


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
