# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes of memory and of uploads, as users write them."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

MIB = 1 << 20
# 512Mi is what people know from Kubernetes.
_KUBERNETES_UNIT = re.compile(r"(?<=[KMGT])i(?=B?\s*$)")


def whole_mib(size: int) -> int:
    """Return how many MiB have room for so many bytes."""
    return -(-size // MIB)


def parse_size(option: str, value: str, zero_allowed: bool = False) -> int:
    """Return the bytes that the value of an option stands for, or raise InvalidValue; units are powers of 1024."""
    # Not at the top: the commands on the host do without Ansible, and read no sizes.
    from ansible.module_utils.common.text.formatters import human_to_bytes

    try:
        size = human_to_bytes(_KUBERNETES_UNIT.sub("", value.strip()))
    except (ValueError, OverflowError):
        size = None
    # Nobody sizes a worker in bytes: a bare 128 is a forgotten unit, and would give a million workers.
    if size is None or (size < MIB and not (zero_allowed and size == 0)):
        expected = "a size of at least 1M, with its unit, such as 128M, 1.5G or 512MiB"
        raise InvalidValue(option, value, expected + (", or 0" if zero_allowed else ""))
    return size
