# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_names_are_removed_in_one_order(host: Host) -> None:
    """The user last, since files belong to the user."""
    wanted = parameters.check_parameters(host.arguments(remove=["user", "logs", "venv"]))
    assert wanted.named == ("venv", "logs", "user")


@pytest.mark.parametrize(
    ("log_file", "access_log_file", "files"),
    [("-", "", ()), ("-", "-", ()), ("/log/a", "", ("/log/a",)), ("/log/a", "/log/b", ("/log/a", "/log/b"))],
)
def test_logs_that_are_files(host: Host, log_file: str, access_log_file: str, files: tuple[str, ...]) -> None:
    """A dash is the journal, and without an access log there is none."""
    given = host.arguments(log_file=log_file, access_log_file=access_log_file)
    assert parameters.check_parameters(given).log_files == files


@pytest.mark.parametrize(
    ("option", "variable", "value"),
    [
        ("project", "gunicorn_project", "a b"),
        ("service_name", "gunicorn_service_name", "../shop"),
        ("user", "gunicorn_user", "a:b"),
        ("group", "gunicorn_group", "-a"),
        ("venv", "gunicorn_venv", "venv"),
        ("code_directory", "gunicorn_code_directory", "/"),
        ("config_directory", "gunicorn_config_directory", "/etc/../shop"),
        ("data_directory", "gunicorn_data_directory", ""),
        ("log_file", "gunicorn_log_file", "log"),
        ("access_log_file", "gunicorn_access_log_file", "log"),
    ],
)
def test_a_value_that_can_not_be_used(host: Host, option: str, variable: str, value: str) -> None:
    """The error names the variable of the role. A path must never get through that leads elsewhere."""
    with pytest.raises(InvalidValue, match=f"^{variable}: "):
        parameters.check_parameters(host.arguments(**{option: value}))


def test_a_user_that_the_role_does_not_manage_is_refused(host: Host) -> None:
    """The role did not make it."""
    with pytest.raises(InvalidValue, match="gunicorn_absent_remove: 'user'.*gunicorn_manage_user"):
        parameters.check_parameters(host.arguments(manage_user=False, remove=["user"]))
