# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The room that nginx needs for long server names.

nginx refuses its whole configuration if a name is too long for server_names_hash_bucket_size. All sites share this
setting, and nginx refuses it if it is there twice. So a single file of the role sets it for all sites, if one needs it.
"""

from __future__ import annotations

import glob
import os
import platform
import re
from typing import Iterator, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import MARK, WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

DIRECTIVE = "server_names_hash_bucket_size"
# The line of the processor's cache, as nginx takes it: its own default. Of others it takes 32.
_CACHE_LINES = {"x86_64": 64, "aarch64": 64, "ppc64le": 128}
_POINTER = 8
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)
_INCLUDE = re.compile(r"(?<![^\s;{}])include\s+([^;{}]+);")
_NAMES = re.compile(r"(?<![^\s;{}])server_name\s+([^;{}]+);")
_SIZE = re.compile(rf"(?<![^\s;{{}}]){DIRECTIVE}\s+([0-9]+)([kK]?)\s*;")
_TEXT = """\
{mark}: what is changed here is lost at its next run.
# For the longest name of all sites. nginx takes this setting once: to set it elsewhere, remove this file.
{directive} {size};
"""


class Configuration(NamedTuple):
    """What nginx's files say, without the role's own file: the names of all sites, and who sets the room for them."""

    names: tuple[str, ...]
    set_by: str
    size: int


def wanted_file(server: WebServer, site: str, names: list[str]) -> WantedFile | None:
    """The role's file as it must be for a site with these names beside the others; None if nobody needs to look.

    It has no content if it is not needed: by no site, or because another file sets enough.
    """
    path = _path(server)
    if server.package != "nginx" or (needed(names) <= default_size() and not _is_ours(path)):
        return None
    found = read_configuration(server, site)
    size = needed([*found.names, *names])
    if size <= default_size() or found.set_by:
        return WantedFile(path, None)
    return WantedFile(path, _TEXT.format(mark=MARK, directive=DIRECTIVE, size=size))


def check_names(server: WebServer, site: str, names: list[str]) -> None:
    """Raise InvalidValue for a name that is longer than a setting of the administrator's allows."""
    if server.package != "nginx" or needed(names) <= default_size():
        return
    found = read_configuration(server, site)
    for name in names:
        size = needed([name])
        if found.set_by and size > found.size:
            expected = (
                f"a shorter name, or {DIRECTIVE} {size} in {found.set_by}, which sets {found.size}: nginx takes this "
                "setting once, so the role can't set it, too"
            )
            raise InvalidValue("proxy_server_names", name, expected)


def needed(names: list[str]) -> int:
    """The size that the longest of these names needs.

    A bucket is a power of two, and holds at least one name with its length, a pointer, and a pointer that ends it. Of
    a name with an asterisk, nginx has a table for each label.
    """
    longest = max((_longest_key(name) for name in names), default=0)
    aligned = -(-(longest + 2) // _POINTER) * _POINTER
    size = 32
    while size < aligned + 2 * _POINTER:
        size *= 2
    return size


def default_size() -> int:
    """What nginx takes if nobody sets it."""
    return _CACHE_LINES.get(platform.machine(), 32)


def read_configuration(server: WebServer, site: str) -> Configuration:
    """Read what nginx includes, except for this site and the role's own file."""
    names: list[str] = []
    set_by, size = "", 0
    apart = {server.site_link(site)}
    path = _path(server)
    if _is_ours(path):
        apart.add(path)
    for file, text in _included(os.path.join(server.folder, "nginx.conf"), server.folder, apart):
        for words in _NAMES.findall(text):
            names += [word.strip("\"'") for word in words.split()]
        found = _SIZE.search(text)
        if found:
            set_by, size = file, int(found[1]) * (1024 if found[2] else 1)
    return Configuration(tuple(names), set_by, size)


def _path(server: WebServer) -> str:
    return os.path.join(server.folder, "conf.d", "gunicorn-proxy-names.conf")


def _is_ours(path: str) -> bool:
    return (files.read(path) or "").startswith(MARK)


def _longest_key(name: str) -> int:
    """The length of the longest text that nginx looks up for a name; regular expressions are not looked up."""
    if name.startswith("~"):
        return 0
    return max(map(len, name.split("."))) if "*" in name else len(name)


def _included(path: str, folder: str, apart: set[str]) -> Iterator[tuple[str, str]]:
    """Each file that nginx reads, once, with its text without comments. Files that can't be read are left to nginx."""
    try:
        text = _COMMENT.sub("", files.read(path) or "")
    except OSError:
        return
    apart.add(path)
    yield path, text
    for pattern in _INCLUDE.findall(text):
        for file in sorted(glob.glob(os.path.join(folder, pattern.strip().strip("\"'")))):
            if file not in apart:
                yield from _included(file, folder, apart)
