# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import site as proxy_site
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.site import (
    SiteChange,
    SiteError,
    SiteSpec,
    SiteState,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit

RUNS = Unit(True, True, False, True, 100, False, "/lib/systemd/system/nginx.service", ())
STOPPED = RUNS._replace(active=False, main_pid=0)
# Every call of these is a point at which a process can be killed.
STEPS = ("link", "symlink", "replace", "unlink", "open", "fsync")


class Killed(BaseException):
    """No `except Exception` may stop it, as none stops SIGKILL."""


@pytest.fixture
def wanted(tmp_path: Path) -> SiteSpec:
    """A site that is enabled and shall change, where the default site's link shall go and a module's come."""
    for folder in ("sites-available", "sites-enabled", "mods-enabled", "run"):
        (tmp_path / folder).mkdir()
    server = servers.SERVERS["nginx"]._replace(folder=str(tmp_path))
    Path(server.site_file("shop")).write_text("old")
    Path(server.site_link("shop")).symlink_to("../sites-available/shop")
    Path(server.default_link).symlink_to("../sites-available/default")
    return SiteSpec(
        server=server,
        site="shop",
        file=WantedFile(server.site_file("shop"), "new", 0o644, os.getgid(), os.getuid()),
        links={
            str(tmp_path / "mods-enabled" / "proxy.load"): "../mods-available/proxy.load",
            server.default_link: None,
            server.site_link("shop"): "../sites-available/shop",
        },
        runtime_directory=str(tmp_path / "run"),
    )


def observed(wanted: SiteSpec, unit: Unit = RUNS, loaded: float = 2.0) -> SiteState:
    """What there is, of which the newest is of second 1 and the server has loaded what was there at second 2."""
    links = {path: proxy_site._link_at(path) for path in wanted.links}
    return SiteState(unit, files.differs(wanted.file), links, os.path.exists(wanted.journal), 1.0, loaded)


def as_it_is(wanted: SiteSpec) -> SiteSpec:
    """The same site as it is there already."""
    link = wanted.server.site_link("shop")
    return wanted._replace(
        file=wanted.file._replace(content="old", mode=mode(wanted)), links={link: wanted.links[link]}
    )


def mode(wanted: SiteSpec) -> int:
    return os.stat(wanted.file.path).st_mode & 0o7777


def test_nothing_to_do(wanted: SiteSpec) -> None:
    """It is there, and the running server has loaded it."""
    site = as_it_is(wanted)
    assert proxy_site.decide(site, observed(site)) == ([], False, False)


def test_what_differs_is_told(wanted: SiteSpec) -> None:
    """The file and each link, which are written and loaded."""
    decision = proxy_site.decide(wanted, observed(wanted))
    assert decision.reasons == [
        f"{wanted.file.path} is not as wanted",
        f"the link {wanted.server.folder}/mods-enabled/proxy.load is not there",
        f"the link {wanted.server.default_link} is there",
    ]
    assert decision.write
    assert decision.load


def test_what_is_not_loaded_is_loaded(wanted: SiteSpec) -> None:
    """Whoever wrote it: what decides is what the running server has read."""
    site = as_it_is(wanted)
    assert proxy_site.decide(site, observed(site, loaded=0.5)) == (
        ["nginx has not loaded the site since it changed"],
        False,
        True,
    )


def test_a_server_that_does_not_run(wanted: SiteSpec) -> None:
    """It is started for a site that shall be, and left alone by one that shall go."""
    site = as_it_is(wanted)
    assert proxy_site.decide(site, observed(site, STOPPED, 0.0)) == (["nginx does not run"], False, True)
    gone = wanted._replace(file=wanted.file._replace(content=None), links={wanted.server.site_link("shop"): None})
    decision = proxy_site.decide(gone, observed(gone, STOPPED, 0.0))
    assert decision.write
    assert not decision.load


def test_a_server_that_does_not_start_at_boot(wanted: SiteSpec) -> None:
    """Is enabled, which loads nothing."""
    site = as_it_is(wanted)
    decision = proxy_site.decide(site, observed(site, RUNS._replace(enabled=False)))
    assert decision == (["nginx does not start at boot"], False, False)


def entries(folder: str) -> dict[str, str]:
    """Every file and link with what it holds."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_symlink() or path.is_file():
            found[str(path.relative_to(folder))] = os.readlink(path) if path.is_symlink() else path.read_text()
    return found


class Server:
    """A server whose check is a real command; for systemctl stands what it says of a server that runs."""

    def __init__(self, check: str) -> None:
        self.check = check
        self.calls: list[str] = []
        self.workers: list[subprocess.Popen] = []

    def end(self) -> None:
        for worker in self.workers:
            worker.communicate(b"\n")

    def __call__(self, command: list) -> tuple[int, str, str]:
        self.calls.append(" ".join(command[:2]))
        if command[:2] == ["systemctl", "reload"]:
            self.workers.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        if command[0] == "systemctl":
            shown = f"Id=nginx.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID={os.getpid()}\n"
            return 0, shown, ""
        if command[0] == "journalctl":
            return 0, "", ""
        done = subprocess.run(["sh", "-c", self.check], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


def apply(wanted: SiteSpec, server: Server) -> None:
    """What the module does, without the host's lock."""
    runner = Runner(server)
    before = proxy_site.observe(wanted, runner)
    try:
        SiteChange(wanted, before, runner).carry_out(proxy_site.decide(wanted, before))
    finally:
        server.end()


def test_a_configuration_that_is_refused_is_put_back(wanted: SiteSpec) -> None:
    """File and links, with the server's words in the error; it was not asked to reload."""
    before = entries(wanted.server.folder)
    server = Server("echo 'unknown directive in line 3' >&2; exit 1")
    with pytest.raises(SiteError) as caught:
        apply(wanted, server)
    assert str(caught.value) == (
        "shop: nginx refuses the configuration. What was there before is there again, and the running server was not "
        "touched.\nunknown directive in line 3"
    )
    after = {name: text for name, text in entries(wanted.server.folder).items() if not name.startswith("run/")}
    assert after == before
    assert "systemctl reload" not in server.calls


def test_a_name_that_another_site_has_is_refused(wanted: SiteSpec) -> None:
    """nginx calls that a warning, and takes one of the two."""
    taken = wanted._replace(server_names=("www.example.com", "shop.example.com"))
    said = 'nginx: [warn] conflicting server name "shop.example.com" on 0.0.0.0:80, ignored'
    with pytest.raises(SiteError, match="Another site has the name shop.example.com"):
        apply(taken, Server(f"echo '{said}' >&2"))
    elsewhere = said.replace("shop.", "blog.")
    with child() as _process:
        loads = Runner(Server(f"echo '{elsewhere}' >&2; true"))
        SiteChange(taken, proxy_site.observe(taken, loads), loads)._check()


class child:
    """A process of this one."""

    def __enter__(self) -> subprocess.Popen:
        self.process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        return self.process

    def __exit__(self, *_error: object) -> None:
        self.process.communicate(b"\n")


def is_there(wanted: SiteSpec) -> dict[str, str]:
    """What a server could include, after the next run has put back what an interrupted one did."""
    if os.path.lexists(wanted.journal):
        proxy_site._go_back(wanted.journal)
    beside = (files.CANDIDATE, files.PREVIOUS)
    found = entries(wanted.server.folder).items()
    return {
        name: text for name, text in found if not name.startswith("run/") and not Path(name).name.startswith(beside)
    }


@pytest.mark.parametrize("check", ["exit 1", "exit 0"], ids=["refused", "accepted"])
def test_a_change_that_was_killed_anywhere_leaves_the_old_or_the_new(wanted: SiteSpec, check: str) -> None:
    """At each step of a change, and of its way back: never a part of it."""
    before = is_there(wanted)
    outcomes = []
    for number in range(1, 100):
        with pytest.MonkeyPatch.context() as patch:
            count = [0]
            for name in STEPS:
                patch.setattr(os, name, killing(getattr(os, name), count, number))
            try:
                apply(wanted, Server(check))
                break
            except Killed:
                pass
            except SiteError:
                break
        outcomes.append(is_there(wanted) == before)
        if not outcomes[-1]:
            break
    assert len(outcomes) > 10
    assert all(outcomes[:-1])
    # Killed when all is done but the notes are not gone, it is the new one; refused, it never is.
    new = {"mods-enabled/proxy.load", "sites-available/shop", "sites-enabled/shop"}
    assert outcomes[-1] or (check == "exit 0" and set(is_there(wanted)) == new)


def killing(function, count: list[int], number: int):
    def wrapper(*arguments, **keywords):
        count[0] += 1
        if count[0] == number:
            raise Killed
        return function(*arguments, **keywords)

    return wrapper


def test_when_a_server_has_loaded_what_is_there(tmp_path: Path) -> None:
    """At its start, and when it was reloaded since; a stamp of another process says nothing."""
    stamp = str(tmp_path / "stamp.json")
    with child() as process:
        started = proxy_site.loaded_at(stamp, process.pid)
        assert abs(started - time.time()) < 60
        proxy_site.write_stamp(stamp, process.pid, started + 100)
        assert proxy_site.loaded_at(stamp, process.pid) == started + 100
        assert proxy_site.loaded_at(stamp, os.getpid()) < started + 100
    assert proxy_site.loaded_at(stamp, process.pid) == 0.0
    assert proxy_site.loaded_at(stamp, 0) == 0.0


def test_children() -> None:
    """New ones are how a reload is seen."""
    before = processes.children_of(os.getpid())
    with child() as process:
        assert processes.children_of(os.getpid()) - before == {process.pid}
