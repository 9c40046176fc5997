# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox_trial

UNIT = """[Unit]
PrivateUsers=in another section
[Service]
Type=notify
User=shop
Environment=A=1
LoadCredential=a:/etc/a
EnvironmentFile=/etc/opt/shop/secrets.env
ExecStart=/opt/shop/venv/bin/gunicorn
ReadWritePaths=/var/opt/shop
PrivateUsers=yes
ProtectProc=invisible
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
MemoryMax=1G
"""
OPTIONAL = ["PrivateUsers", "ProtectProc", "SystemCallFilter", "ProtectClock"]


class Host:
    """A host that can't apply some directives, or not together; `failing` says for a set of names what fails."""

    def __init__(self, failing: Callable[[set[str]], bool], status: int = 217) -> None:
        self.failing, self.status = failing, status
        self.tried: list[list[str]] = []

    def run(self, command: list[str]) -> tuple[int, str, str]:
        """What systemd-run does."""
        assert command[:4] == ["systemd-run", "--quiet", "--collect", "--wait"]
        assert command[-1] == "/bin/true"
        lines = [part[len("--property=") :] for part in command[4:-1]]
        self.tried.append(lines)
        names = {line.partition("=")[0] for line in lines}
        if not self.failing(names):
            return 0, "", ""
        # If the first of two programs fails, systemd-run does not say why.
        is_first = "ExecStartPre" in names and self.failing(names - {"ExecStartPre"})
        return 1 if is_first else self.status, "", ""

    def unfit(self, optional: list[str] | None = None, root: Path | None = None) -> list[str]:
        """What must go."""
        return sandbox_trial.unfit(
            UNIT, OPTIONAL if optional is None else optional, Runner(self.run), str(root or "/no/such")
        )


@pytest.mark.parametrize(
    ("failing", "unfit"),
    [
        (lambda names: "PrivateUsers" in names, ["PrivateUsers"]),
        (lambda names: "SystemCallFilter" in names, ["SystemCallFilter"]),
        # As in a container without CAP_SYS_PTRACE
        (lambda names: {"PrivateUsers", "ProtectProc"} <= names, ["PrivateUsers"]),
        (lambda names: bool({"PrivateUsers", "ProtectProc"} & names), ["ProtectProc", "PrivateUsers"]),
        (lambda names: False, []),
        (lambda names: True, []),
        (lambda names: "ReadWritePaths" in names, []),
    ],
)
def test_no_more_goes_than_must(failing: Callable, unfit: list[str]) -> None:
    """Nothing, if the sandbox is not the reason, or if the rest fails as well, as with a path that is missing."""
    assert Host(failing).unfit() == unfit


def test_what_only_a_second_program_can_not_join_goes() -> None:
    """As an IPC namespace without CAP_SYS_ADMIN on systemd 252: the service itself starts, and no command beside it."""

    def failing(names: set[str]) -> bool:
        return {"ExecStartPre", "PrivateUsers", "ProtectProc"} <= names

    assert Host(failing, status=226).unfit() == ["PrivateUsers"]


@pytest.mark.parametrize(
    ("effective", "unfit"),
    [("00000000a82425fb", ["PrivateUsers"]), ("00000000800405fb", ["ProtectProc"]), ("", ["PrivateUsers"])],
)
def test_without_sys_admin_the_user_namespace_is_what_the_others_need(
    tmp_path: Path, effective: str, unfit: list[str]
) -> None:
    """Only in it systemd can set them up then. Elsewhere it matters least."""
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/1/status").write_text(f"CapInh:\t0000000000000000\nCapEff:\t{effective}\nCapBnd:\t0\n")
    host = Host(lambda names: {"PrivateUsers", "ProtectProc"} <= names)
    assert host.unfit(root=tmp_path) == unfit


def test_what_somebody_asked_for_stays() -> None:
    """Of two that can't be applied together, the other one goes."""
    host = Host(lambda names: {"PrivateUsers", "ProtectProc"} <= names)
    assert host.unfit(["ProtectProc"]) == ["ProtectProc"]
    assert host.unfit([]) == []


def test_other_failures_are_not_the_sandboxs() -> None:
    """Such as a property that systemd-run does not know."""
    assert Host(lambda names: "PrivateUsers" in names, status=1).unfit() == []


def test_a_trial_has_the_sandbox_alone() -> None:
    """It is not the service, and gets neither its environment nor its secrets; other limits count."""
    host = Host(lambda names: False)
    host.unfit()
    assert host.tried[0] == [
        "User=shop",
        "ReadWritePaths=/var/opt/shop",
        "PrivateUsers=yes",
        "ProtectProc=invisible",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged",
        "MemoryMax=1G",
        "ExecStartPre=/bin/true",
    ]


def test_few_steps_are_of_the_sandbox() -> None:
    """An application that ends, or an interpreter that is missing, says nothing of it."""
    assert sandbox_trial.is_of_sandbox(226)
    assert not any(map(sandbox_trial.is_of_sandbox, (0, 1, 3, 200, 203)))
