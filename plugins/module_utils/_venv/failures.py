# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why an installation failed: what pip, uv and the builds that they start say, and what to do about it.

Only a run that fails needs this file, so no pattern is compiled before.
"""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import commands

_LINES_MAX = 20_000
_LINE_LONGEST = 10_000  # characters that are looked at
_ENTRIES_MAX = 6
_ENTRY_LONGEST = 700  # characters
_FOLLOWING_MAX = 20

# A line that tells something: of pip and uv, of compilers, of a traceback, of meson, cmake and make.
_TELLING = (
    r"(?:ERROR|error|fatal|Error): |(?:[\w.]+\.)?\w*(?:Error|Exception|_error): |.+: (?:fatal error|error|ERROR): "
    r"|RequiredDependencyException:|The conflict is caused by:|CMake Error|make: \*\*\*"
    r"|Hint: |hint: (?!See above|Build)|.*/ld: cannot find "
)
# Such a line, too, and yet it only says that something failed
_EMPTY = (
    r"error: (?:subprocess-exited-with-error|metadata-generation-failed|legacy-install-failure)\Z"
    r"|ERROR: Exception:\Z|.*: Traceback \(most recent call last\):\Z"
    r"|error: .*(?:failed with exit (?:code|status)|returned non-zero exit status)"
    r"|error: Command "
    r"|ERROR: Error \[Errno 2\] No such file or directory: '\w+' while executing"
)
# Below these, the lines that are indented more belong to them.
_WITH_MORE = r"(?:ERROR|error|Hint|hint): |The conflict is caused by:"
# How the name of the project is told whose build failed; in pip's output, the last one that it looked at.
_BUILT = (
    r"ERROR: Failed building (?:wheel|editable) for (\S+)",
    r"Failed to build [`'\"]?([A-Za-z0-9][A-Za-z0-9._-]*)",
    r"(?:Collecting|Processing) ([A-Za-z0-9][A-Za-z0-9._-]*)",
)

_COMPILER = "build-essential python3-dev"
# All that Debian and Ubuntu need to build what is often built
_PROJECTS = {
    "argon2-cffi-bindings": f"libffi-dev {_COMPILER}",
    "bcrypt": f"cargo {_COMPILER}",
    "cffi": f"libffi-dev {_COMPILER}",
    "confluent-kafka": f"librdkafka-dev {_COMPILER}",
    "cryptography": f"cargo libssl-dev libffi-dev pkg-config {_COMPILER}",
    "dbus-python": f"libdbus-1-dev libglib2.0-dev pkg-config {_COMPILER}",
    "fiona": f"libgdal-dev {_COMPILER}",
    "gdal": f"libgdal-dev {_COMPILER}",
    "gssapi": f"libkrb5-dev {_COMPILER}",
    "h5py": f"libhdf5-dev pkg-config {_COMPILER}",
    "lxml": f"libxml2-dev libxslt1-dev zlib1g-dev {_COMPILER}",
    "m2crypto": f"swig libssl-dev {_COMPILER}",
    "mysqlclient": f"default-libmysqlclient-dev pkg-config {_COMPILER}",
    "orjson": f"cargo {_COMPILER}",
    "pillow": f"libjpeg-dev zlib1g-dev libfreetype6-dev {_COMPILER}",
    "psycopg2": f"libpq-dev {_COMPILER}",
    "psycopg-c": f"libpq-dev {_COMPILER}",
    "pycairo": f"libcairo2-dev pkg-config {_COMPILER}",
    "pycurl": f"libcurl4-openssl-dev libssl-dev {_COMPILER}",
    "pydantic-core": f"cargo {_COMPILER}",
    "pygobject": f"libgirepository1.0-dev libcairo2-dev pkg-config {_COMPILER}",
    "pygraphviz": f"libgraphviz-dev pkg-config {_COMPILER}",
    "pykerberos": f"libkrb5-dev {_COMPILER}",
    "pylibmc": f"libmemcached-dev zlib1g-dev {_COMPILER}",
    "pymssql": f"freetds-dev {_COMPILER}",
    "pynacl": f"libsodium-dev libffi-dev {_COMPILER}",
    "pyodbc": f"unixodbc-dev {_COMPILER}",
    "pyproj": f"libproj-dev proj-bin {_COMPILER}",
    "pysqlite3": f"libsqlite3-dev {_COMPILER}",
    "python-ldap": f"libldap2-dev libsasl2-dev {_COMPILER}",
    "python-snappy": f"libsnappy-dev {_COMPILER}",
    "rasterio": f"libgdal-dev {_COMPILER}",
    "shapely": f"libgeos-dev {_COMPILER}",
    "systemd-python": f"libsystemd-dev pkg-config {_COMPILER}",
    "uwsgi": _COMPILER,
    "xmlsec": f"libxmlsec1-dev pkg-config {_COMPILER}",
}
_TOOLS = {
    "bzr": "brz",
    "cargo": "cargo",
    "cmake": "cmake",
    "curl-config": "libcurl4-openssl-dev",
    "gdal-config": "libgdal-dev",
    "geos-config": "libgeos-dev",
    "gfortran": "gfortran",
    "git": "git",
    "hg": "mercurial",
    "krb5-config": "libkrb5-dev",
    "make": "make",
    "mariadb_config": "libmariadb-dev",
    "mysql_config": "default-libmysqlclient-dev",
    "nc-config": "libnetcdf-dev",
    "ninja": "ninja-build",
    "pcre-config": "libpcre3-dev",
    "pg_config": "libpq-dev",
    "pkg-config": "pkg-config",
    "pkgconf": "pkg-config",
    "proj": "proj-bin libproj-dev",
    "protoc": "protobuf-compiler",
    "rustc": "rustc",
    "ssh": "openssh-client",
    "svn": "subversion",
    "swig": "swig",
    "xml2-config": "libxml2-dev",
    "xslt-config": "libxslt1-dev",
}
# By the beginning of the header's path, of pkg-config's name for a library, or of the linker's
_HEADERS = {
    "cairo": "libcairo2-dev",
    "curl/": "libcurl4-openssl-dev",
    "dot.h": "libgraphviz-dev",
    "ffi.h": "libffi-dev",
    "freetype": "libfreetype6-dev",
    "gdal": "libgdal-dev",
    "geos": "libgeos-dev",
    "gmp": "libgmp-dev",
    "graphviz/": "libgraphviz-dev",
    "gssapi": "libkrb5-dev",
    "hdf5": "libhdf5-dev",
    "jpeglib": "libjpeg-dev",
    "krb5": "libkrb5-dev",
    "lber": "libldap2-dev libsasl2-dev",
    "ldap": "libldap2-dev libsasl2-dev",
    "libmemcached": "libmemcached-dev",
    "libpq": "libpq-dev",
    "librdkafka": "librdkafka-dev",
    "libxml/": "libxml2-dev",
    "libxslt/": "libxslt1-dev",
    "linux/": "linux-libc-dev",
    "magic.h": "libmagic-dev",
    "mysql": "default-libmysqlclient-dev",
    "openssl/": "libssl-dev",
    "pcre": "libpcre2-dev",
    "postgres": "libpq-dev",
    "Python.h": "python3-dev",
    "pyconfig.h": "python3-dev",
    "sasl": "libsasl2-dev",
    "snappy": "libsnappy-dev",
    "sodium": "libsodium-dev",
    "sql.h": "unixodbc-dev",
    "sqlext": "unixodbc-dev",
    "sqlite3": "libsqlite3-dev",
    "std": "libc6-dev",
    "sybdb": "freetds-dev",
    "systemd/": "libsystemd-dev",
    "xmlsec": "libxmlsec1-dev",
    "yaml": "libyaml-dev",
    "zlib": "zlib1g-dev",
    "zmq": "libzmq3-dev",
}
_LIBRARIES = {
    **_HEADERS,
    "crypto": "libssl-dev",
    "dbus": "libdbus-1-dev",
    "ffi": "libffi-dev",
    "girepository": "libgirepository1.0-dev",
    "glib": "libglib2.0-dev",
    "gobject-introspection": "libgirepository1.0-dev",
    "jpeg": "libjpeg-dev",
    "libcgraph": "libgraphviz-dev",
    "libcurl": "libcurl4-openssl-dev",
    "libffi": "libffi-dev",
    "libgvc": "libgraphviz-dev",
    "libsodium": "libsodium-dev",
    "libsystemd": "libsystemd-dev",
    "libxml-2": "libxml2-dev",
    "libxslt": "libxslt1-dev",
    "mariadb": "libmariadb-dev",
    "openblas": "libopenblas-dev",
    "openssl": "libssl-dev",
    "pq": "libpq-dev",
    "python": "python3-dev",
    "ssl": "libssl-dev",
    "xml2": "libxml2-dev",
    "xslt": "libxslt1-dev",
    "z": "zlib1g-dev",
}

# What a build lacks: a pattern, whose first group is its name; how it is called; and what knows Debian's package.
_TOOL = "|".join(map(re.escape, sorted(_TOOLS, key=len, reverse=True)))
_LACKING = (
    (r"can't find Rust compiler|Rust not found|Rust.{0,40} (?:is )?not installed", "a Rust compiler", {"": "cargo"}),
    (
        rf"(?:Cannot find command '|No such file or directory: '|\bRunning `|: \d+: )({_TOOL})(?:'|: not found)"
        rf"|\b({_TOOL}) executable not found|(Git) executable not found|The '({_TOOL})' utility is missing"
        rf"|\b({_TOOL})(?:: command)? not found\b|unable to execute '({_TOOL})'|Could not find ({_TOOL})\b"
        rf"|(pkg-config) probably not installed|Failed to run ({_TOOL})\b"
        r"|\b(Pkg-config) for machine \w+ machine not found",
        "the program {}",
        _TOOLS,
    ),
    (
        r"fatal error: '?(?!longintrepr)([\w./+-]+\.h(?:pp)?)'?(?:: No such file or directory| file not found)",
        "the header {}",
        _HEADERS,
    ),
    (
        r"cannot find -l(\S+?):?(?: |\Z)|No package '([\w.+-]+)' found|Package '?([\w.+-]+)'?,? (?:was )?not found"
        r"|Dependency \"([\w.+-]+)\" not found|Dependency lookup for (\S+) with method"
        r"|headers or library files could not be found for (\w+)",
        "the library {}",
        _LIBRARIES,
    ),
    (
        r"No such file or directory: '(?:\S*[-/])?(?:gcc|g\+\+|cc|c\+\+|clang)'|(?:gcc|g\+\+|cc)' failed: No such file"
        r"|unable to execute '\S*(?:gcc|g\+\+|cc)'|Unknown compiler\(s\)|need a C compiler"
        r"|[Cc]ould not find (?:a |the )?(?:C )?compiler"
        r"|no acceptable C compiler|CMAKE_C(?:XX)?_COMPILER|No such file or directory: 'cpp'",
        "a C compiler",
        {"": _COMPILER},
    ),
)
# Other reasons, and what to do. The first that fits is said.
_OTHERS = (
    (r"No space left on device|Disk quota exceeded", "A disk is full: see /tmp, the cache in ~/.cache, and the venv."),
    (r"Read-only file system", "A filesystem is read-only."),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|invalid peer certificate|confirming the ssl certificate",
        "The host does not trust the server's certificate: give the CA bundle's path in gunicorn_pip_environment, as "
        "PIP_CERT for pip or SSL_CERT_FILE for uv.",
    ),
    (
        r"\b40[13] (?:Client )?Error|client error \(40[13]|Authentication failed for|could not read Username"
        r"|40[13] (?:Unauthorized|Forbidden)|Permission denied \(publickey",
        "The server wants another login.",
    ),
    (
        r"Name or service not known|Temporary failure in name resolution|Connection refused|Network is unreachable"
        r"|No route to host|[Cc]onnection timed out|Read timed out|connection-failed|ProxyError|ConnectTimeout"
        r"|Failed to connect to |Could not resolve host",
        "The package index, or another server, can't be reached from the host.",
    ),
    (
        r"requires a different Python: (\S+) not in|current Python version \((\S+)\) does not satisfy",
        "It needs another Python than {}, which the virtual environment has: choose another version of it, or "
        "gunicorn_python with gunicorn_venv_rebuild.",
    ),
    (
        r"is not a supported wheel on this platform|no wheels with a matching|only has wheels for",
        "There is no wheel for this Python on this platform.",
    ),
    (
        r"No module named '(distutils|imp|pkg_resources|_distutils_hack|setuptools)|module 'pkgutil' has no attribute"
        r"|'array\.array' object has no attribute 'fromstring'|longintrepr\.h: No such|configparser' has no attribute",
        "There is no wheel for this Python, and the source is too old for it: choose a newer version, or an older "
        "gunicorn_python with gunicorn_venv_rebuild.",
    ),
    (
        r"died with <Signals\.SIGKILL|internal compiler error: Killed|signal: 9|\bKilled signal terminated",
        "Something was killed, as where memory is short.",
    ),
    (r"requires rustc (\S+)|rustc (\S+) or newer|edition20\d\d. is required", "The host's Rust compiler is too old."),
    (
        r"Ignored the following versions that require a different python",
        "Some versions need another Python than the virtual environment has.",
    ),
    (
        r"\(from versions: none\)",
        "The package index has nothing of this name for this Python, or it does not answer, or it wants a login.",
    ),
)


def reason_in(output: str, errors: str) -> str:
    """One line: what was said about the reason, and what the host lacks or what to do, as far as that is known."""
    lines = [line[:_LINE_LONGEST] for line in [*output.splitlines(), *errors.splitlines()][-_LINES_MAX:]]
    entries = _entries(lines) or _last_of_build(lines)
    said = " | ".join(entries) if entries else commands.reason_in(output, errors)
    advice = _lacking(lines) or _other(lines)
    return f"{said.rstrip('.?')}. {advice}" if advice else said


def _entries(lines: list[str]) -> list[str]:
    """What tells something, each with the lines below it that belong to it: the last ones, as pip's own come last."""
    found: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if not re.match(_TELLING, line) or re.match(_EMPTY, line):
            continue
        following = _following(lines, at) if re.match(_WITH_MORE, line) else []
        at += len(following)
        more = len(following) - _FOLLOWING_MAX
        words = [
            _short(line),
            *(each.strip() for each in following[:_FOLLOWING_MAX]),
            *([f"and {more} more"] if more > 0 else []),
        ]
        found.append(values_text.shown(" ".join(words), _ENTRY_LONGEST))
    return list(dict.fromkeys(found))[-_ENTRIES_MAX:]


def _last_of_build(lines: list[str]) -> list[str]:
    """The last lines of a build that pip shows."""
    said: list[str] = []
    for number, line in enumerate(lines):
        if line.strip() == "[end of output]":
            shown = lines[max(number - 3, 0) : number]
            starts = [place for place, each in enumerate(shown) if each.strip().startswith("╰─> [")]
            said = shown[starts[-1] + 1 if starts else 0 :]
    return [values_text.shown(line.strip()) for line in said]


def _short(line: str) -> str:
    """The line with the last ones of its versions, of which there may be hundreds."""
    line = re.sub(r"(?<=\(from versions: )[^()]*, (?=(?:[^,()]+, ){9}[^,()]+\))", "..., ", line)
    return re.sub(r"(?<=different python version: ).*; (?=(?:[^;]+; ){4}[^;]+\Z)", "...; ", line)


def _following(lines: list[str], start: int) -> list[str]:
    """The lines below a line that are indented more."""
    indent = _indent(lines[start - 1])
    end = start
    while end < len(lines) and lines[end].strip() and _indent(lines[end]) > indent:
        end += 1
    return lines[start:end]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _lacking(lines: list[str]) -> str:
    """What the host lacks to build a project, and Debian's packages."""
    for pattern, called, packages in _LACKING:
        found = next(filter(None, (re.search(pattern, line) for line in lines)), None)
        if found is None:
            continue
        name = next(filter(None, found.groups()), "")
        project = _built(lines)
        needed = _PROJECTS.get(project.lower().replace("_", "-"), "") or _package(name, packages)
        if name.lower() in ("git", "hg", "svn", "bzr", "ssh"):  # nothing is built yet
            project, needed = "", _TOOLS[name.lower()]
        lacks = f"The host lacks {called.format(values_text.shown(name.lower() if packages is _TOOLS else name, 80))}"
        purpose = f" to build {values_text.shown(project, 80)} from its source" if project else ""
        where = f": apt install {needed}, on Debian and Ubuntu." if needed else "."
        return lacks + purpose + where
    return ""


def _package(name: str, packages: dict[str, str]) -> str:
    exact = packages.get(name) or packages.get(name.lower())
    begins = (package for start, package in packages.items() if len(start) > 1 and name.startswith(start))
    return exact or next(begins, packages.get("", ""))


def _built(lines: list[str]) -> str:
    for pattern in _BUILT:
        found = [match[1] for match in (re.search(pattern, line) for line in lines) if match]
        if found:
            return found[-1]
    return ""


def _other(lines: list[str]) -> str:
    for pattern, advice in _OTHERS:
        found = next(filter(None, (re.search(pattern, line) for line in lines)), None)
        if found is not None:
            return advice.format(values_text.shown(next(filter(None, found.groups()), "this one"), 80))
    return ""
