# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of the modules that ask a service whether it works."""

from __future__ import annotations


class ModuleDocFragment:
    """The health request."""

    DOCUMENTATION = r"""
options:
  health:
    description: The health request.
    type: dict
    required: true
    suboptions:
      path:
        description: Its path.
        type: str
        default: /
      host:
        description: Its header Host.
        type: str
        default: localhost
      statuses:
        description: The statuses that are accepted. Without any, all below 500 are.
        type: list
        elements: int
        default: []
      scheme:
        description: How the service is spoken to. For V(tcp) a connection is enough.
        type: str
        choices: [http, https, tcp]
        default: http
      timeout:
        description: Seconds within which it must succeed on every address.
        type: int
        default: 30
"""
