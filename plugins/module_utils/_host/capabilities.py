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
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", read(join(root, "/proc/1/status")), re.MULTILINE)
    return not found or bool(int(found[1], 16) >> number & 1)
