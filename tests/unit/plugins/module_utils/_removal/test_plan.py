# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import grp
import os
import socket
import zipfile
from pathlib import Path

import pytest
from companion_samples import ALL, BEAT, MAIL, write_units
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import Found
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.plan import RemovalPlan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names, uses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.uses import ProcessPaths
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_a_host_without_the_project(host: Host) -> None:
    """There is nothing to do, whatever is named."""
    assert host.plan(remove=list(parameters.NAMES)).removals == []


def test_what_the_role_made(host: Host) -> None:
    """Units, configuration, secrets, and what an interrupted change left beside them; no file without the role's mark."""
    made = [
        host.write(host.config / "gunicorn.conf.py", host.ours),
        host.write(host.config / ".candidate.gunicorn.conf.py", host.ours),
        host.write(host.config / "secrets.env", f"{host.ours}# Credentials: key\nGUNICORN_SECRETS=1\n"),
        host.write(host.config / "credentials" / "key", "x"),
        str(host.config / "credentials"),
        host.write(host.units / "shop.service", host.ours),
        host.write(host.units / "shop.socket", f"# Written by a newer version.\n{host.ours}"),
        host.write(host.units / ".shop.gunicorn-switch.json", "{}"),
        host.write("notes/.candidate.gunicorn-shop.memory", host.ours),
        host.write(names.memory_note("shop"), host.ours),
    ]
    for other in (host.config / "settings.py", host.root / "opt" / "shop" / "shop.py", host.units / "other.service"):
        host.write(other, "SECRET = 1\n")
    assert sorted(host.plan().paths) == sorted(made)
    os.unlink(host.units / "shop.service")
    assert sorted(host.plan().paths) == sorted(set(made) - {str(host.units / "shop.service")})


def test_the_command_that_goes_back_goes_with_the_service(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program of its name stays."""
    path = host.root / "sbin" / "shop-roll-back"
    monkeypatch.setattr(names, "roll_back_command", lambda _service: str(path))
    host.write(path, "#!/bin/sh\n")
    assert host.plan().paths == ()
    with zipfile.ZipFile(path, "a") as program:
        program.writestr("__main__.py", "")
    assert host.plan().paths == (str(path),)


def test_what_is_not_the_roles_stays(host: Host) -> None:
    """The plan says so of files that a person may miss among the removed ones."""
    host.write(host.units / "shop.service", host.ours)
    kept = host.write(host.units / "shop.service.by-hand", "[Service]\n")
    foreign = host.write(host.config / "gunicorn.conf.py", "workers = 3\n")
    host.write(host.config / "secrets.env", "A=1\n")
    host.write(host.config / "credentials" / "key", "x")
    found = host.plan()
    assert found.paths == (str(host.units / "shop.service"),)
    assert found.left == (
        f"{kept} was made by hand before the role replaced it",
        f"{foreign} is not the role's",
    )


def test_what_an_interrupted_adoption_replaced_is_kept(host: Host) -> None:
    """The role did not make it."""
    host.write(host.units / "shop.service", host.ours)
    host.write(host.units / ".previous.shop.service", "[Service]\n")
    host.write(host.units / ".previous.shop.socket", host.ours)
    assert host.plan().keep == (str(host.units / "shop.service"),)


def test_credentials_that_the_role_did_not_write_stay(host: Host) -> None:
    """With their directory."""
    host.write(host.config / "secrets.env", f"{host.ours}# Credentials: key\nGUNICORN_SECRETS=1\n")
    ours, other = (host.write(host.config / "credentials" / name, "x") for name in ("key", "other"))
    assert ours in host.plan().paths
    assert not {other, str(host.config / "credentials")} & set(host.plan().paths)


def test_an_empty_directory_of_credentials_goes(host: Host) -> None:
    """A deployment that has no credentials any more leaves it, with a file of secrets or without."""
    directory = host.config / "credentials"
    directory.mkdir(parents=True)
    assert host.plan().paths == (str(directory),)
    secrets = host.write(host.config / "secrets.env", f"{host.ours}# Credentials: \nGUNICORN_SECRETS=1\n")
    assert host.plan().paths == (secrets, str(directory))
    host.write(directory / "key", "x")
    assert host.plan().paths == (secrets,)


class TestNamed:
    def test_each_name_removes_its_directory(self, host: Host) -> None:
        """And no other."""
        host.write("opt/shop/shop.py")
        host.write("var/shop/db.sqlite3")
        host.write("log/shop/gunicorn.log")
        host.write(host.config / "settings.py")
        for name, folder in {"code": "opt", "data": "var", "logs": "log", "config": "etc"}.items():
            assert host.plan(remove=[name]).paths == (str(host.root / folder / "shop"),)

    def test_releases_go_with_the_code(self, host: Host) -> None:
        """With their link, their static files, and not with what was there before them."""
        releases, static = host.root / "opt/shop/releases", host.root / "var/cache/shop/static"
        host.write("opt/shop/releases/1a/static/site.css")
        host.write("var/cache/shop/static/old.css")
        release = live.Release("1a", str(releases), static="static", public_static=str(static))
        live.settle(release, {}, {"directory": "/v"}, lambda paths: paths)
        tree, current = os.path.realpath(static), f"{host.root}/opt/shop/current"
        assert host.plan(remove=["code"]).paths == (
            str(releases),
            current,
            str(static),
            tree,
            f"{host.root}/opt/shop",
        )
        assert host.plan().paths == ()

    def test_a_directory_without_the_projects_name_is_refused(self, host: Host) -> None:
        """It may have anything in it."""
        (host.root / "srv").mkdir()
        with pytest.raises(InvalidValue, match=r"gunicorn_data_directory: .*/srv'.*the project's name"):
            host.plan(data_directory=f"{host.root}/srv", remove=["data"])

    def test_logs_in_a_directory_of_others(self, host: Host) -> None:
        """Only the project's logs and their rotated versions are removed."""
        logs = [host.write(f"log/{name}") for name in ("shop.log", "shop.log.1", "shop.log.2.gz", "shop.log-2026")]
        host.write("log/shop.logic")
        host.write("log/blog.log")
        assert sorted(host.plan(log_file=logs[0], remove=["logs"]).paths) == sorted(logs)

    def test_logs_of_companions(self, host: Host) -> None:
        """As those of the service: a directory with the project's name as a whole, else each log and its versions."""
        own = {"mail": {**MAIL, "log_file": f"{host.root}/srv/shop/mail.log"}, "beat": BEAT}
        write_units(host.units, own, log_file=f"{host.root}/log/shop/gunicorn.log")
        units = sorted(str(path) for path in host.units.iterdir())
        mail = [host.write(f"srv/shop/{name}") for name in ("mail.log", "mail.log.1", "mail.log.2.gz")]
        host.write("srv/shop/letters.mbox")
        host.write("log/shop/beat.log")
        assert sorted(host.plan(remove=["logs"]).paths) == sorted([f"{host.root}/log/shop", *mail, *units])
        write_units(host.units, own, log_file=f"{host.root}/log/gunicorn.log")
        beat = [host.write(f"log/{name}") for name in ("beat.log", "beat.log-2026")]
        host.write("log/beat.logic")
        given = {"log_file": f"{host.root}/log/gunicorn.log", "remove": ["logs"]}
        assert sorted(host.plan(**given).paths) == sorted([*beat, *mail, *units])
        host.write(host.units / "blog-beat.service", f"[Service]\nExecStart=/bin/sh -c x beat {beat[0]}\n")
        assert host.plan(**given).left == (f"{beat[0]} is named by blog-beat.service",)

    def test_what_own_companions_use_goes(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """Their units and drop-ins name it, and their processes use it until they have ended."""
        host.write("var/shop/db.sqlite3")
        write_units(host.units, {"mail": {**MAIL, "command": f"celery --data {host.root}/var/shop"}}, generation=2)
        write_units(host.runtime_units, {"mail": {**MAIL, "instances": 1}})
        host.write(host.units / "shop-mail@.service.d" / "more.conf", f"ReadWritePaths={host.root}/var/shop\n")
        processes = [
            ProcessPaths(f"shop-mail@{one}.service", f"{host.root}/var/shop", "") for one in ("1-1", "2-1", "2-2")
        ]
        monkeypatch.setattr(
            uses, "read_processes", lambda own, _left_out: [each for each in processes if each.name not in own]
        )
        assert f"{host.root}/var/shop" in host.plan(remove=["data"]).paths
        processes.append(ProcessPaths("shop-other.service", f"{host.root}/var/shop", ""))
        assert host.plan(remove=["data"]).left[0] == f"{host.root}/var/shop is used by a process of shop-other.service"

    def test_the_user_of_own_companions_goes(self, host: Host, system_user: str) -> None:
        """But not if the companion of another service needs it."""
        write_units(host.units, ALL)
        for path in host.units.iterdir():
            path.write_text(path.read_text().replace("User=shop", f"User={system_user}"))
        assert host.plan(user=system_user, remove=["user"]).user == system_user
        write_units(host.units, {"beat": BEAT}, service="blog")
        other = host.units / "blog-beat.service"
        other.write_text(other.read_text().replace("User=shop", f"User={system_user}"))
        assert host.plan(user=system_user, remove=["user"]).left == (
            f"the user {system_user} is named by blog-beat.service",
        )

    def test_what_another_unit_names_stays(self, host: Host) -> None:
        """A path below it counts, too. A path that is longer at either end is another one."""
        host.write("var/shop/db.sqlite3")
        others = (f"{host.root}/var/shop-data", f"{host.root}/var/shop2", f"/srv{host.root}/var/shop")
        host.write(host.units / "other.service", f"[Service]\nReadWritePaths={' '.join(others)}\n")
        assert host.plan(remove=["data"]).left == ()
        host.write(host.units / "other.service", f"[Service]\nExecStart={host.root}/var/shop/bin/run\n")
        assert host.plan(remove=["data"]).left == (f"{host.root}/var/shop is named by other.service",)
        assert host.plan(remove=["data"]).paths == ()

    def test_a_venv_that_the_role_built(self, host: Host) -> None:
        """The link, its target, and what is left of an earlier one."""
        code = host.root / "opt" / "shop"
        for name in ("venv-12345678", "venv-87654321"):
            host.write(code / name / ".gunicorn-venv")
            host.write(code / name / "pyvenv.cfg")
        (code / "venv").symlink_to(code / "venv-12345678")
        found = sorted(os.path.basename(path) for path in host.plan(remove=["venv"]).paths)
        assert found == ["venv", "venv-12345678", "venv-87654321"]

    def test_a_venv_that_the_user_made(self, host: Host) -> None:
        """Of a link, the target stays."""
        own, venv = host.root / "venvs" / "django", host.root / "opt" / "shop" / "venv"
        host.write(own / "pyvenv.cfg")
        venv.parent.mkdir(parents=True)
        venv.symlink_to(own)
        assert host.plan(remove=["venv"]).paths == (str(venv),)
        assert host.plan(venv=str(own), remove=["venv"]).paths == (str(own),)

    def test_a_venv_of_another_project(self, host: Host) -> None:
        """Of a path that leads to it, only the link is removed, and nothing beside what it leads to."""
        blog, venv = host.root / "opt" / "blog", host.root / "opt" / "shop" / "venv"
        for name in ("venv-12345678", "venv-87654321", "venv-12345678.gunicorn-backup"):
            host.write(blog / name / ".gunicorn-venv")
            host.write(blog / name / "pyvenv.cfg")
        (blog / "venv").symlink_to("venv-12345678")
        host.write(host.units / "blog.service", f"[Service]\nExecStart={blog}/venv/bin/gunicorn blog\n")
        venv.parent.mkdir(parents=True)
        for target in ("venv", "venv-12345678"):
            venv.symlink_to(blog / target)
            assert host.plan(remove=["venv"]).paths == (str(venv),)
            venv.unlink()

    def test_a_venv_that_another_service_uses(self, host: Host) -> None:
        """By any way that leads there: then both the link and its target stay."""
        code = host.root / "opt" / "shop"
        built = code / "venv-12345678"
        host.write(built / ".gunicorn-venv")
        host.write(built / "pyvenv.cfg")
        (code / "venv").symlink_to(built)
        (host.root / "blog-venv").symlink_to(code / "venv")
        for way in (code / "venv", built, host.root / "blog-venv"):
            host.write(host.units / "blog.service", f"[Service]\nExecStart={way}/bin/gunicorn blog\n")
            found = host.plan(remove=["venv"])
            assert found.paths == ()
            assert [sentence.endswith("is named by blog.service") for sentence in found.left] == [True]

    def test_what_a_process_of_another_service_uses_stays(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its unit may name it nowhere."""
        data = str(Path(host.write("var/shop/db.sqlite3")).parent)
        asked = []

        def read(own: tuple[str, ...], left_out: set[int]) -> list[ProcessPaths]:
            assert {os.getpid(), os.getppid()} <= left_out
            asked.append(own)
            return [ProcessPaths("queue.service", f"/usr/bin/python3\n{data}/run.py", "/usr/bin/python3")]

        monkeypatch.setattr(uses, "read_processes", read)
        assert host.plan(remove=["data"]).left == (f"{data} is used by a process of queue.service",)
        assert host.plan(remove=["data"]).paths == ()
        assert host.plan_under_supervisor(remove=["data"]).paths == ()
        assert asked[0] == ("shop.service", "shop-standin.service", "shop-step.service")
        assert asked[-1] == ("shop.service", "shop-standin.service", "shop-step.service")

    def test_what_a_process_of_no_service_uses_stays(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """Such as somebody's migration of the database."""
        data = str(Path(host.write("var/shop/db.sqlite3")).parent)
        monkeypatch.setattr(
            uses, "read_processes", lambda *_: [ProcessPaths("process 4711", "", f"/usr/bin/x\n{data}")]
        )
        assert host.plan(remove=["data"]).left == (f"{data} is used by process 4711",)

    def test_a_directory_that_is_no_venv_is_refused(self, host: Host) -> None:
        """It may be the code itself. Where it need not be removed, it does not matter."""
        host.write("opt/shop/shop.py")
        assert host.plan(venv=f"{host.root}/opt/shop").paths == ()
        with pytest.raises(InvalidValue, match="gunicorn_venv: .*pyvenv.cfg"):
            host.plan(venv=f"{host.root}/opt/shop", remove=["venv"])

    def test_a_user_that_others_need_stays(self, host: Host, system_user: str) -> None:
        """A user whom the role can't have made is refused: a person, or one of the distribution."""
        for user in ("nobody", "root", "daemon"):
            with pytest.raises(InvalidValue, match="gunicorn_absent_remove: 'user'.*so the role did not make it"):
                host.plan(user=user, remove=["user"])
        assert host.plan(user=system_user, remove=["user"]).user == system_user
        host.write(host.units / "other.service", f"[Service]\nUser={system_user}\n")
        found = host.plan(user=system_user, remove=["user"])
        assert (found.user, found.left) == ("", (f"the user {system_user} is named by other.service",))
        host.write(host.units / "other.service", "[Service]\nUser=nosuchuser\n")
        assert host.plan(user="nosuchuser", remove=["user"]).left == ()

    def test_the_group_goes_with_its_last_member(self, host: Host, system_user: str) -> None:
        """It stays for members besides the user, for another service, and if it is the distribution's."""
        user = group = system_user
        for other in ("shadow", "daemon"):
            assert host.plan(user=user, group=other, remove=["user"]).group == ""
        assert host.plan(user=user, group=group, remove=["user"]).removals == [f"user {user}", f"group {group}"]
        root = grp.getgrgid(0).gr_name
        assert host.plan(user=user, group=root, remove=["user"]).group == ""
        host.write(host.units / "other.service", f"[Service]\nGroup={group}\n")
        host.write(host.units / "second.service", "[Service]\nGroup=\n")
        found = host.plan(user=user, group=group, remove=["user"])
        assert (found.user, found.group, found.left) == (user, "", (f"the group {group} is named by other.service",))


class TestSockets:
    @pytest.fixture
    def path(self, host: Host) -> str:
        """A unix socket of the service."""
        path = str(host.root / "shop.sock")
        host.write(host.units / "shop.socket", f"{host.ours}[Socket]\nListenStream={path}\nListenStream=[::1]:80\n")
        return path

    def test_a_closed_socket_is_removed(self, host: Host, path: str) -> None:
        """Whoever closed it left the file."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
        assert path in host.plan().paths

    def test_an_open_socket_is_removed_only_with_its_service(self, host: Host, path: str) -> None:
        """It may be somebody else's by now."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen(1)
            assert path not in host.plan().paths
            host.know("shop.socket", ActiveState="active")
            assert path in host.plan().paths

    def test_another_file_at_its_path_stays(self, host: Host, path: str) -> None:
        """It is no socket, whatever the service does."""
        host.write(path)
        host.know("shop.socket", ActiveState="active")
        assert path not in host.plan().paths


class TestRemovals:
    FOUND = Found(("shop.service",), ("shop.service",), (), False, (), (), ())
    PLAN = RemovalPlan(FOUND, (), ("/etc/systemd/system/shop.service",), "web", "web", ())

    def test_what_is_stopped_comes_first_and_accounts_last(self) -> None:
        """In the order in which it is done."""
        assert self.PLAN.removals == ["shop.service", "/etc/systemd/system/shop.service", "user web", "group web"]
        assert self.PLAN._replace(user="", group="").removals[-1] == "/etc/systemd/system/shop.service"

    def test_a_unit_that_only_starts_at_boot_is_a_change(self) -> None:
        """Though nothing is removed."""
        nothing = RemovalPlan(Found((), (), (), False, (), (), ()), (), (), "", "", ("a sentence",))
        assert not nothing.is_change
        assert nothing._replace(found=nothing.found._replace(disable=("shop.service",))).is_change
        assert nothing._replace(paths=("/etc/x",)).is_change
