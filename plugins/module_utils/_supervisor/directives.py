# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service under supervisor gets of the directives of a systemd unit."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

VARIABLE = "gunicorn_service_directives"
# The notice says that there is no sandbox. These ask for more than that sandbox, so a user who sets one relies on it.
_RELIED_ON = frozenset(
    [
        "AppArmorProfile",
        "DynamicUser",
        "IPAddressAllow",
        "IPAddressDeny",
        "ImportCredential",
        "InaccessiblePaths",
        "LoadCredential",
        "LoadCredentialEncrypted",
        "MemoryDenyWriteExecute",
        "NetworkNamespacePath",
        "NoExecPaths",
        "PrivateNetwork",
        "ReadOnlyPaths",
        "RestrictFileSystems",
        "RestrictNetworkInterfaces",
        "RootDirectory",
        "RootImage",
        "SELinuxContext",
        "SetCredential",
        "SetCredentialEncrypted",
        "SmackProcessLabel",
        "SocketBindDeny",
        "TemporaryFileSystem",
    ]
)
_SIZED_BY = frozenset(("MemoryMax", "MemoryHigh", "CPUQuota", "TasksMax"))
_BOOLEANS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}


class ProcessOptions(NamedTuple):
    """What the launcher sets for a service's processes; the defaults are systemd's."""

    umask: str = "0022"
    no_new_privileges: bool = False
    oom_score_adjust: int = 0


def check(directives: dict, variable: str = VARIABLE) -> None:
    """Raise InvalidValue for directives that can't be read, and for protection that supervisor can't give."""
    process_options(directives, variable)
    for name in sorted(_RELIED_ON & set(directives)):
        value = directives[name]
        if value is not None and _BOOLEANS.get(str(value).lower(), True):
            expected = "directives that work under supervisor: without systemd nothing would enforce this one"
            raise InvalidValue(f"{variable}['{name}']", value, expected)


def process_options(directives: dict, variable: str = VARIABLE) -> ProcessOptions:
    """The directives that the launcher can replace; raises InvalidValue for a value that systemd would not take."""
    readers = {
        "umask": ("UMask", _umask, "octal digits, such as 0027"),
        "no_new_privileges": ("NoNewPrivileges", _boolean, "true or false"),
        "oom_score_adjust": ("OOMScoreAdjust", _score, "a whole number from -1000 to 1000"),
    }
    values = {}
    for field, (name, reader, expected) in readers.items():
        value = directives.get(name)
        if value is None:
            continue
        try:
            values[field] = reader(value)
        except (KeyError, ValueError):
            raise InvalidValue(f"{variable}['{name}']", value, expected) from None
    return ProcessOptions(**values)


def _umask(value: object) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", str(value)):
        raise ValueError
    return str(value)


def _boolean(value: object) -> bool:
    return _BOOLEANS[str(value).lower()]


def _score(value: object) -> int:
    score = int(str(value))
    if not -1000 <= score <= 1000:
        raise ValueError
    return score


def without_effect(directives: dict) -> list[str]:
    """The names of the directives that nothing enforces."""
    done = ("UMask", "NoNewPrivileges", "OOMScoreAdjust")
    return sorted(name for name, value in directives.items() if name not in done and value is not None)


def notice(service: str, directives: dict, logs: list[str]) -> str:
    """A warning for the user: what the service lacks under supervisor."""
    sized_by = sorted(_SIZED_BY & set(directives))
    ignored = [name for name in without_effect(directives) if name not in sized_by]
    parts = [
        f"{service} runs under supervisor here, which can't do all that systemd does. Nothing holds the listening "
        "sockets: connections are refused while the service restarts. A reload by hand is not tried first. There is no "
        "sandbox except the user, the umask and the lack of privileges."
    ]
    if ignored:
        parts.append(f"Ignored: {VARIABLE} ({', '.join(ignored)}).")
    if sized_by:
        parts.append(f"Not enforced, and only used to size the workers: {VARIABLE} ({', '.join(sized_by)}).")
    if "-" in logs:
        parts.append(f"There is no journal: a log that is '-' is in {programs.LOGS}/{service}/console.log.")
    return " ".join(parts)
