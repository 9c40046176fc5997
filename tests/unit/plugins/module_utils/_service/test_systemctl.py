# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import NotStarted


def test_what_fails_is_told_in_its_first_line(systemd) -> None:
    """The rest says where to read more, which is read already."""
    systemd.failing = "start"
    with pytest.raises(Failed, match=r"\AJob failed\Z"):
        systemd.systemctl.do("start", "shop.service")
    assert systemd.systemctl.attempt("start", "shop.service") is False


def test_what_fails_without_a_word_is_named(systemd) -> None:
    """An empty reason would be no reason."""
    systemd.run = lambda command: (1, "", "")
    with pytest.raises(Failed, match=r"\Asystemctl start shop\.service failed\Z"):
        systemd.systemctl.do("start", "shop.service")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("226", r"\AJob failed\. It failed at 226/NAMESPACE: its view of the file system can't be set up"),
        ("203", r"\AJob failed\. It failed at 203/EXEC: its program can't be executed\Z"),
        ("1", r"\AJob failed\Z"),
        ("", r"\AJob failed\Z"),
    ],
)
def test_a_start_names_the_step_that_failed(systemd, status: str, said: str) -> None:
    """systemctl says that a process exited, and systemd knows at which step; an application's own status is none."""
    systemd.failing = "restart"
    systemd.loaded["shop.service"] = f"ExecMainStatus={status}"
    with pytest.raises(NotStarted, match=said) as caught:
        systemd.systemctl.start("restart", "shop.service")
    assert caught.value.status == int(status or 0)


def test_a_command_beside_the_service_can_fail_at_a_step(systemd) -> None:
    """The main process may work then, and end when it is told to."""
    systemd.failing = "restart"
    command = "{ path=/bin/sh ; argv[]=/bin/sh -c %s ; ignore_errors=no ; pid=7 ; code=exited ; status=%d }"
    post = "\n".join(f"ExecStartPost={command % ('true', status)}" for status in (0, 226))
    systemd.loaded["shop.service"] = f"ExecMainStatus=0\nExecStartPre={command % ('true', 1)}\n{post}"
    with pytest.raises(NotStarted, match="It failed at 226/NAMESPACE") as caught:
        systemd.systemctl.start("restart", "shop.service")
    assert caught.value.status == 226


def test_a_unit_is_read(systemd) -> None:
    """By its name, whether it exists or not."""
    systemd.loaded["shop.service"] = "LoadState=loaded\nActiveState=active\nMainPID=7"
    assert systemd.systemctl.read("shop.service").main_pid == 7
    assert not systemd.systemctl.read("other.service").exists
    assert [unit.exists for unit in systemd.systemctl.read_all("other.service", "shop.service")] == [False, True]
