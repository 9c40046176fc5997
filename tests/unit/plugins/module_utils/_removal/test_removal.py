# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import repository
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import removal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager as service_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.fixture(autouse=True)
def locks(host: Host, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where that host's locks are."""
    folder = host.root / "locks"
    folder.mkdir()
    monkeypatch.setattr(lock, "path_of", lambda name: str(folder / name))
    monkeypatch.setattr(service_manager, "choose", lambda named: named)
    return folder


def remove(host: Host, check_mode: bool = False, **changes: object) -> list[str]:
    """What a run removes."""
    return removal.remove(host.arguments(**changes), host.runner, check_mode).removals


def test_check_mode_only_looks(host: Host, locks: Path) -> None:
    """It says what a run would remove, and takes no lock."""
    unit = host.write(host.units / "shop.service", host.ours)
    assert remove(host, check_mode=True) == [unit]
    assert os.path.exists(unit)
    assert os.listdir(locks) == []


def test_a_second_run_removes_nothing(host: Host, locks: Path) -> None:
    """Files, directories and locks are gone; a link is removed, and not what it leads to."""
    unit = host.write(host.units / "shop.service", host.ours)
    data = Path(host.write("var/shop/db.sqlite3"))
    (host.root / "log").mkdir()
    (host.root / "log" / "shop").symlink_to(host.root / "locks")
    logs = str(host.root / "log" / "shop")
    fetched = f"{host.root}/opt/shop/releases/.repository"
    os.close(lock.take(repository.lock_name(fetched), 1.0))
    assert remove(host, remove=["data", "logs"]) == [str(data.parent), logs, unit]
    assert not any(map(os.path.lexists, (data.parent, logs, unit)))
    assert ["systemctl", "daemon-reload"] in host.commands
    assert remove(host, remove=["data", "logs"]) == []
    assert os.listdir(locks) == []


def test_the_service_is_stopped_before_its_files_are_removed(host: Host) -> None:
    """A service that can't be stopped keeps everything."""
    unit = host.write(host.units / "shop.service", host.ours)
    host.know("shop.service", ActiveState="active")
    host.failing = "stop"
    with pytest.raises(RemovalError, match="stop failed"):
        remove(host)
    assert os.path.exists(unit)


def test_what_an_interrupted_adoption_replaced_is_kept(host: Host) -> None:
    """Where a person finds it; the plan says so."""
    unit = host.write(host.units / "shop.service", host.ours)
    host.write(host.units / ".previous.shop.service", "[Service]\n")
    remove(host)
    assert not os.path.exists(unit)
    assert Path(f"{unit}.by-hand").read_text() == "[Service]\n"
    assert host.plan().left == (f"{unit}.by-hand was made by hand before the role replaced it",)


def test_accounts_come_last(host: Host, system_user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is removed only if userdel did not remove it with the user."""
    user = system_user
    host.write(host.units / "shop.service", host.ours)
    assert remove(host, user=user, group=user, remove=["user"])[-2:] == [f"user {user}", f"group {user}"]
    assert host.commands[-2:] == [["userdel", user], ["groupdel", user]]
    has_group = iter([True, False])
    monkeypatch.setattr(accounts, "has_group", lambda _group: next(has_group))
    remove(host, user=user, group=user, remove=["user"])
    assert host.commands[-1] == ["userdel", user]


def test_a_path_that_can_not_be_removed_is_named(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's own words."""
    unit = host.write(host.units / "shop.service", host.ours)

    def fail(path: str, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr(os, "unlink", fail)
    with pytest.raises(RemovalError, match=f"^{unit} can't be removed: Operation not permitted$"):
        remove(host)


def test_a_way_that_the_user_has_changed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a link of the user's leads to stays; before the run, the plan says so, and else an error does."""
    log, harmless = Path(host.write("data/gunicorn.log")), Path(host.write("harmless/gunicorn.log"))
    log.unlink()
    log.parent.rmdir()
    log.parent.symlink_to(harmless.parent)
    os.chown(log.parent, 65534, -1, follow_symlinks=False)
    assert remove(host, log_file=str(log), remove=["logs"]) == []
    (told,) = host.plan(log_file=str(log), remove=["logs"]).left
    assert told.startswith(f"{log} can't be reached safely ({log.parent} is a link to {harmless.parent} that others")
    monkeypatch.setattr(directories, "unsafe", lambda _path: "")
    with pytest.raises(RemovalError, match=f"{log} can't be removed: {log.parent} is a link to {harmless.parent}"):
        remove(host, log_file=str(log), remove=["logs"])
    assert harmless.exists()


def test_the_named_manager_is_asked(host: Host) -> None:
    """Under supervisor, a program is removed, and no systemctl is called."""
    program = host.write_program("shop", host.config)
    assert program in remove(host, service_manager="supervisor")
    assert host.commands == []
    with pytest.raises(InvalidValue, match="gunicorn_service_name: 'all'"):
        remove(host, service_manager="supervisor", service_name="all")
