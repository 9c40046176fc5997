# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a release comes from: what users write, as plain values."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any, Callable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

VARIABLE = "gunicorn_release"
# The first key of each says what kind of source it is.
_KEYS = {
    "git": ("git", "version", "submodules", "path"),
    "archive": ("archive", "remote_src", "checksum", "path"),
    "checkout": ("checkout", "version", "path"),
    "requirement": ("requirement",),
}
_EXPECTED = (
    "a mapping with one of git (a repository's URL), archive, checkout (a directory on the controller) and "
    "requirement, or 'previous', or the ID of a release that is on the host"
)
_GIT_URL = (
    "the URL of a repository (https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH), "
    "or the absolute path of one on the host"
)
_VERSION = "a branch, a tag or all 40 digits of a commit"
_INSIDE = "a directory inside of it, as a relative path of letters, digits and _@+=,.- without '..'"
_CHECKSUM = "'sha256:' and the 64 hexadecimal digits of the file's SHA-256, as sha256sum shows them"
_REQUIREMENT = (
    "a package with its exact version ('mysite==1.4.2'), or the absolute path of a .whl, .tar.gz or .zip on the host"
)
FULL_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# A dash first would be an option for git or ssh.
_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_SCP = re.compile(rf"(?:{_USER}@)?{_HOST}:(?!-)[!-~]+\Z")
_SSH = re.compile(rf"ssh://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?/[!-~]+\Z")
_WEB = re.compile(rf"https?://(?P<host>{_HOST})(?::[0-9]{{1,5}})?/[!-~]+\Z")
_LOCAL = re.compile(r"(?:file://)?(?P<path>(?:/[A-Za-z0-9_@+=,.-]+)+/?)\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# What git gives a special meaning in names of branches, and what none may have: see git-check-ref-format(1)
_REF = re.compile(r"(?!-)(?!.*(?:\.\.|@\{|//|/\.|\.lock(?:/|\Z)))[A-Za-z0-9_.+@#%=,/-]+(?<![./])\Z")
_RELATIVE = re.compile(r"[A-Za-z0-9_@+=,.][A-Za-z0-9_@+=,.-]*(?:/[A-Za-z0-9_@+=,.-]+)*\Z")
_FILE = re.compile(r"(?:[/~]|[A-Za-z0-9_.])[^\x00-\x1f\x7f]*\Z")
_HEX64 = re.compile(r"[0-9a-f]{64}\Z")
# PEP 508's names, with extras; then PEP 440's versions with no wildcard
_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<extras>\[[A-Za-z0-9._,\s-]*\])?\s*"
    r"==\s*(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)\Z"
)
_DISTRIBUTION = re.compile(r"(?:/[A-Za-z0-9_@+=,.!-]+)+(?:\.whl|\.tar\.gz|\.zip)\Z")


class Source(NamedTuple):
    """Where a release comes from. `location` is a URL, a path, a requirement, or the release that is meant."""

    kind: str  # git, archive, checkout, requirement or kept
    location: str
    version: str = ""  # of git and checkout; "" is git's default branch
    path: str = ""  # the directory inside of it that is the release
    submodules: bool = False
    remote_src: bool = False  # an archive is on the host
    sha256: str = ""  # an archive must have this

    @property
    def is_url(self) -> bool:
        """Whether it is fetched from the network."""
        return _is_web(self.location) or (self.kind == "git" and not self.is_on_host)

    @property
    def is_on_host(self) -> bool:
        """Whether it is a file or a repository of the host."""
        if self.kind == "git":
            return bool(_LOCAL.match(self.location))
        if self.kind == "archive":
            return self.remote_src and not _is_web(self.location)
        return self.kind == "requirement" and self.location.startswith("/")

    @property
    def shown(self) -> str:
        """The location without what must not be shown."""
        return urls.without_passwords(self.location)


def parse(value: object) -> Source:
    """The source that a value of gunicorn_release means; raises InvalidValue."""
    if isinstance(value, str):
        if not notes.ID.fullmatch(value):
            raise InvalidValue(VARIABLE, urls.without_passwords(value), _EXPECTED)
        return Source("kept", value)
    if not isinstance(value, dict):
        raise InvalidValue(VARIABLE, value, _EXPECTED)
    given = {name: item for name, item in value.items() if item is not None}
    kinds = [kind for kind in _KEYS if kind in given]
    if len(kinds) != 1:
        raise InvalidValue(VARIABLE, _shown(value), _EXPECTED)
    kind = kinds[0]
    unknown = [name for name in given if name not in _KEYS[kind]]
    if unknown:
        raise InvalidValue(f"{VARIABLE}[{unknown[0]!r}]", _shown(given[unknown[0]]), _known_keys(kind))
    return _PARSERS[kind](given)


def _known_keys(kind: str) -> str:
    others = ", ".join(_KEYS[kind][1:])
    return f"beside {kind} only {others}" if others else f"nothing beside {kind}"


def _parse_git(given: dict) -> Source:
    url = _text(given, "git", _GIT_URL)
    version = _optional_text(given, "version", _VERSION)
    source = Source("git", url, version.lower() if FULL_COMMIT.match(version.lower()) else version)
    if version and not _REF.match(version):
        raise _invalid("version", version, _VERSION)
    check_git_url(f"{VARIABLE}['git']", url, bool(FULL_COMMIT.match(source.version)))
    return source._replace(submodules=_flag(given, "submodules"), path=_inside(given))


def check_git_url(variable: str, url: str, is_pinned: bool = False) -> None:
    """Raise InvalidValue if git must not be given this URL; `is_pinned` says that the commit is known in full."""
    _refuse_login(variable, url)
    local = _LOCAL.match(url)
    if local and not {".", ".."} & set(local["path"].split("/")):
        return
    # git once took a line break in a URL for the end of the host's name, and asked for the password of another.
    if re.search(r"%(?:0[0-9a-f]|1[0-9a-f]|7f)", url, re.IGNORECASE) or "::" in url.partition("[")[0]:
        raise InvalidValue(variable, _shown(url), _GIT_URL)
    web = _WEB.match(url)
    if not (web or _SSH.match(url) or (_SCP.match(url) and "://" not in url)):
        raise InvalidValue(variable, _shown(url), _GIT_URL)
    if web and url.startswith("http:") and not is_pinned and web["host"].strip("[]") not in _LOOPBACK:
        expected = "https or ssh, since anybody on the way can change what comes by http, or a version of 40 digits"
        raise InvalidValue(variable, _shown(url), expected)


def _parse_archive(given: dict) -> Source:
    expected = "the path of a tar or zip file on the controller (on the host with remote_src), or its URL with checksum"
    location = _text(given, "archive", expected)
    sha256 = _checksum(given)
    if _is_web(location):
        _refuse_login(f"{VARIABLE}['archive']", location)
        if not _WEB.match(location):
            raise _invalid("archive", location, "the URL of a tar or zip file, without spaces")
        if not sha256:
            raise _invalid("checksum", "", f"{_CHECKSUM}: only it tells what comes from the URL")
    elif "://" in location or not _FILE.match(location):
        raise _invalid("archive", location, expected)
    remote_src = _flag(given, "remote_src")
    if remote_src and not _is_web(location) and not _is_absolute(location):
        raise _invalid("archive", location, "an absolute path on the host, of letters, digits and _@+=,.-")
    return Source("archive", location, path=_inside(given), remote_src=remote_src, sha256=sha256)


def _parse_checkout(given: dict) -> Source:
    expected = "a directory on the controller, in which a git repository is checked out"
    location = _text(given, "checkout", expected)
    if not _FILE.match(location) or "://" in location:
        raise _invalid("checkout", location, expected)
    version = _optional_text(given, "version", "a branch, a tag or a commit") or "HEAD"
    if not _REF.match(version):
        raise _invalid("version", version, "a branch, a tag or a commit")
    return Source("checkout", location, version, path=_inside(given))


def _parse_requirement(given: dict) -> Source:
    text = _text(given, "requirement", _REQUIREMENT).strip()
    if text.startswith("/"):
        if not _DISTRIBUTION.match(text) or {".", ".."} & set(text.split("/")):
            raise _invalid("requirement", text, _REQUIREMENT)
        return Source("requirement", text)
    pinned = _PINNED.match(text)
    if not pinned or pinned["version"].endswith((".", "-", "_", "+")):
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", text)
        more = f". Write '{text}==VERSION' with the version that you want" if name else ""
        raise _invalid("requirement", text, _REQUIREMENT + more)
    extras = re.sub(r"\s", "", pinned["extras"] or "")
    return Source("requirement", f"{pinned['name']}{extras}=={pinned['version']}")


_PARSERS: dict[str, Callable[[dict], Source]] = {
    "git": _parse_git,
    "archive": _parse_archive,
    "checkout": _parse_checkout,
    "requirement": _parse_requirement,
}


def _text(given: dict, name: str, expected: str) -> str:
    value = given[name]
    if not isinstance(value, str) or not value or value != value.strip() or not value.isprintable():
        raise _invalid(name, value, expected)
    return value


def _optional_text(given: dict, name: str, expected: str) -> str:
    value = given.get(name, "")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # YAML has read 1.10 as 1.1 and 0123 as 83 by now.
        raise _invalid(name, value, f"{expected}, in quotes, since YAML takes it for a number")
    if not isinstance(value, str):
        raise _invalid(name, value, expected)
    return value


def _inside(given: dict) -> str:
    value = _optional_text(given, "path", _INSIDE).rstrip("/")
    if value in ("", "."):
        # rstrip has made this of "/", too
        if given.get("path", "").startswith("/"):
            raise _invalid("path", given["path"], _INSIDE)
        return ""
    parts = value.split("/")
    if not _RELATIVE.match(value) or ".." in parts or "." in parts or ".git" in [part.lower() for part in parts]:
        raise _invalid("path", value, _INSIDE)
    return value


def _checksum(given: dict) -> str:
    value = _optional_text(given, "checksum", _CHECKSUM)
    if not value:
        return ""
    algorithm, _colon, digits = value.partition(":")
    if algorithm.lower() != "sha256" or not _HEX64.match(digits.lower()):
        raise _invalid("checksum", value, _CHECKSUM)
    return digits.lower()


def _flag(given: dict, name: str) -> bool:
    value = given.get(name, False)
    # Ansible makes a text of a value that a template has given, before ansible-core 2.19.
    words = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    if not isinstance(value, bool):
        raise _invalid(name, value, "true or false")
    return value


def _refuse_login(variable: str, url: str) -> None:
    if "://" not in url:
        return
    try:
        parts = urllib.parse.urlsplit(url)
        found = parts.password is not None or (parts.username is not None and parts.scheme.lower() != "ssh")
    except ValueError:
        return
    if found:
        shown = re.sub(r"(?<=://)[^/]*@", f"{urls.MASK}@", url)
        expected = "a URL without a user and a password, which belong in gunicorn_release_login"
        raise InvalidValue(variable, shown, expected)


def _is_web(location: str) -> bool:
    return location.lower().startswith(("http://", "https://"))


def _is_absolute(location: str) -> bool:
    return bool(re.match(r"(?:/[A-Za-z0-9_@+=,.-]+)+\Z", location)) and not {".", ".."} & set(location.split("/"))


def _invalid(name: str, value: object, expected: str) -> InvalidValue:
    return InvalidValue(f"{VARIABLE}[{name!r}]", _shown(value), expected)


def _shown(value: Any) -> Any:
    """A value without passwords, also inside of a mapping."""
    if isinstance(value, dict):
        return {name: _shown(item) for name, item in value.items()}
    return urls.without_passwords(value)
