# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules for a web server's site."""

from __future__ import annotations


class ModuleDocFragment:
    """Which site of which server."""

    DOCUMENTATION = r"""
options:
  state:
    description: Whether the site must exist.
    type: str
    choices: [present, absent]
    default: present
  server:
    description: The web server.
    type: str
    choices: [nginx, apache]
    default: nginx
  site:
    description: The name of the site's file and link, without the C(.conf) that Apache's have.
    type: str
    required: true
  server_names:
    description: The host names that the site answers for. No other site of nginx may have them.
    type: list
    elements: str
    default: []
"""
