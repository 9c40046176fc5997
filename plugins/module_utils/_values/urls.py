# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords in URLs, wherever in a text they are."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.text import MASK

# A URL's scheme and what is in front of the host. A proxy may lack the scheme, in an argument of its own or behind "=".
USER_INFORMATION = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://|(?:(?<=\s)|(?<==)|^)(?=[^\s/@:=]+:))(?P<information>[^\s/?#]+)@"
)
_QUERY = re.compile(
    r"(?P<name>[?&][\w.-]*(?:token|key|secret|pass|sig|auth)[\w.-]*=)(?P<value>[^\s&#]+)", re.IGNORECASE
)
# pip and uv put the value of an environment variable here.
_VARIABLE = re.compile(r"\$\{\w+\}")


def without_passwords(value: Any) -> Any:
    """A text, or each text in a list, with a mask for each password and token in a URL."""
    if isinstance(value, list):
        return [without_passwords(item) for item in value]
    if not isinstance(value, str):
        return value
    text = USER_INFORMATION.sub(_masked, value)
    return _QUERY.sub(lambda match: match["name"] + MASK, text)


def passwords_in(text: str) -> list[str]:
    """The passwords and tokens of the URLs in a text, as they are written and as they are meant."""
    found = [_secret_of(match)[1] for match in USER_INFORMATION.finditer(text)]
    found += [match["value"] for match in _QUERY.finditer(text)]
    return [form for one in found if one for form in dict.fromkeys((one, urllib.parse.unquote(one)))]


def _masked(match: re.Match) -> str:
    shown, secret = _secret_of(match)
    return f"{match['scheme']}{shown}{MASK}@" if secret else match[0]


def _secret_of(match: re.Match) -> tuple[str, str]:
    """What of a URL's user information may be shown, and the rest: a password, or a token in place of a user."""
    user, colon, password = match["information"].partition(":")
    if not colon:
        # By ssh, it is only a user's name.
        user, password = ("", user) if "ssh" not in match["scheme"] else (user, "")
    if not password or _VARIABLE.fullmatch(password):
        return match["information"], ""
    return f"{user}{colon}", password
