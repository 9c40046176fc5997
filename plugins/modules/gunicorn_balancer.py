#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_balancer
short_description: Take a server out of HAProxy or nginx once it is idle, or put it back once it answers
version_added: 1.0.0
description:
  - Runs on the load balancer. Delegate the task there from the host that you change, as the role
    P(pyweb.gunicorn.rolling_update#role) does for each of its hosts.
  - A server that is taken out gets no new requests. The module waits until its connections are gone.
  - A server is put back once it answers the health request, which the balancer sends to the address that it has for the
    server. The module waits until the balancer finds the server up, too.
  - HAProxy is controlled by its admin socket. The free version of nginx has no such interface, so the module adds the
    parameter C(down) to the server in the file of its upstream, checks the file with C(nginx -t), and reloads nginx. If
    that fails, it puts the file back.
  - A server that an administrator took out stays out. In HAProxy it is in maintenance, and in nginx it has a C(down)
    that this module did not write.
  - Several runs may change one balancer at the same time. They wait for each other.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
  - pyweb.gunicorn.health.request
attributes:
  diff_mode:
    support: none
options:
  type:
    description: The kind of balancer.
    type: str
    choices: [haproxy, nginx]
    required: true
  server:
    description:
      - The server, as the balancer calls it.
      - For V(haproxy), the name in its line C(server). For V(nginx), the address in the directive C(server), such as
        C(web1.example.com:8000).
    type: str
    required: true
  group:
    description: HAProxy's backend, or nginx's upstream. If empty, every one that has the server.
    type: str
    default: ""
  state:
    description: V(drained) takes the server out, V(ready) puts it back.
    type: str
    choices: [drained, ready]
    required: true
  socket:
    description: HAProxy's socket, which must have the level admin.
    type: path
    default: /run/haproxy/admin.sock
  config_file:
    description: The file with nginx's upstreams, with each C(server) on its own line. Required for V(nginx).
    type: path
  minimum:
    description:
      - How many other servers of each group must go on serving. If fewer would, nothing is changed.
      - HAProxy knows which servers serve. nginx does not, so the module counts the servers that accept a connection.
    type: int
    default: 1
  timeout:
    description: Seconds within which the connections must end, or the server must answer and be up.
    type: int
    default: 60
  health:
    description: The request that the server must answer before it is put back. If not given, no request is sent.
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - root on the load balancer
  - HAProxy 1.8 or newer, or nginx
"""

EXAMPLES = r"""
- name: Take the host out of HAProxy
  pyweb.gunicorn.gunicorn_balancer:
    type: haproxy
    server: "{{ inventory_hostname }}"
    state: drained
  delegate_to: lb1.example.com
  become: true

- name: Put the host back into an upstream of nginx, once it answers
  pyweb.gunicorn.gunicorn_balancer:
    type: nginx
    config_file: /etc/nginx/conf.d/mysite.conf
    server: "{{ inventory_hostname }}:8000"
    state: ready
    health:
      path: /health
      statuses: [200]
  delegate_to: lb2.example.com
  become: true
"""

RETURN = r"""
servers:
  description: The servers that were changed, as C(GROUP/SERVER).
  returned: success
  type: list
  elements: str
  sample: ["mysite/web1.example.com"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer import rotation
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.balancer import BalancerError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ARGUMENTS = {
    "type": {"type": "str", "choices": ["haproxy", "nginx"], "required": True},
    "server": {"type": "str", "required": True},
    "group": {"type": "str", "default": ""},
    "state": {"type": "str", "choices": ["drained", "ready"], "required": True},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
    "config_file": {"type": "path"},
    "minimum": {"type": "int", "default": 1},
    "timeout": {"type": "int", "default": 60},
    "health": {
        "type": "dict",
        "options": {
            "path": {"type": "str", "default": "/"},
            "host": {"type": "str", "default": "localhost"},
            "statuses": {"type": "list", "elements": "int", "default": []},
            "scheme": {"type": "str", "choices": ["http", "https", "tcp"], "default": "http"},
            "forwarded_proto": {"type": "str", "choices": ["http", "https"], "default": "http"},
        },
    },
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("type", "nginx", ["config_file"])],
        supports_check_mode=True,
    )
    try:
        servers = rotation.change(module.params, Runner(module.run_command), module.check_mode)
    except InvalidValue as error:
        module.fail_json(msg=f"{error}. Nothing was changed.")
    except (BalancerError, TimeoutError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(servers), servers=[server.label for server in servers])


if __name__ == "__main__":
    main()
