#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_proxy_plan_info
short_description: Check the parameters of a site in front of Gunicorn against its host
version_added: 1.0.0
description:
  - Checks the variables of the role P(pyweb.gunicorn.proxy#role) beyond their types, reads what the host has, and
    returns what the site needs and the host lacks.
  - This is the first step of the role. It changes nothing. If a value can't be used, the module fails with one error
    that names the variable, the value, and what was expected.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.info_module
  - pyweb.gunicorn.site
attributes:
  check_mode:
    details: In check mode, a missing certificate is no error, since an earlier task may bring it.
options:
  state:
    description: Whether the site must exist. With V(absent), only O(server) and O(site) count.
  bind:
    description: The addresses on which Gunicorn listens. If empty, O(port) on the loopback addresses.
    type: list
    elements: raw
    default: []
  port:
    description: The port of the default addresses.
    type: str
    default: "8000"
  user:
    description: The user that Gunicorn runs as, and that writes the media files.
    type: str
    required: true
  worker_class:
    description: Gunicorn's worker class. Connections to V(sync) are not kept alive.
    type: str
    default: sync
  gunicorn_settings:
    description: Further settings of Gunicorn, as far as you know them.
    type: dict
    default: {}
  timeout:
    description: Seconds that the web server waits for an answer, or V(auto).
    type: str
    default: auto
  max_body_size:
    description: The size of the largest request that is accepted, with a unit. V(0) accepts any size.
    type: str
    default: 10M
  static_url:
    description: The beginning of the URLs of static files.
    type: str
    default: /static/
  static_directory:
    description: The directory of the static files. If empty, the web server serves none.
    type: str
    default: ""
  media_url:
    description: The beginning of the URLs of media files.
    type: str
    default: /media/
  media_directory:
    description: The directory of the media files. If empty, the web server serves none.
    type: str
    default: ""
  tls_certificate:
    description: The path of a file with the certificate and the intermediate certificates. If empty, there is no TLS.
    type: str
    default: ""
  tls_key:
    description: The path of the file with the certificate's key.
    type: str
    default: ""
  extra_config:
    description: Further directives of the web server.
    type: str
    default: ""
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - systemd
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_proxy
"""

EXAMPLES = r"""
- name: Read what a site in front of mysite would find
  pyweb.gunicorn.gunicorn_proxy_plan_info:
    site: mysite
    server_names: [www.example.com]
    user: mysite
  become: true
  register: plan
"""

RETURN = r"""
plan:
  description: What the site needs, and what is there.
  returned: success
  type: dict
  contains:
    packages:
      description: The Debian packages that are missing.
      type: list
      elements: str
    directories:
      description: The directories that are missing, or that the web server can't enter, with owner, group and mode.
      type: list
      elements: dict
    media_links_from:
      description: The beginning of the media directory's path after which links must lead to files of their own owner.
      type: str
    upstreams:
      description: The addresses of Gunicorn that the web server uses. Empty with O(state=absent).
      type: list
      elements: str
      sample: ["127.0.0.1:8000", "[::1]:8000"]
    upstream_keepalive:
      description: Seconds for which an idle connection to Gunicorn is kept. 0 if it is not kept.
      type: int
    websockets:
      description: Whether websockets are passed on, which the worker class may speak.
      type: bool
    timeout:
      description: Seconds that the web server waits for an answer.
      type: int
    max_body_size:
      description: The size of the largest request that is accepted, in bytes. 0 for any size.
      type: int
    ipv6:
      description: Whether the host has IPv6.
      type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import listening
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import plan as proxy_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ARGUMENTS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "server": {"type": "str", "choices": ["nginx", "apache"], "default": "nginx"},
    "site": {"type": "str", "required": True},
    "server_names": {"type": "list", "elements": "str", "default": []},
    "bind": {"type": "list", "elements": "raw", "default": []},
    "port": {"type": "str", "default": "8000"},
    "user": {"type": "str", "required": True},
    "worker_class": {"type": "str", "default": "sync"},
    "gunicorn_settings": {"type": "dict", "default": {}},
    "timeout": {"type": "str", "default": "auto"},
    "max_body_size": {"type": "str", "default": "10M"},
    "static_url": {"type": "str", "default": "/static/"},
    "static_directory": {"type": "str", "default": ""},
    "media_url": {"type": "str", "default": "/media/"},
    "media_directory": {"type": "str", "default": ""},
    "tls_certificate": {"type": "str", "default": ""},
    # A path, which is no secret
    "tls_key": {"type": "str", "default": "", "no_log": False},
    "extra_config": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    if os.geteuid() != 0:
        module.fail_json(msg="root is needed on the host: set become: true for the play. Nothing was changed.")

    runner = Runner(module.run_command, check_rc=True)
    try:
        if module.params["state"] == "absent":
            server, site = parameters.check_server(module.params)
            proxy_plan.check_site_file(server, site)
            plan = {"packages": [], "directories": [], "upstreams": []}
        else:
            ipv6 = listening.has_ipv6_loopback()
            wanted = parameters.check_parameters(module.params, ipv6)
            plan = {**proxy_plan.make_plan(wanted, runner, module.check_mode), "ipv6": ipv6}
    except InvalidValue as error:
        module.fail_json(msg=f"{error}. Nothing was changed.")
    module.exit_json(changed=False, plan=plan)


if __name__ == "__main__":
    main()
