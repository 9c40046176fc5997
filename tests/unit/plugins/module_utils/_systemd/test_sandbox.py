# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut

UNIT = "[Service]\nUser=shop\nProtectProc=invisible\nSystemCallFilter=@system-service\nSystemCallFilter=~@x\nPrivateUsers=yes\n"
CONDITIONS = "systemd 257, podman, capabilities 0000000080a415fb"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A container of Debian 13."""
    for path, text in {
        "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so": "",
        "run/systemd/container": "podman\n",
        "proc/1/status": "CapInh:\t0000000000000000\nCapBnd:\t0000000080a415fb\n",
        "proc/1/uid_map": "         0          0 4294967295\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


class TestConditions:
    def test_what_decides(self, root: Path) -> None:
        """The version, the container, and its capabilities."""
        assert sandbox.conditions(str(root)) == CONDITIONS

    def test_users_of_another_host(self, root: Path) -> None:
        """The kernel lets root do less there."""
        (root / "proc/1/uid_map").write_text("0 100000 65536\n")
        assert sandbox.conditions(str(root)) == "systemd 257, podman, mapped users, capabilities 0000000080a415fb"

    def test_a_host_that_says_nothing(self, tmp_path: Path) -> None:
        """It has conditions, too, which do not change; a kernel without user namespaces maps no users."""
        assert sandbox.conditions(str(tmp_path)) == ("systemd of unknown version, no container, capabilities unknown")

    def test_what_a_container_engine_writes_can_not_end_the_comment(self, root: Path) -> None:
        """It is one word in a unit."""
        (root / "run/systemd/container").write_text("a).\nUser=root")
        assert "\n" not in sandbox.conditions(str(root))


class TestLeftOut:
    @pytest.mark.parametrize("names", [("PrivateUsers",), ("ProtectProc", "SystemCallFilter"), ("SystemCallFilter",)])
    def test_what_is_left_out_is_known_again(self, root: Path, names: tuple) -> None:
        """By the comment in the unit, so that the next run writes the same unit."""
        left_out = LeftOut(names, CONDITIONS)
        text = sandbox.without(UNIT, left_out)
        assert not any(line.startswith(f"{name}=") for line in text.splitlines() for name in names)
        assert sandbox.read_left_out(text, (), str(root)) == left_out
        assert sandbox.without(UNIT, sandbox.read_left_out(text, (), str(root))) == text
        assert text.count("# This host can't apply") == 1
        assert "User=shop\n" in text

    def test_a_host_that_has_changed_is_tried_again(self, root: Path) -> None:
        """With another systemd, or other capabilities."""
        text = sandbox.without(UNIT, LeftOut(("PrivateUsers",), CONDITIONS.replace("257", "252")))
        assert sandbox.read_left_out(text, (), str(root)) == LeftOut()

    def test_what_a_user_names_is_not_left_out(self, root: Path) -> None:
        """It is wanted."""
        text = sandbox.without(UNIT, LeftOut(("ProtectProc", "PrivateUsers"), CONDITIONS))
        assert sandbox.read_left_out(text, {"ProtectProc": "default"}, str(root)).directives == ("PrivateUsers",)
        assert sandbox.read_left_out(text, ["ProtectProc", "PrivateUsers"], str(root)) == LeftOut()

    @pytest.mark.parametrize("text", [None, "", UNIT, "# This host can't apply it (tried with x)\n"])
    def test_most_units_leave_nothing_out(self, root: Path, text: str | None) -> None:
        """They stay as they are."""
        assert sandbox.read_left_out(text, (), str(root)) == LeftOut()
        assert sandbox.without(UNIT, LeftOut()) == UNIT
        assert sandbox.without(UNIT, LeftOut(("ProtectClock",), CONDITIONS)) == UNIT
