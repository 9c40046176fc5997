# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of the modules that ask a service whether it works."""

from __future__ import annotations


class ModuleDocFragment:
    """The health request; a module that must have it uses DOCUMENTATION, another one REQUEST."""

    REQUEST = r"""
options:
  health:
    description:
      - The health request.
      - If the answer leads to C(https), the request is sent again to the same address, with C(X-Forwarded-Proto) as
        the web server in front sends it for a visitor. No other redirect is followed.
    type: dict
    suboptions:
      path:
        description: The path to request.
        type: str
        default: /
      host:
        description: The header C(Host) of the request.
        type: str
        default: localhost
      statuses:
        description: >-
          The accepted statuses of the answer. If empty, every status below 500 is accepted but 400, which Django
          answers to a host that is not in C(ALLOWED_HOSTS), and a redirect to the same address.
        type: list
        elements: int
        default: []
      scheme:
        description: The protocol of the request. With V(tcp), an open connection is enough.
        type: str
        choices: [http, https, tcp]
        default: http
      forwarded_proto:
        description: >-
          The scheme that the web server in front would tell. With V(https), the request has
          C(X-Forwarded-Proto) with the value V(https).
        type: str
        choices: [http, https]
        default: http
"""

    def __init__(self) -> None:
        # ansible-test accepts only literal strings as attributes of the class.
        self.DOCUMENTATION = (
            self.REQUEST
            + """\
      protocols:
        description:
          - What the request speaks on an address in place of O(health.scheme), by the address as Gunicorn's C(--bind)
            takes it. C(plan.health_protocols) of M(pyweb.gunicorn.gunicorn_plan_info) has it.
          - A list of C(tls), C(proxy-v1), C(proxy-v2), C(h2) and C(uwsgi), or of C(tcp), for which an open connection
            is enough.
        type: dict
        default: {}
      timeout:
        description: Seconds within which the request must succeed on every address, from 1 to 3600.
        type: int
        default: 30
    required: true
"""
        )
