# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers of what a deployment finds on its host; what they read from can be handed in, for tests."""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

# Where an administrator's units stand, and the role's
UNIT_DIRECTORY = "/etc/systemd/system"
# Where units are until the next boot
RUNTIME_UNITS = "/run/systemd/system"
_SHOW = ("Id", "LoadState", "ActiveState", "UnitFileState", "MainPID", "NeedDaemonReload", "FragmentPath", "Listen")


class Unit(NamedTuple):
    """A systemd unit, as `systemctl show` tells it."""

    exists: bool
    active: bool
    starting: bool
    enabled: bool
    main_pid: int
    stale: bool
    path: str
    listen: tuple[str, ...]
    masked: bool = False


def read_units(names: list[str], runner: Runner) -> dict[str, Unit]:
    """Ask systemd about units."""
    return {name: _parse_unit(block) for name, block in zip(names, show_units(names, _SHOW, runner))}


def show_units(names: list[str], properties: tuple[str, ...], runner: Runner) -> list[dict[str, list[str]]]:
    """Ask systemd for properties of units, in the order asked; a value for each time that it prints one."""
    printed = runner.output(["systemctl", "show", "--no-pager", f"--property={','.join(properties)}", *names])
    # a block a unit, parted by an empty line; Listen= stands in a block once per address
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
        # also between two attempts of a service that does not come up
        starting=first("ActiveState") == "activating",
        enabled=first("UnitFileState") == "enabled",
        main_pid=int(first("MainPID") or 0),
        stale=first("NeedDaemonReload") == "yes",
        path=first("FragmentPath"),
        listen=tuple(value.rpartition(" (")[0] for value in values.get("Listen", [])),
    )


def runtime_path(name: str) -> str:
    """Where the file of a unit is that a boot removes."""
    return os.path.join(RUNTIME_UNITS, name)


def write_runtime_unit(name: str, text: str) -> None:
    """Write a unit that is gone after a boot, so that nothing of an interrupted change comes back with it."""
    path = runtime_path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    files.put(WantedFile(path, text, 0o644, os.getegid(), os.geteuid()))
