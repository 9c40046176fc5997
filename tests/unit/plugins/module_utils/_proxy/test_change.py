# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from kills import Killed, killing

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import change as proxy_change
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import site as proxy_site
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.change import SiteChange, SiteError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.site import SiteSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

# Every call of these is a point at which a process can be killed.
STEPS = ("link", "symlink", "replace", "unlink", "open", "fsync")


def entries(folder: str) -> dict[str, str]:
    """Every file and link with what it holds."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_symlink() or path.is_file():
            found[str(path.relative_to(folder))] = os.readlink(path) if path.is_symlink() else path.read_text()
    return found


class Server:
    """A server with a real command as its check; systemctl always says that the server runs."""

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


def test_a_name_that_another_site_has_is_refused(wanted: SiteSpec, child: Callable) -> None:
    """nginx calls that a warning, and takes one of the two."""
    taken = wanted._replace(server_names=("www.example.com", "shop.example.com"))
    said = 'nginx: [warn] conflicting server name "shop.example.com" on 0.0.0.0:80, ignored'
    with pytest.raises(SiteError, match="Another site has the name shop.example.com"):
        apply(taken, Server(f"echo '{said}' >&2"))
    elsewhere = said.replace("shop.", "blog.")
    with child() as _process:
        loads = Runner(Server(f"echo '{elsewhere}' >&2; true"))
        SiteChange(taken, proxy_site.observe(taken, loads), loads)._check()


def is_there(wanted: SiteSpec) -> dict[str, str]:
    """What a server could include, after the next run has put back what an interrupted one did."""
    if os.path.lexists(wanted.journal):
        proxy_change._go_back(wanted.journal)
    beside = (files.CANDIDATE, files.PREVIOUS)
    found = entries(wanted.server.folder).items()
    return {
        name: text for name, text in found if not name.startswith("run/") and not Path(name).name.startswith(beside)
    }


@pytest.mark.parametrize("room", [False, True], ids=["short names", "long names"])
@pytest.mark.parametrize("check", ["exit 1", "exit 0"], ids=["refused", "accepted"])
def test_a_change_that_was_killed_anywhere_leaves_the_old_or_the_new(wanted: SiteSpec, check: str, room: bool) -> None:
    """At each step of a change, and of its way back: never a part of it."""
    if room:
        path = os.path.join(wanted.server.folder, "conf.d", "room.conf")
        wanted = wanted._replace(names_file=WantedFile(path, "size 128;", 0o644, os.getgid(), os.getuid()))
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
    new |= {"conf.d/room.conf"} if room else set()
    assert outcomes[-1] or (check == "exit 0" and set(is_there(wanted)) == new)


def test_children(child: Callable) -> None:
    """New ones are how a reload is seen."""
    before = processes.children_of(os.getpid())
    with child() as process:
        assert processes.children_of(os.getpid()) - before == {process.pid}
