# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to happen to a service so that what runs is what is wanted.

The decision goes by what is there and what runs, not by what this run of Ansible happened to write: a play that was
killed has lost its handlers, and the next one finds its files already in place.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ansible_collections.pyweb.gunicorn.plugins.module_utils._binds import Bind
from ansible_collections.pyweb.gunicorn.plugins.module_utils._files import WantedFile, text_hash
from ansible_collections.pyweb.gunicorn.plugins.module_utils._hoststate import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._running import Running

if TYPE_CHECKING:
    from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health


class Started(Protocol):
    """What a process that runs can be compared with, whoever started it."""

    configuration: WantedFile
    argv: tuple[str, ...]
    workers: int
    venv_directory: str
    gunicorn_version: str
    configuration_hash: str
    secrets_hash: str


class Wanted(NamedTuple):
    """A service as it shall be."""

    name: str
    started: bool
    enabled: bool
    user: str
    group: str
    log_file: str
    config_directory: str
    configuration: WantedFile
    unit: WantedFile
    socket: WantedFile
    logrotate: WantedFile
    secret_files: tuple[WantedFile, ...]
    standin_unit: str
    binds: tuple[Bind, ...]
    argv: tuple[str, ...]
    workers: int
    venv: str
    venv_directory: str
    venv_backup: str
    gunicorn_version: str
    # Hashes of what the process is started with, and of its secrets alone.
    configuration_hash: str
    secrets_hash: str
    health: _health.Request
    health_timeout: float

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, the units last: they name the others."""
        return [self.configuration, *self.secret_files, self.socket, self.unit]

    @property
    def all_files(self) -> list[WantedFile]:
        """What the host shall have; the rotation of the logs comes last, after a change that worked."""
        return [*self.files, self.logrotate]

    @property
    def idle_paths(self) -> tuple[str, str]:
        """The files that a running process does not read, and need not be started anew for."""
        return self.logrotate.path, self.socket.path


class Observed(NamedTuple):
    """What a host has of it."""

    service: Unit
    socket: Unit
    standin: Unit
    running: Running | None
    differing: tuple[str, ...]  # paths of files that are not as wanted
    addresses: frozenset[str]  # of the live socket unit
    closed: tuple[str, ...]  # wanted addresses on which nothing listens
    venv_directory: str
    interrupted: bool


class Decision(NamedTuple):
    """What to do, and why; without reasons there is nothing to do."""

    reasons: list[str]
    switch: bool  # start what is wanted: the process is gone, or another one


def fill_in(text: str, name: str, value: str) -> str:
    """Replace a template's last `@NAME@`: what users wrote stands before it."""
    before, mark, after = text.rpartition(f"@{name}@")
    return before + value + after if mark else text


def digest(*texts: str) -> str:
    """A hash over texts that can't be mistaken for that of others which join to the same."""
    return hashlib.sha256(
        "".join(f"{len(text)}:{text}" for text in texts).encode("utf-8", "surrogateescape")
    ).hexdigest()


def socket_addresses(text: str | None) -> frozenset[str]:
    """The addresses of a socket unit."""
    return frozenset(re.findall(r"^ListenStream=(.*)$", text or "", re.MULTILINE))


def with_addresses(text: str, addresses: set[str] | frozenset[str]) -> str:
    """The text of a socket unit with only these of its addresses."""
    gone = [f"ListenStream={address}" for address in socket_addresses(text) - addresses]
    return "".join(line for line in text.splitlines(keepends=True) if line.rstrip("\n") not in gone)


def ended_flag(name: str) -> str:
    """The file that says that a unit of added addresses has ended."""
    return f"/run/gunicorn-{name}.ended"


def added_unit(text: str, socket: str, name: str, addresses: set[str]) -> str:
    """The text of a unit with these addresses of a socket unit, which goes when that one does.

    Restarted along with it, it would find its addresses taken by that one: its own end keeps it from that.
    """
    unit = f"BindsTo={socket}\nAfter={socket}\nConditionPathExists=!{ended_flag(name)}\n"
    section = f"ExecStopPost=/bin/touch {ended_flag(name)}\n"
    part = with_addresses(text, addresses).partition("[Install]")[0].rstrip()
    return part.replace("[Socket]\n", f"{unit}\n[Socket]\n{section}", 1) + "\n"


def beside_unit(text: str, service: str, moved: dict[str, str], ipv6_only: bool | None) -> str:
    """The text of a socket unit that opens TCP addresses beside a server, and unix sockets at the paths in `moved`.

    It is another service's, since systemd opens no socket for one that runs already. Two sockets share an address only
    if they are of one mind about IPv4, of which `ipv6_only` says what the server's are, if it has any.
    """
    lines = []
    for line in text.partition("[Install]")[0].rstrip().splitlines():
        name, _equals, value = line.partition("=")
        if name == "ListenStream":
            line = f"ListenStream={moved.get(value, value)}"
        if name not in ("Service", "ReusePort") and (name != "BindIPv6Only" or ipv6_only is None):
            lines.append(line)
    lines += [f"Service={service}", "ReusePort=yes"]
    if ipv6_only is not None:
        lines.append(f"BindIPv6Only={'ipv6-only' if ipv6_only else 'both'}")
    return "\n".join(lines) + "\n"


def is_ours(text: str | None) -> bool:
    """Whether a file is one that the role wrote."""
    return (
        re.search(r"^[#;] Managed by Ansible \(role pyweb\.gunicorn\.gunicorn\)", text or "", re.MULTILINE) is not None
    )


def decide(wanted: Wanted, observed: Observed) -> Decision:
    """Compare what a host has and runs with what it shall."""
    idle = _idle_reasons(wanted, observed)
    if wanted.started:
        reasons = _reasons_to_switch(wanted, observed)
        return Decision(reasons + idle, switch=bool(reasons))
    if observed.service.active or observed.service.starting or observed.socket.active:
        idle.append("the service runs and shall be stopped")
    return Decision(idle, switch=False)


def _idle_reasons(wanted: Wanted, observed: Observed) -> list[str]:
    """What can be put right without starting anything."""
    service, socket = observed.service, observed.socket
    reasons = [unlike(path) for path in observed.differing if not wanted.started or path in wanted.idle_paths]
    if service.enabled != wanted.enabled or socket.enabled != wanted.enabled:
        reasons.append(f"the service shall {'' if wanted.enabled else 'not '}start at boot")
    if service.stale or socket.stale:
        reasons.append("systemd has not read the units since they changed")
    if observed.standin.active or observed.standin.starting:
        reasons.append("the stand-in of an interrupted deployment still runs")
    if not wanted.started and (observed.interrupted or _has_new_venv(wanted, observed)):
        reasons.append("a deployment was not finished")
    return reasons


def _reasons_to_switch(wanted: Wanted, observed: Observed) -> list[str]:
    reasons = []
    if not observed.socket.active:
        reasons.append("the listening sockets are not open")
    if observed.closed:
        reasons.append(f"nothing listens on {', '.join(observed.closed)}")
    elif observed.addresses != {bind.listen_stream for bind in wanted.binds}:
        reasons.append("the listening addresses are not the ones that are configured")
    if observed.interrupted:
        reasons.append("the last change was interrupted")
    if _has_new_venv(wanted, observed):
        reasons.append("the virtual environment was changed")
    reasons += [unlike(path) for path in observed.differing if path not in wanted.idle_paths]
    if not observed.service.active or observed.running is None:
        reasons.append("the service does not run")
    else:
        reasons += mismatches(wanted, observed.running)
    return reasons


def unlike(path: str) -> str:
    """The reason that a file is."""
    return f"{path} is not as configured"


def _has_new_venv(wanted: Wanted, observed: Observed) -> bool:
    return bool(wanted.venv_backup) or observed.venv_directory != wanted.venv_directory


def mismatches(wanted: Started, running: Running) -> list[str]:
    """How what runs differs from what is wanted; the names of the differences, and values that are no secrets."""
    compared = [
        ("Gunicorn's version", running.gunicorn_version, wanted.gunicorn_version),
        ("the virtual environment", running.prefix, wanted.venv_directory),
        ("the number of workers", running.workers, wanted.workers),
    ]
    found = [f"{name} is {is_now or 'unknown'}, not {shall}" for name, is_now, shall in compared if is_now != shall]
    if running.argv != wanted.argv:
        found.append(_argv_mismatch(running.argv, wanted.argv))
    if not found and running.configuration_sha256 != text_hash(wanted.configuration.content or ""):
        found.append("what runs was started with another gunicorn.conf.py")
    if not found and running.configuration != wanted.configuration_hash:
        found.append("what runs was started with another configuration")
    if not running.holds_sockets:
        found.append("what runs has opened its sockets itself")
    if running.secrets != wanted.secrets_hash:
        found.append("what runs was started with other secrets")
    return found


def _argv_mismatch(is_now: tuple[str, ...], shall: tuple[str, ...]) -> str:
    more = " ".join(part for part in is_now if part not in shall)
    less = " ".join(part for part in shall if part not in is_now)
    return f"the command line has {more or 'nothing'} in place of {less or 'nothing'}"
