# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import grp
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import accounts as plan_accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_an_account_of_the_distribution_is_not_taken_by_chance(host: SimpleNamespace, plan: Callable) -> None:
    """A project called news does not get Debian's user news; gunicorn_user can name such a user."""
    host.accounts["news"] = host.accounts["www"] = Account(9, 9, (9,))
    with pytest.raises(InvalidValue, match="gunicorn_project: 'news'.*gunicorn_user"):
        plan(project="news", user="news")
    assert plan(user="www")["create_user"] is False


def test_a_root_by_another_name(host: SimpleNamespace, plan: Callable) -> None:
    """Root is whoever has the uid 0."""
    host.accounts["shop"] = Account(0, 0, (0,))
    with pytest.raises(InvalidValue, match="gunicorn_user: 'shop'.*uid 0"):
        plan()


@pytest.mark.parametrize("group", ["root", "shadow", "docker", "adm"])
def test_a_group_with_privileges(plan: Callable, group: str) -> None:
    """Its members are as good as root, or read what others keep secret."""
    with pytest.raises(InvalidValue, match=f"gunicorn_group: '{group}'.*a group of the service's own: this one has"):
        plan(group=group)


def test_another_name_of_a_group_with_privileges(plan: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number counts."""
    monkeypatch.setattr(accounts, "group_id", {"wheels": 0, "web": grp.getgrnam("daemon").gr_gid}.__getitem__)
    with pytest.raises(InvalidValue, match="gunicorn_group: 'wheels'.*this one, which is root, has privileges"):
        plan(group="wheels")
    plan(group="web")


def test_a_user_with_privileges(host: SimpleNamespace, at_host: Callable) -> None:
    """It is the administrator's decision, and the run says what it means."""
    host.accounts["shop"] = Account(4242, 4242, (4242, grp.getgrnam("sudo").gr_gid, grp.getgrnam("disk").gr_gid))
    (told,) = plan_accounts.warnings(at_host())
    assert told.startswith("gunicorn_user: the user shop is in disk, sudo, and so is the application")
    host.accounts["shop"] = Account(4242, 4242, (4242, grp.getgrnam("adm").gr_gid))
    assert plan_accounts.warnings(at_host()) == []
    del host.accounts["shop"]
    assert plan_accounts.warnings(at_host()) == []


def test_the_role_makes_no_account_where_it_must_not(host: SimpleNamespace, plan: Callable) -> None:
    """The error names what is missing, the user first."""
    with pytest.raises(InvalidValue, match="gunicorn_user: 'shop'.*gunicorn_manage_user"):
        plan(manage_user=False)
    host.accounts["shop"] = Account(4242, 4242, (4242,))
    with pytest.raises(InvalidValue, match="gunicorn_group: 'shop'.*gunicorn_manage_user"):
        plan(manage_user=False)
    host.groups.add("shop")
    assert not plan(manage_user=False)["create_user"]


@pytest.mark.parametrize(("key", "name"), [("group", "nginx"), ("owner", "nobody2")])
def test_others_that_a_unix_socket_is_for(host: SimpleNamespace, plan: Callable, key: str, name: str) -> None:
    """The role does not make them: systemd would fail the socket."""
    with pytest.raises(InvalidValue, match=f"gunicorn_bind: '{name}'.*of the host"):
        plan(bind=[{"path": "/run/shop.sock", key: name}])
    host.groups.add(name)
    host.accounts[name] = Account(99, 99, (99,))
    plan(bind=[{"path": "/run/shop.sock", key: name}])
