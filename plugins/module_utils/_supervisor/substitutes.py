# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs services on a host, and what of a unit of systemd supervisor can stand in for."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# They ask for more than the sandbox that the notice says is missing: who sets one of these relies on it.
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
_COUNTED = frozenset(("MemoryMax", "MemoryHigh", "CPUQuota", "TasksMax"))
_BOOLEANS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}


class ProcessOptions(NamedTuple):
    """What the launcher does of the directives of a unit; the defaults are systemd's."""

    umask: str = "0022"
    no_new_privileges: bool = False
    oom_score_adjust: int = 0


def process_of(directives: dict) -> ProcessOptions:
    """What of these directives supervisor can stand in for; raises InvalidValue for a value that makes no sense."""
    read = {
        "umask": ("UMask", _umask, "octal digits, such as 0027"),
        "no_new_privileges": ("NoNewPrivileges", _boolean, "true or false"),
        "oom_score_adjust": ("OOMScoreAdjust", _score, "a whole number from -1000 to 1000"),
    }
    values = {}
    for field, (name, reader, expected) in read.items():
        value = directives.get(name)
        if value is None:
            continue
        try:
            values[field] = reader(value)
        except (KeyError, ValueError):
            raise InvalidValue(f"gunicorn_service_directives['{name}']", value, expected) from None
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


def check_supervised(service: str, directives: dict) -> None:
    """Raise InvalidValue for what would be less safe, or not run at all, under supervisor."""
    process_of(directives)
    for name in sorted(_RELIED_ON & set(directives)):
        value = directives[name]
        if value is not None and _BOOLEANS.get(str(value).lower(), True):
            expected = "directives that supervisor can stand in for: without systemd nothing would enforce this one"
            raise InvalidValue(f"gunicorn_service_directives['{name}']", value, expected)
    try:
        programs.check_name(service)
    except ValueError as error:
        raise InvalidValue("gunicorn_service_name", service, f"another name ({error})") from None


def notice(service: str, directives: dict, logs: list[str]) -> str:
    """What a person has to know who runs the service under supervisor."""
    counted = sorted(_COUNTED & set(directives))
    done = {"UMask", "NoNewPrivileges", "OOMScoreAdjust", *counted}
    ignored = sorted(name for name, value in directives.items() if name not in done and value is not None)
    variable = "gunicorn_service_directives"
    parts = [
        f"{service} is for supervisor here, which can't do all that systemd does. Nobody holds the listening sockets: "
        "connections are refused while the service restarts. A reload by hand is not tried first. There is no sandbox "
        "but the user, the umask and the lack of privileges."
    ]
    if ignored:
        parts.append(f"Ignored: {variable} ({', '.join(ignored)}).")
    if counted:
        parts.append(f"Not enforced, and only used to size the workers: {variable} ({', '.join(counted)}).")
    if "-" in logs:
        parts.append(f"There is no journal: a log that is '-' is in {programs.LOGS}/{service}/console.log.")
    return " ".join(parts)
