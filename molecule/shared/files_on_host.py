"""Files on a test host; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import base64
import contextlib
import shlex


def write(host, path: str, text: str) -> None:
    """Write a file, and make its directory."""
    encoded = base64.b64encode(text.encode()).decode()
    assert host.run("mkdir -p $(dirname %s) && echo %s | base64 -d > %s", path, encoded, path).rc == 0


@contextlib.contextmanager
def damaged(host, path: str, line: str):
    """Add a line to the end of a file meanwhile."""
    host.check_output("cp --archive %s /root/whole && echo %s >> %s", path, line, path)
    try:
        yield
    finally:
        host.check_output("cp --archive /root/whole %s", path)


def listing_command(directories: str) -> str:
    """Return the shell command that lists every file in some directories, with owner, mode, size and time."""
    # Without the time of directories: it changes if a virtual environment or its backup was there for a while.
    formats = r"-type d -printf '%p %m %u %g\n' -o -printf '%p %y %m %u %g %s %T@\n'"
    return f"find {directories} -xdev {formats} | sort"


def open_files(host, pattern: str) -> list[str]:
    """Return the paths of open files that match a pattern, each once."""
    found = f"find /proc/[0-9]*/fd -lname {shlex.quote(pattern)} -printf '%l\\n' | sort | uniq"
    return host.check_output(found).splitlines()
