# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What opens a private repository or archive. No value of it is ever in an error."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

VARIABLE = "gunicorn_release_login"
_KEYS = ("key", "known_hosts", "user", "password")
HIDDEN = "VALUE_NOT_SHOWN"
_PRIVATE_KEY = re.compile(
    r"\s*-----BEGIN (?P<kind>[A-Z0-9 ]*)PRIVATE KEY-----\s(?P<body>.*?)-----END \1PRIVATE KEY-----\s*\Z", re.DOTALL
)
# A host, perhaps hashed and after a marker, the kind of its key, and the key
_KNOWN_HOST = re.compile(r"(?:@[a-z-]+\s+)?\S+\s+(?:ssh-|ecdsa-|sk-)[\w@.-]+\s+[A-Za-z0-9+/]{20,}={0,2}(?:\s.*)?\Z")


class Login(NamedTuple):
    """What opens a private repository or archive; "" for what is not given."""

    key: str = ""  # an SSH private key
    known_hosts: str = ""
    user: str = ""
    password: str = ""

    @property
    def secrets(self) -> list[str]:
        """What must not be shown."""
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode() if self.password else ""
        return [secret for secret in (self.key, self.password, basic) if secret]


def parse(value: object) -> Login:
    """The login that a value of gunicorn_release_login means; raises InvalidValue, without the value."""
    if not value:
        return Login()
    if not isinstance(value, dict):
        raise _invalid("", f"a mapping of {', '.join(_KEYS)}")
    unknown = [name for name in value if name not in _KEYS]
    if unknown:
        raise InvalidValue(VARIABLE, unknown[0], f"only {', '.join(_KEYS)}")
    given = {name: item for name, item in value.items() if item not in (None, "")}
    for name, item in given.items():
        if not isinstance(item, str) or "\0" in item:
            raise _invalid(name, "a text")
    login = Login(_key(given), _known_hosts(given), _word(given, "user"), _word(given, "password"))
    if login.user and not login.password:
        raise _invalid("user", "also a password")
    # Those who give out tokens take any user's name with them.
    return login._replace(user=login.user or "git") if login.password else login


def _key(given: dict) -> str:
    text = given.get("key", "").replace("\r\n", "\n").strip()
    if not text:
        return ""
    found = _PRIVATE_KEY.match(f"{text}\n")
    if not found:
        raise _invalid("key", "the text of an SSH private key, as lookup('ansible.builtin.file', PATH) gives it")
    if _is_encrypted(found["kind"], found["body"]):
        raise _invalid("key", "a key without a passphrase, which nobody is there to type (a deploy key of its own)")
    # ssh does not read a key whose last line does not end.
    return f"{text}\n"


def _is_encrypted(kind: str, body: str) -> bool:
    if kind != "OPENSSH ":
        return "ENCRYPTED" in kind or "Proc-Type: 4,ENCRYPTED" in body
    try:
        blob = base64.b64decode("".join(body.split()))
    except binascii.Error:
        return False
    # See PROTOCOL.key of OpenSSH: its name, then the cipher's.
    return blob.startswith(b"openssh-key-v1\0") and blob[15:23] != b"\0\0\0\4none"


def _known_hosts(given: dict) -> str:
    lines = [line.strip() for line in given.get("known_hosts", "").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if ("known_hosts" in given and not lines) or not all(_KNOWN_HOST.match(line) for line in lines):
        raise _invalid(
            "known_hosts", "lines as 'ssh-keyscan HOST' prints them, checked against what the host's owner publishes"
        )
    return "".join(f"{line}\n" for line in lines)


def _word(given: dict, name: str) -> str:
    value = given.get(name, "")
    # git's credential helpers end a value at the line break.
    if not value.isprintable():
        raise _invalid(name, "a text of one line")
    return value


def _invalid(name: str, expected: str) -> InvalidValue:
    variable = f"{VARIABLE}[{name!r}]" if name else VARIABLE
    return InvalidValue(variable, HIDDEN, expected)
