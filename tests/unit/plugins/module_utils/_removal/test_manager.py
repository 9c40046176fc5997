# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner


def test_only_a_file_that_the_role_did_not_make_is_foreign(host: Host) -> None:
    """A directory or a dangling link in its place was not made by the role, either."""
    assert not manager.is_foreign(str(host.root / "none"))
    assert not manager.is_foreign(host.write("ours", host.ours))
    assert manager.is_foreign(host.write("other", "# Managed by hand\n"))
    (host.root / "link").symlink_to("nowhere")
    assert manager.is_foreign(str(host.root / "link"))
    assert manager.is_foreign(str(host.root))


def test_what_an_interrupted_change_leaves() -> None:
    """A candidate and a predecessor for each file."""
    assert manager.left_beside(["/etc/a.conf"]) == ["/etc/.candidate.a.conf", "/etc/.previous.a.conf"]


@pytest.mark.parametrize(
    ("output", "errors", "said"),
    [("out", "userdel:\n in use\n", "userdel: in use"), ("out\n", "", "out"), ("", "", "userdel web failed")],
)
def test_a_command_that_fails_has_its_own_words(output: str, errors: str, said: str) -> None:
    """On one line."""
    with pytest.raises(RemovalError, match=f"^{said}$"):
        manager.command(Runner(lambda _command: (1, output, errors)), "userdel", "web")
