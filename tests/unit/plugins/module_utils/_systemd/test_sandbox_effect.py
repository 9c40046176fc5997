# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox_effect
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox_effect import Effect

ASKED = {
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateUsers": "yes",
    "PrivateIPC": "yes",
    "ProtectHostname": "yes",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "SystemCallFilter": "read write",
    "RestrictNamespaces": "yes",
    "DevicePolicy": "closed",
    "OOMScoreAdjust": "100",
    "MemoryMax": "1073741824",
}
NOT_ASKED = {
    "ProtectHome": "no",
    "PrivateNetwork": "no",
    "IPAddressDeny": "",
    "ProtectClock": "no",
    "MemoryHigh": "infinity",
    "CPUQuotaPerSecUSec": "infinity",
    "Id": "shop.service",
}
NAMESPACES = ("mnt", "user", "ipc", "net", "uts")
GROUP = "/system.slice/shop.service"
FULL, NARROW = "000001ffffffffff", "00000000800405fb"


class Host:
    """A host with a service as process 7, in which everything took effect."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.status(1, CapEff=FULL, Seccomp="2", Seccomp_filters="1")
        self.status(7, CapBnd="0000000000000000", NoNewPrivs="1", Seccomp="2", Seccomp_filters="29")
        self.write("proc/1/uid_map", "         0          0 4294967295\n")
        self.write("proc/1/cgroup", "0::/init.scope\n")
        self.write("proc/7/cgroup", f"0::{GROUP}\n")
        self.write("proc/7/oom_score_adj", "100\n")
        self.write("proc/self/mountinfo", "26 25 0:23 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n")
        self.write(f"sys/fs/cgroup{GROUP}/memory.max", "1073741824\n")
        self.mounted("rw,hidepid=invisible,subset=pid")
        self.namespaces(7, *NAMESPACES)

    def write(self, path: str, text: str) -> None:
        """Write a file of the kernel."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def status(self, pid: int, **fields: str) -> None:
        """What the kernel says of a process."""
        lines = {"Name": "x", **fields}
        self.write(f"proc/{pid}/status", "".join(f"{name}:\t{value}\n" for name, value in lines.items()))

    def mounted(self, options: str) -> None:
        """/proc of the service: the second one, over that of the host."""
        first, second = ("21 1 0:5 / /proc rw - proc proc rw\n", f"99 21 0:6 / /proc rw - proc proc {options}\n")
        self.write("proc/7/mountinfo", f"{first}30 21 0:7 / /proc/sys ro - proc proc rw\n{second}")

    def namespaces(self, pid: int, *own: str) -> None:
        """Which namespaces of the service are not those of the first process."""
        for kind in NAMESPACES:
            for each in (1, pid):
                link = self.root / f"proc/{each}/ns" / kind
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(f"{kind}:[{2 if each == pid and kind in own else 1}]")

    def effect(self, **asked: str) -> Effect:
        """What takes effect."""
        found = sandbox_effect.read_effect("shop.service", 7, asked or {**ASKED, **NOT_ASKED}, str(self.root))
        assert found is not None
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """It applies the whole sandbox."""
    return Host(tmp_path)


def test_a_host_that_applies_everything(host: Host) -> None:
    """What the unit does not ask for is no matter."""
    assert host.effect() == Effect(tuple(sorted(ASKED)), ())
    assert host.effect().told == ()


def test_a_container_without_sys_admin(host: Host) -> None:
    """As systemd 257 does it: there is a user namespace, and no view of the file system."""
    host.namespaces(7, "user")
    host.mounted("rw")
    host.status(1, CapEff=NARROW, Seccomp="2", Seccomp_filters="1")
    effect = host.effect()
    assert effect.not_applied == (
        "DevicePolicy",
        "PrivateDevices",
        "PrivateIPC",
        "PrivateTmp",
        "ProcSubset",
        "ProtectHostname",
        "ProtectProc",
        "ProtectSystem",
    )
    assert effect.told == effect.not_applied
    assert set(effect.applied) | set(effect.not_applied) == set(ASKED)


def test_a_container_that_keeps_its_proc(host: Host) -> None:
    """The rest of its file system is another."""
    host.mounted("rw")
    assert host.effect().not_applied == ("ProcSubset", "ProtectProc")
    host.mounted("rw,subset=pid")
    assert host.effect().not_applied == ("ProtectProc",)


def test_devices_are_told_only_where_they_can_be_opened(host: Host) -> None:
    """With a /dev of its own, a service does not find them."""
    host.write("proc/7/cgroup", f"5:devices:/\n1:name=systemd:{GROUP}\n0::{GROUP}\n")
    assert host.effect().not_applied == ("DevicePolicy",)
    assert host.effect().told == ()
    host.namespaces(7)
    assert "DevicePolicy" in host.effect().told
    host.write("proc/7/cgroup", f"5:devices:{GROUP}\n0::{GROUP}\n")
    assert "DevicePolicy" in host.effect().applied


@pytest.mark.parametrize(
    ("own", "first", "applied"),
    [
        ({"Seccomp": "0"}, {"Seccomp": "0"}, False),
        ({"Seccomp": "2", "Seccomp_filters": "1"}, {"Seccomp": "2", "Seccomp_filters": "1"}, False),
        ({"Seccomp": "2", "Seccomp_filters": "5"}, {"Seccomp": "0", "Seccomp_filters": "0"}, True),
        # Before Linux 5.9
        ({"Seccomp": "2"}, {"Seccomp": "0"}, True),
        ({"Seccomp": "2"}, {"Seccomp": "2"}, None),
    ],
)
def test_filters_of_the_container_are_not_the_services(
    host: Host, own: dict[str, str], first: dict[str, str], applied: bool | None
) -> None:
    """All processes of a container have those; where they can't be told apart, that is said."""
    host.status(7, **own)
    host.status(1, **first)
    expected = {
        True: Effect(("SystemCallFilter",), ()),
        False: Effect((), ("SystemCallFilter",)),
        None: Effect((), (), ("SystemCallFilter",)),
    }
    assert host.effect(SystemCallFilter="read") == expected[applied]


@pytest.mark.parametrize(
    ("directive", "value", "file", "text"),
    [
        ("NoNewPrivileges", "yes", "status", "NoNewPrivs:\t0\n"),
        ("CapabilityBoundingSet", "", "status", "CapBnd:\t0000000000000400\n"),
        ("OOMScoreAdjust", "-500", "oom_score_adj", "0\n"),
        ("MemoryMax", "1073741824", "cgroup", "0::/\n"),
        ("CPUQuotaPerSecUSec", "1s", "cgroup", f"0::{GROUP}\n"),
        ("IPAddressDeny", "::/0", "cgroup", "0::/\n"),
    ],
)
def test_each_has_its_own_proof(host: Host, directive: str, value: str, file: str, text: str) -> None:
    """A limit needs a cgroup of the service's own that has the controller."""
    host.write(f"proc/7/{file}", text)
    assert host.effect(**{directive: value}).not_applied == (directive.replace("PerSecUSec", ""),)


def test_users_of_another_host_load_no_filter_of_the_kernel(host: Host) -> None:
    """Not even root, as in an unprivileged container of LXC or podman."""
    assert host.effect(IPAddressDeny="::/0").applied == ("IPAddressDeny",)
    host.write("proc/1/uid_map", "0 100000 65536\n")
    assert host.effect(IPAddressDeny="::/0", DevicePolicy="closed").not_applied == ("DevicePolicy", "IPAddressDeny")


def test_what_nobody_may_see_is_unknown(host: Host) -> None:
    """It does not count as missing."""
    (host.root / "proc/7/ns/mnt").unlink()
    assert host.effect(ProtectSystem="strict", ProtectProc="invisible").unknown == ("ProtectProc", "ProtectSystem")


def test_a_process_that_has_gone_says_nothing(tmp_path: Path) -> None:
    """Neither good nor bad."""
    assert sandbox_effect.read_effect("shop.service", 7, ASKED, str(tmp_path)) is None


def test_each_file_of_a_process_is_asked_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many directives have their own view of the same thing; for a user's process, each link may take a child."""
    links: list[str] = []
    read_link = sandbox_effect.as_owner.read_link
    monkeypatch.setattr(
        sandbox_effect.as_owner, "read_link", lambda pid, path, root: links.append(path) or read_link(pid, path, root)
    )
    paths: list[str] = []
    read = sandbox_effect.read
    monkeypatch.setattr(sandbox_effect, "read", lambda path: paths.append(path) or read(path))
    sandbox_effect.read_effect(
        "shop.service", 7, {**ASKED, "IPAddressDeny": "any", "IPAddressAllow": "::1"}, str(host.root)
    )
    assert len(links) == len(set(links))
    # Whether the process is still there is asked at the end.
    paths.remove(f"{host.root}/proc/7/status")
    assert [path for path in paths if paths.count(path) > 1] == []
