# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from companion_samples import MAIL, write_units
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import uses


def test_units_programs_and_descriptions_are_read(host: Host) -> None:
    """Except the service's own. A program of the role counts with its description."""
    own = host.write(host.units / "shop.service", "own")
    host.write(host.units / "blog.service", "a unit")
    host.write(host.units / "blog.socket", "no service")
    host.write("supervisor/more/queue.ini", "a program")
    host.write_program("news", host.root / "etc" / "news", user="reporter")
    texts = dict(uses.read_others((own,)))
    assert sorted(texts) == ["blog.service", "news.conf", "queue.ini", "supervisord.conf"]
    assert texts["blog.service"] == "a unit"
    assert '"user": "reporter"' in texts["news.conf"]


def test_drop_ins_and_units_in_run_count(host: Host) -> None:
    """Except those of the service itself and of its stand-in."""
    own = host.write(host.units / "shop.service", "own")
    for folder, name in (
        (host.units, "blog.service"),
        (host.units, "blog.service.d/more.conf"),
        (host.runtime_units, "queue.service"),
        (host.runtime_units, "timer.service.d/x.conf"),
        (host.units, "shop.service.d/own.conf"),
        (host.runtime_units, "shop-standin.service"),
        (host.runtime_units, "shop-step.service"),
        (host.runtime_units, "shop-standin.service.d/own.conf"),
    ):
        host.write(folder / name, f"text of {name}")
    assert dict(uses.read_others((own,))) == {
        "blog.service": "text of blog.service\ntext of blog.service.d/more.conf",
        "queue.service": "text of queue.service",
        "timer.service": "text of timer.service.d/x.conf",
        "supervisord.conf": dict(uses.read_others((own,)))["supervisord.conf"],
    }


def test_companions_count_unless_their_service_is_left_out(host: Host) -> None:
    """What finishes names its release and its virtual environment, in /run."""
    own = host.write(host.units / "shop.service", "own")
    marked = f"{host.ours}# A companion of shop: mail\n"
    for path in (host.units / "shop-mail@2-1.service", host.runtime_units / "shop-mail@1-1.service"):
        host.write(path, f"{marked}WorkingDirectory=/opt/shop/releases/{path.name[10]}\n")
    host.write(host.units / "shop-mail@2-1.service.d" / "more.conf", "own")
    host.write(host.units / "shop-other.service", "text")
    assert uses.Uses().by("/opt/shop/releases/1") == "shop-mail@1-1.service"
    assert dict(uses.read_others((own,))).keys() == {"shop-other.service", "supervisord.conf"}
    others = uses.read_others((str(host.units / "blog.service"),))
    assert {"shop-mail@1-1.service", "shop-mail@2-1.service"} <= dict(others).keys()


def make_process(
    root: Path, pid: int, arguments: str, unit: str = "", cwd: str = "/", mapped: str = "", environment: str = ""
) -> None:
    """What procfs says of a process; items are separated by bars."""
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "cgroup").write_text(f"0::/{unit}\n")
    (folder / "cmdline").write_bytes(arguments.replace("|", "\0").encode())
    (folder / "environ").write_bytes(environment.replace("|", "\0").encode())
    (folder / "maps").write_text(mapped)
    (folder / "exe").symlink_to("/usr/bin/python3.11")
    (folder / "cwd").symlink_to(cwd)


def test_what_processes_use(tmp_path: Path) -> None:
    """Programs, arguments, directories and files in memory: of a service together, and of each other process."""
    mapped = "7f00-7f01 r-xp 0000 08:01 99    /opt/lib/a b.so\n7f01-7f02 rw-p 0000 00:00 0\n"
    given = ("python|venv/bin/x|--data=/var/shop|", "/srv/jobs", mapped, "HOME=/root|PATH=/opt/bin:/bin|")
    arguments, cwd, mapped, environment = given
    for pid, unit in ((1, "init.scope"), (2, "system.slice/blog.service"), (3, "system.slice/shop.service")):
        make_process(tmp_path, pid, arguments, unit, cwd, mapped, environment)
    make_process(tmp_path, 4, "other|", "system.slice/blog.service")
    make_process(tmp_path, 5, "me|", "user.slice/x.scope")
    found = {each.name: each for each in uses.read_processes(("shop.service",), {5}, f"{tmp_path}/")}
    assert sorted(found) == ["blog.service", "process 1"]
    blog, first = found["blog.service"], found["process 1"]
    assert set(first.named.split("\n")) == {
        *("", "python", "venv/bin/x", "/srv/jobs/venv/bin/x", "--data=/var/shop", "/srv/jobs/--data=/var/shop"),
        "/opt/bin:/bin",
    }
    assert set(first.used.split("\n")) == {"/usr/bin/python3.11", "/srv/jobs", "/opt/lib/a b.so"}
    assert set(blog.named.split("\n")) == {*first.named.split("\n"), "other"}
    assert set(blog.used.split("\n")) == {*first.used.split("\n"), "/"}


class TestUses:
    """The processes are as Debian 12 showed them."""

    # The service's interpreter is named by the first line of a script in the virtual environment.
    SERVICE = "{venv}/bin/python|/opt/mysite/venv/bin/gunicorn|--workers=5|mysite.wsgi:application|"
    # setproctitle has written over arguments and environment.
    TITLE = "gunicorn: master [mysite.wsgi:application]" + "|" * 100
    LIBRARY = "7f5472dcb000-7f5472dcc000 r--p 00000000 00:28 3776766                    {venv}/lib/_setproctitle.so\n"

    @pytest.fixture
    def venv(self, tmp_path: Path, host: Host) -> Path:
        """A virtual environment that a path does not lead to any more."""
        assert host.units.is_dir()
        for name in ("venv-1a2b3c4d", "venv-11111111"):
            (tmp_path / "opt" / name / "bin").mkdir(parents=True)
        (tmp_path / "opt/venv").symlink_to("venv-11111111")
        (tmp_path / "proc").mkdir()
        return tmp_path / "opt/venv-1a2b3c4d"

    @pytest.mark.parametrize(
        ("what", "by"),
        [
            ({"arguments": SERVICE, "unit": "system.slice/mysite.service"}, "mysite.service"),
            ({"arguments": TITLE, "mapped": LIBRARY}, "process 77"),
            ({"arguments": TITLE, "mapped": LIBRARY.replace("\n", " (deleted)\n")}, "process 77"),
            ({"arguments": "venv-1a2b3c4d/bin/python|manage.py|migrate|", "cwd": "{opt}"}, "process 77"),
            ({"arguments": "bash|", "environment": "PWD=/|VIRTUAL_ENV={venv}|"}, "process 77"),
            ({"arguments": "bash|", "environment": "HOME=/root|PATH={venv}/bin:/usr/bin|"}, "process 77"),
            ({"arguments": "", "cwd": "{venv}/bin"}, "process 77"),
            ({"arguments": "python3|{opt}/alias/bin/celery|"}, "process 77"),
            ({"arguments": "{opt}/venv/bin/python|{venv}.gunicorn-backup/x|--chdir={opt}|", "cwd": "{opt}"}, ""),
            ({"arguments": "bash|", "environment": "OLDPWD={venv}|"}, ""),
        ],
    )
    def test_processes(self, tmp_path: Path, venv: Path, what: dict[str, str], by: str) -> None:
        """Whoever runs it, and however it names the directory or hides it."""
        (venv.parent / "alias").symlink_to(venv)
        what = {name: text.format(venv=venv, opt=venv.parent) for name, text in what.items()}
        make_process(tmp_path, 77, **what)
        found = uses.Uses(f"{tmp_path}/")
        assert found.by(str(venv)) == by
        assert found.unused([str(venv), str(venv.parent / "alias")]) == [
            *([] if by else [str(venv)]),
            str(venv.parent / "alias"),  # a link is not what it leads to
        ]

    def test_what_a_master_says_of_itself(self, tmp_path: Path, venv: Path) -> None:
        """With a setproctitle of the host's, a process shows nothing of its virtual environment."""
        make_process(tmp_path, 77, self.TITLE)
        said = {"pid": 77, "argv": [], "prefix": str(venv), "gunicorn_version": "27", "configuration_sha256": ""}
        note = tmp_path / "run/gunicorn/mysite/running.json"
        note.parent.mkdir(parents=True)
        note.write_text(json.dumps(said))
        assert uses.Uses(f"{tmp_path}/").by(str(venv)) == "mysite.service"
        assert uses.read_processes(("mysite.service",), {77}, f"{tmp_path}/") == []
        note.write_text(json.dumps({**said, "pid": 78}))  # it has ended
        assert uses.Uses(f"{tmp_path}/").by(str(venv)) == ""

    def test_units_and_programs(self, tmp_path: Path, venv: Path, host: Host) -> None:
        """They would start from there the next time."""
        unit = Path(host.write(host.units / "queue.service", f"[Service]\nExecStart={venv}/bin/celery\n"))
        assert uses.Uses(f"{tmp_path}/").by(str(venv)) == "queue.service"
        unit.write_text(f"[Service]\nExecStart={venv.parent}/venv/bin/celery\n")
        assert uses.Uses(f"{tmp_path}/").by(str(venv)) == ""
        host.write(host.programs / "queue.conf", f"[program:queue]\ncommand={venv}/bin/celery\n")
        assert uses.Uses(f"{tmp_path}/").by(str(venv)) == "queue.conf"

    def test_a_worker_that_finishes(self, tmp_path: Path, venv: Path, host: Host) -> None:
        """It keeps the virtual environment and the release with which it began, by its unit in /run and as a process."""
        release = tmp_path / "releases/1a"
        (release / "shop").mkdir(parents=True)
        write_units(host.runtime_units, {"mail": {**MAIL, "instances": 1}})
        unit = host.runtime_units / "shop-mail@1-1.service"
        os.unlink(host.runtime_units / "shop-mail.service")
        unit.write_text(f"{unit.read_text()}WorkingDirectory={release}\nEnvironment=PATH={venv}/bin:/bin\n")
        wanted = [str(venv), str(release)]
        assert [uses.Uses(f"{tmp_path}/").by(path) for path in wanted] == ["shop-mail@1-1.service"] * 2
        unit.unlink()
        group = r"system.slice/system-shop\x2dmail.slice/shop-mail@1-1.service"
        make_process(tmp_path, 77, self.TITLE, group, str(release), self.LIBRARY.format(venv=venv))
        assert [uses.Uses(f"{tmp_path}/").by(path) for path in wanted] == ["shop-mail@1-1.service"] * 2
        shutil.rmtree(tmp_path / "proc/77")
        assert uses.Uses(f"{tmp_path}/").unused(wanted) == wanted

    def test_the_host_is_read_once(self, tmp_path: Path, venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """And only if there is something to ask for."""
        read, times = uses.read_processes, []
        monkeypatch.setattr(uses, "read_processes", lambda *given: times.append(given) or read(*given))
        found = uses.Uses(f"{tmp_path}/")
        assert (found.unused([]), found.unused([str(venv.parent / "venv")]), times) == (
            [],
            [str(venv.parent / "venv")],
            [],
        )
        assert found.unused([str(venv), str(venv)]) == [str(venv)] * 2
        assert len(times) == 1


def test_a_path_that_another_service_reaches_by_links(tmp_path: Path) -> None:
    """A link on the way counts, wherever it is: without it, the service would not get there."""
    shop = tmp_path / "shop"
    (shop / "venv").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (shop / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "blog").symlink_to("shop/venv")
    (tmp_path / "through").symlink_to(shop / "out")
    (tmp_path / "loop").symlink_to("loop")
    for way in ("blog", "through"):
        others = [("blog.service", f"ExecStart={tmp_path}/loop {tmp_path}/{way}/bin/run")]
        assert uses.naming_path(others, str(shop)) == "blog.service"
        assert uses.naming_path(others, str(tmp_path / "other")) == ""
    (tmp_path / "alias").symlink_to(shop)
    others = [("blog.service", f"{shop}/venv/bin/run")]
    assert uses.naming_path(others, str(tmp_path / "alias" / "venv")) == "blog.service"
    assert uses.naming_path(others, str(tmp_path / "alias")) == ""


@pytest.mark.parametrize(
    "named", ["/srv/shop", "/srv/shop/bin/run", '"/srv/shop"', "a:/srv/shop:b", "--spool=/srv/shop"]
)
def test_a_path_that_another_service_names(named: str) -> None:
    """Itself, or something below it."""
    others = [("blog.service", "/srv/blog"), ("news.service", f"ExecStart={named} start")]
    assert uses.naming_path(others, "/srv/shop") == "news.service"


@pytest.mark.parametrize("named", ["/srv/shop2", "/srv/shop-data", "/srv/shop.old", "/mnt/srv/shop/../..", "/srv/SHOP"])
def test_a_longer_path_is_another_one(named: str) -> None:
    """At either end."""
    assert uses.naming_path([("news.service", named)], "/srv/shop") == ""


@pytest.mark.parametrize(
    ("text", "user", "group"),
    [
        ("[Service]\nUser=web\nGroup=shop\n", True, True),
        ("  user = web ; comment\n", True, False),
        ('  "user": "web",\n  "group": "shop"\n', True, True),
        ("User=web2\nGroup=shop-data\n", False, False),
        ("# User=web\nSuperUser=web\nExecStart=/bin/run user=web\n", False, False),
    ],
)
def test_the_accounts_that_another_service_names(text: str, user: bool, group: bool) -> None:
    """As units, programs and descriptions write them."""
    assert uses.names_account(text, "user", "web") is user
    assert uses.names_account(text, "group", "shop") is group
