# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the users and groups that a deployment names against those of the host."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts as host_accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Where sudo reads rules of packages and administrators
_SUDOERS = "/etc/sudoers.d"


def check_accounts(wanted: DeploymentParameters) -> Account | None:
    """The account of the service, or None if it must be made; raises InvalidValue for one that can't be used."""
    account = host_accounts.read_account(wanted.user)
    if account is not None and account.uid == 0:
        raise InvalidValue("gunicorn_user", wanted.user, "an unprivileged user: this one has uid 0")
    if account is not None and account.uid < 100 and wanted.user == wanted.project:
        expected = "another user (gunicorn_user): the distribution has one of this name for itself"
        raise InvalidValue("gunicorn_project", wanted.project, expected)
    # Another name of such a group, also of root's with the number 0, is as good as the group.
    parameters.check_group(wanted.group, host_accounts.group_name(host_accounts.group_id(wanted.group)))
    _check_socket_accounts(wanted)
    if wanted.run_group:
        _check_run_group(wanted, account)
    if not wanted.manage_user:
        if account is None:
            raise InvalidValue("gunicorn_user", wanted.user, "an existing user, as gunicorn_manage_user is false")
        if not host_accounts.has_group(wanted.group):
            raise InvalidValue("gunicorn_group", wanted.group, "an existing group, as gunicorn_manage_user is false")
    return account


def warnings(wanted: DeploymentParameters) -> list[str]:
    """What to know of a user who was made by hand: with some groups, whoever takes over the application is root.

    A warning and no error: an administrator gave these groups to the user, and the service runs that way already.
    """
    account = host_accounts.read_account(wanted.user)
    names = map(host_accounts.group_name, sorted(set(account.groups))) if account else ()
    powerful = [name for name in names if name in host_accounts.POWERFUL]
    if not powerful:
        return []
    told = (
        f"the user {wanted.user} is in {', '.join(powerful)}, and so is the application, which can become root by that"
    )
    return [f"gunicorn_user: {told}. Give the service a user of its own, without these groups."]


def _check_run_group(wanted: DeploymentParameters, account: Account | None) -> None:
    """Its members call a program of root's: the service must not be among them."""
    group = wanted.run_group
    if not host_accounts.has_group(group):
        raise InvalidValue("gunicorn_run_group", group, "a group of the host, which the role does not make")
    if group == wanted.group or (account and host_accounts.group_id(group) in account.groups):
        raise InvalidValue(
            "gunicorn_run_group", group, f"another group: the service's user {wanted.user} is in this one"
        )
    if not os.path.isdir(_SUDOERS):
        raise InvalidValue("gunicorn_run_group", group, f"a host with sudo, by which it works: there is no {_SUDOERS}")


def _check_socket_accounts(wanted: DeploymentParameters) -> None:
    """The role does not make accounts that only a unix socket names."""
    for name in sorted({bind.group for bind in wanted.binds if bind.group} - {wanted.group}):
        if not host_accounts.has_group(name):
            raise InvalidValue("gunicorn_bind", name, "a group of the host for the unix socket")
    for name in sorted({bind.owner for bind in wanted.binds if bind.owner} - {wanted.user}):
        if host_accounts.read_account(name) is None:
            raise InvalidValue("gunicorn_bind", name, "a user of the host for the unix socket")
