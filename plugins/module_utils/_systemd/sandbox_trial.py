# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find out by trying which directives of a service's sandbox its host can't apply.

Only a start that systemd gave up while it set up the sandbox leads here. A container may lack a capability, or its
engine may forbid a system call; two directives may be too much together. Source: systemd.exec(5), "Process Exit Codes".
"""

from __future__ import annotations

from typing import Iterable, Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import capabilities
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

# The steps before the program is executed, and in a word what failed
STEPS = {
    200: ("CHDIR", "its working directory can't be entered"),
    203: ("EXEC", "its program can't be executed"),
    206: ("OOM_ADJUST", "OOMScoreAdjust= can't be applied"),
    213: ("SECUREBITS", "its privileges can't be dropped"),
    216: ("GROUP", "its groups can't be set"),
    217: ("USER", "its user, or its user namespace (PrivateUsers=), can't be set up"),
    218: ("CAPABILITIES", "its capabilities can't be dropped"),
    219: ("CGROUP", "its cgroup can't be set up"),
    225: ("NETWORK", "its network namespace can't be set up"),
    226: ("NAMESPACE", "its view of the file system can't be set up, or a path of ReadWritePaths= is missing"),
    227: ("NO_NEW_PRIVILEGES", "NoNewPrivileges= can't be applied"),
    228: ("SECCOMP", "a filter of system calls can't be applied"),
    230: ("PERSONALITY", "LockPersonality= can't be applied"),
    232: ("ADDRESS_FAMILIES", "RestrictAddressFamilies= can't be applied"),
    233: ("RUNTIME_DIRECTORY", "its directory in /run can't be made"),
    237: ("KEYRING", "its keyring can't be set up"),
    243: ("CREDENTIALS", "its credentials (LoadCredential=) can't be set up"),
    245: ("BPF", "a filter of the kernel can't be loaded"),
}
# Those at which a directive of the sandbox can fail
_SANDBOX = (206, 213, 217, 218, 219, 225, 226, 227, 228, 230, 232, 237, 245)
# What a trial must not have: it is no service, and gets no secrets.
_NOT_TRIED = ("Exec", "Type", "Notify", "NonBlocking", "Environment", "LoadCredential", "Runtime", "Kill", "Timeout")
_NEVER_TRIED = (*_NOT_TRIED, "Restart", "Sockets", "WorkingDirectory")
# What costs least goes first: an unprivileged user without capabilities gains little by a namespace of its own. But
# where systemd lacks SYS_ADMIN, it can set up the others only in that one.
_USERS = "PrivateUsers"


def is_of_sandbox(status: int) -> bool:
    """Whether a start that ended with this status has failed in the sandbox."""
    return status in _SANDBOX


def unfit(unit: str, optional: Iterable[str], runner: Runner, root: str = "/") -> list[str]:
    """The optional directives of a unit's text that must go; none if that does not help, or if nothing fails.

    One is added after the other, and stays if all of them can be applied together. So no other one could be added.
    """
    lines = list(_service_lines(unit))
    options = [name for name in optional if any(name == each for each, _line in lines)]
    options.sort(key=lambda name: (name == _USERS) == capabilities.has(capabilities.SYS_ADMIN, root))
    base = [line for name, line in lines if name not in options]
    if not _applies([line for _name, line in lines], runner) and _applies(base, runner):
        left_out = []
        for name in options:
            more = [line for each, line in lines if each == name]
            if _applies(base + more, runner):
                base += more
            else:
                left_out.append(name)
        return left_out
    return []


def _service_lines(unit: str) -> Iterator[tuple[str, str]]:
    """Yield the names and lines of the section [Service] that can matter."""
    section = ""
    for line in unit.splitlines():
        if line.startswith("["):
            section = line
        name, equals, _value = line.partition("=")
        if section == "[Service]" and equals and not line.startswith("#") and not name.startswith(_NEVER_TRIED):
            yield name, line


def _applies(lines: list[str], runner: Runner) -> bool:
    """Whether systemd can start programs with these lines.

    Two, one after the other, as it starts commands beside a service: the second one joins namespaces of the first.
    """
    code = _try([*lines, "ExecStartPre=/bin/true"], runner)
    if code == 0 or is_of_sandbox(code):
        return code == 0
    # The first of the two has failed, which systemd-run does not explain.
    return not is_of_sandbox(_try(lines, runner))


def _try(lines: list[str], runner: Runner) -> int:
    properties = [f"--property={line}" for line in lines]
    return runner.run(["systemd-run", "--quiet", "--collect", "--wait", *properties, "/bin/true"])[0]
