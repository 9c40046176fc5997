# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How files of procfs, sysfs and cgroups are read, and files that a service's user may write.

Whatever such a file is or holds, it does not end a module. A file that is missing, that may not be read, or whose
process has just ended counts as empty.
"""

from __future__ import annotations

import os
import stat
import typing as t

# What procfs calls kB
KIB = 1024
_MOST_DIGITS = 20  # of a number of 64 bits


def read(path: str) -> str:
    """Return the text of a file of the kernel, empty if it can't be read."""
    try:
        # A file that is opened as text, or with a buffer, takes twice the time.
        with open(path, "rb", buffering=0) as file:
            text = (file.read() or b"").decode("utf-8", "replace")
    except (OSError, ValueError):  # ValueError: a path that no file can have
        return ""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_bytes(path: str, longest: int = -1) -> bytes:
    """Return the bytes of a file of the kernel, at most the longest; empty if it can't be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(longest) or b""
    except OSError:
        return b""


def read_first(folders: t.Iterable[str], *names: str) -> str:
    """Return the text of the first of these files that is not empty, by folder, and in each by name."""
    for folder in folders:
        for name in names:
            text = read(os.path.join(folder, name))
            if text:
                return text
    return ""


def read_tail(path: str, longest: int, offset: int = 0) -> tuple[bytes, int]:
    """Return the end of a regular file and the position where it begins: at most the longest, all after the offset.

    For files whose path or folder is not in the hands of root alone: links are not followed, and a pipe does not block.
    Raises OSError where there is no such file.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file")
        begin = max(offset, status.st_size - longest, 0)
        return os.pread(file.fileno(), min(longest, max(0, status.st_size - begin)), begin), begin


def list_folder(path: str) -> list[str]:
    """Return the names in a folder, none if it can't be read."""
    try:
        return os.listdir(path)
    except OSError:
        return []


def join(root: str, path: str) -> str:
    """Return the path below the folder that stands for C(/)."""
    return f"{root.rstrip('/')}/{path.lstrip('/')}"


def whole_lines(tail: bytes, begin: int) -> list[str]:
    """Return the lines of a file's end that begins at this position, without a first line that is cut off."""
    lines = tail.decode("utf-8", "replace").split("\n")
    return lines[1 if begin else 0 :]


def whole(text: str) -> int | None:
    """Return the number that the text is; None for any other text, such as max, or -1 for no limit."""
    return int(text) if text.isdigit() and text.isascii() and len(text) <= _MOST_DIGITS else None


def field(text: str, name: str) -> str:
    """Return what the first line of this name has after its colon, without blanks around it; empty without such a line.

    For files such as status and meminfo.
    """
    _before, found, rest = f"\n{text}".partition(f"\n{name}:")
    return rest.partition("\n")[0].strip() if found else ""


def numbers(text: str, begin: str = "") -> dict[str, int]:
    """Return the numbers of a file whose lines are a name and a number, such as meminfo, vmstat and cpu.stat.

    Of the names, those that begin so.
    """
    found = {}
    for line in text.splitlines():
        words = line.split(None, 2) if line.startswith(begin) else ()
        number = whole(words[1]) if len(words) > 1 else None
        if number is not None:
            found[words[0].rstrip(":")] = number
    return found


def plain(text: str) -> str:
    """Return the text with a question mark for each character that UTF-8 can't write; the kernel hands out some."""
    return text.encode("utf-8", "replace").decode()
