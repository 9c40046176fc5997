# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a server could listen on an address: whether the host has IPv6, and whether the address is free."""

from __future__ import annotations

import errno
import os
import socket
import stat

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read


def has_ipv6_loopback(root: str = "/") -> bool:
    """Whether a server can listen on ::1: the kernel has IPv6, and it is not disabled on the loopback interface."""
    lines = read(join(root, "/proc/net/if_inet6")).splitlines()
    return any(line.split()[:1] == ["0" * 31 + "1"] for line in lines)


def bind_error(family: int, host: str, port: int) -> int:
    """Try the address as a server would, and return 0, or the errno with which the kernel refuses it."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        return error.errno or errno.EINVAL
    return 0


def unix_error(path: str) -> int:
    """Return 0 if a server can listen on the path of a unix socket, else an errno.

    It can if nothing is there, or a socket on which no server listens. systemd removes whatever is there before it
    listens: a file would be lost, and another server would lose its socket.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return errno.EEXIST
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)  # a full queue is an answer, too
            probe.connect(path)
    except OSError as error:
        return 0 if error.errno in (errno.ENOENT, errno.ECONNREFUSED) else errno.EADDRINUSE
    return errno.EADDRINUSE
