# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which directives of a running service took effect.

Where systemd lacks a privilege, as in many containers, it starts a service without a part of its sandbox, and tells
nobody. So what counts is what the kernel says of the main process. Sources: namespaces(7), proc_pid_status(5),
proc_pid_mountinfo(5), proc(5) on hidepid= and subset=, and systemd.exec(5).
"""

from __future__ import annotations

import functools
import os
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import as_owner, capabilities
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import field, join, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes

# systemd sets up the view of the file system as a whole, or not at all.
_MOUNTS = (
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "PrivateMounts",
    "ProtectKernelTunables",
    "ProtectControlGroups",
)
_NAMESPACES = {
    **dict.fromkeys(_MOUNTS, "mnt"),
    "PrivateUsers": "user",
    "PrivateIPC": "ipc",
    "PrivateNetwork": "net",
    "ProtectHostname": "uts",
}
# The options of /proc, which some containers do not let systemd mount anew
_PROC = {"ProtectProc": "hidepid=", "ProcSubset": "subset="}
_FILTERS = (
    "SystemCallFilter",
    "SystemCallArchitectures",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "ProtectClock",
    "ProtectKernelModules",
    "ProtectKernelLogs",
)
_LIMITS = {
    "MemoryMax": ("memory.max", "memory.limit_in_bytes"),
    "MemoryHigh": ("memory.high",),
    "CPUQuotaPerSecUSec": ("cpu.max", "cpu.cfs_quota_us"),
}
_BPF = ("IPAddressDeny", "IPAddressAllow")
# The properties to ask systemd for; those of _OTHERS have a check of their own.
_OTHERS = ("NoNewPrivileges", "CapabilityBoundingSet", "OOMScoreAdjust", "DevicePolicy")
PROPERTIES = (*_NAMESPACES, *_PROC, *_FILTERS, *_LIMITS, *_BPF, *_OTHERS)
_NOT_ASKED = ("", "no", "default", "all", "auto", "infinity", "false", "[not set]")


class Effect(t.NamedTuple):
    """The directives that a service asks for: those that took effect, those that did not, and those nobody can tell."""

    applied: tuple[str, ...]
    not_applied: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """What did not take effect, and is worth a warning: with its own /dev, a service finds no devices anyway."""
        silent = () if "PrivateDevices" in self.not_applied else ("DevicePolicy",)
        return tuple(name for name in self.not_applied if name not in silent)


def read_effect(unit: str, pid: int, asked: t.Mapping[str, str], root: str = "/") -> Effect | None:
    """Return what took effect of the properties that systemd shows of a unit; None if its main process has gone."""
    process = _Process(unit, pid, root)
    found = {name: process.applies(name, value) for name, value in asked.items() if _is_asked(name, value)}
    if not process.exists():
        return None
    return Effect(
        applied=tuple(sorted(_directive(name) for name, applies in found.items() if applies)),
        not_applied=tuple(sorted(_directive(name) for name, applies in found.items() if applies is False)),
        unknown=tuple(sorted(_directive(name) for name, applies in found.items() if applies is None)),
    )


def _is_asked(name: str, value: str) -> bool:
    if name == "CapabilityBoundingSet":
        return not value
    return name in PROPERTIES and value not in _NOT_ASKED and (name, value) != ("OOMScoreAdjust", "0")


def _directive(name: str) -> str:
    return "CPUQuota" if name == "CPUQuotaPerSecUSec" else name


class _Process:
    """The main process of a service, beside the first process of its host."""

    def __init__(self, unit: str, pid: int, root: str) -> None:
        self._unit, self._pid, self._root = unit, pid, root
        self._namespaces: dict[str, list[str | None]] = {}
        self._status, self._first = (read(join(root, f"/proc/{each}/status")) for each in (pid, 1))

    def exists(self) -> bool:
        return bool(self._status and read(join(self._root, f"/proc/{self._pid}/status")))

    def applies(self, name: str, value: str) -> bool | None:
        """Whether a property of this value took effect; None if that can't be told."""
        if name in _NAMESPACES:
            return self._has_own(_NAMESPACES[name])
        if name in _PROC:
            return self._has_own("mnt") and _PROC[name] in self._proc_options
        if name in _FILTERS:
            return self._is_filtered()
        if name in _LIMITS:
            return any(os.path.exists(os.path.join(group, file)) for group in self._groups for file in _LIMITS[name])
        if name in _BPF:
            return self._may_load_bpf() and self._has_group("")
        if name == "DevicePolicy":
            return self._has_group("devices") if "devices" in self._hierarchies else self._may_load_bpf()
        if name == "OOMScoreAdjust":
            return read(join(self._root, f"/proc/{self._pid}/oom_score_adj")).strip() == value
        if name == "NoNewPrivileges":
            return _field(self._status, "NoNewPrivs") == "1"
        return not int(_field(self._status, "CapBnd") or "1", 16)

    def _has_own(self, kind: str) -> bool | None:
        if kind not in self._namespaces:
            self._namespaces[kind] = [self._namespace(pid, kind) for pid in (self._pid, 1)]
        own, first = self._namespaces[kind]
        return own != first if own and first else None

    def _namespace(self, pid: int, kind: str) -> str | None:
        return as_owner.read_link(pid, join(self._root, f"/proc/{pid}/ns/{kind}"), self._root)

    @functools.cached_property
    def _proc_options(self) -> str:
        """The options of the last file system that was mounted on /proc, which is the one that the process sees."""
        lines = read(join(self._root, f"/proc/{self._pid}/mountinfo")).splitlines()
        found = [line for line in lines if line.split()[4:5] == ["/proc"]]
        return found[-1].rpartition(" ")[2] if found else ""

    def _is_filtered(self) -> bool | None:
        """Whether there are more filters of system calls than the container has for all its processes."""
        if _field(self._status, "Seccomp") != "2":
            return False
        own, first = (_field(text, "Seccomp_filters") for text in (self._status, self._first))
        if own.isdigit() and first.isdigit():
            return int(own) > int(first)
        # Before Linux 5.9, they are not counted.
        return True if _field(self._first, "Seccomp") == "0" else None

    def _may_load_bpf(self) -> bool:
        may = any(capabilities.has(each, self._root) for each in (capabilities.SYS_ADMIN, capabilities.BPF))
        return may and not capabilities.are_users_mapped(self._root)

    @functools.cached_property
    def _groups(self) -> list[str]:
        return unit_processes.unit_groups(self._pid, self._unit, self._root)

    @functools.cached_property
    def _hierarchies(self) -> dict[str, str]:
        """The cgroup of each controller; that of cgroup v2 has the empty name."""
        lines = (line.split(":", 2) for line in read(join(self._root, f"/proc/{self._pid}/cgroup")).splitlines())
        return {name: line[2] for line in lines if len(line) == 3 for name in line[1].split(",")}

    def _has_group(self, controller: str) -> bool:
        return os.path.basename(self._hierarchies.get(controller, "")) == self._unit


def _field(status: str, name: str) -> str:
    value = field(status, name)
    return value if value.isalnum() else ""
