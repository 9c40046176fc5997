# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The capabilities of a host's first process: a container's engine may have taken some away. See capabilities(7)."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read

SYS_ADMIN, SYS_RESOURCE, BPF = 21, 24, 39


def has(number: int, root: str = "/") -> bool:
    """Whether the host's first process has a capability; so it does where that is not known."""
    effective = read_set("CapEff", root)
    return not effective or bool(int(effective, 16) >> number & 1)


def read_set(name: str, root: str = "/") -> str:
    """A set of capabilities of the host's first process, such as CapBnd, in hexadecimal digits; empty if not known."""
    found = re.search(rf"^{name}:\s*([0-9a-f]+)$", read(join(root, "/proc/1/status")), re.MULTILINE)
    return found[1] if found else ""


def are_users_mapped(root: str = "/") -> bool:
    """Whether the host's root is another user outside of it; a kernel without user namespaces does not tell."""
    return read(join(root, "/proc/1/uid_map")).split()[:2] not in ([], ["0", "0"])
