# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd says of units."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

# The units of administrators, and of the role
UNIT_DIRECTORY = "/etc/systemd/system"
# Those that a boot removes
RUNTIME_DIRECTORY = "/run/systemd/system"
_SHOW = ("Id", "LoadState", "ActiveState", "UnitFileState", "MainPID", "NeedDaemonReload", "FragmentPath", "Listen")


class Unit(NamedTuple):
    """A systemd unit, as `systemctl show` prints it."""

    exists: bool
    active: bool
    starting: bool
    enabled: bool
    main_pid: int
    stale: bool
    path: str
    listen: tuple[str, ...]
    masked: bool = False
    stopping: bool = False


def read_units(names: list[str], runner: Runner) -> dict[str, Unit]:
    """Ask systemd about units."""
    return {name: _parse_unit(block) for name, block in zip(names, show_units(names, _SHOW, runner))}


def show_units(
    names: list[str], properties: tuple[str, ...], runner: Runner, **options: Any
) -> list[dict[str, list[str]]]:
    """Ask systemd for properties of units; for each unit, in this order, the values that it prints of each property."""
    command = ["systemctl", "show", "--no-pager", f"--property={','.join(properties)}", *names]
    printed = runner.output(command, **options)
    # systemd prints a block for each unit and an empty line between two. Listen= is there once for each address.
    return [_parse_block(block) for block in printed.strip("\n").split("\n\n")]


def _parse_block(block: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for line in block.splitlines():
        name, _equals, value = line.partition("=")
        values.setdefault(name, []).append(value)
    return values


def _parse_unit(values: dict[str, list[str]]) -> Unit:
    def first(name: str) -> str:
        return values.get(name, [""])[0]

    return Unit(
        exists=first("LoadState") not in ("", "not-found"),
        masked=first("LoadState") == "masked",
        active=first("ActiveState") in ("active", "reloading"),
        # Also between two attempts to start a service that fails
        starting=first("ActiveState") == "activating",
        stopping=first("ActiveState") == "deactivating",
        enabled=first("UnitFileState") == "enabled",
        main_pid=int(first("MainPID") or 0),
        stale=first("NeedDaemonReload") == "yes",
        path=first("FragmentPath"),
        listen=tuple(value.rpartition(" (")[0] for value in values.get("Listen", [])),
    )
