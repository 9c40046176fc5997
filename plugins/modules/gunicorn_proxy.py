#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_proxy
short_description: Write, check, enable and load a site of nginx or Apache, or put back what was there
version_added: 1.0.0
description:
  - Compares a site of the distribution's web server, and what the running server has loaded, with what you ask for, and
    acts on the difference. This is the last step of the role P(pyweb.gunicorn.proxy#role), which makes the
    configuration for this module.
  - Writes the file to C(sites-available) and enables it by a link in C(sites-enabled). Reloads the running server only
    if the server's own check (C(nginx -t), C(apache2ctl configtest)) succeeds. If the check fails, or the server does
    not load the new configuration, the module puts the file, the links and Apache's modules back, and reports the
    server's error message.
  - Server names that are longer than nginx's C(server_names_hash_bucket_size) need a setting that all sites share. If
    no other file sets it, the module does, in C(/etc/nginx/conf.d/gunicorn-proxy-names.conf), as long as a site needs
    it.
  - A web server has one change at a time; a second one waits. If a change was killed, the next one puts back what was
    there.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
  - pyweb.gunicorn.site
options:
  state:
    description: Whether the site must exist. With V(absent), the server and its modules stay as they are.
  configuration:
    description: The text of the site's file.
    type: str
    default: ""
  modules:
    description: Apache's modules to enable. The modules that they depend on are enabled, too.
    type: list
    elements: str
    default: []
  default_site:
    description: Whether to keep the link of the distribution's default site. If not, it is removed.
    type: bool
    default: true
  read_by_server:
    description: Files that the server reads when it loads the site, such as certificates. If one changes, it is loaded.
    type: list
    elements: path
    default: []
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - root on the managed host
  - systemd 247 or newer
seealso:
  - module: pyweb.gunicorn.gunicorn_proxy_plan_info
"""

EXAMPLES = r"""
- name: Put nginx in front of mysite
  pyweb.gunicorn.gunicorn_proxy:
    site: mysite
    server_names: [www.example.com]
    configuration: "{{ lookup('ansible.builtin.template', 'mysite.nginx.j2') }}"
  become: true
"""

RETURN = r"""
reasons:
  description: What differed from the site that you asked for, one sentence each. Empty if nothing was changed.
  returned: success
  type: list
  elements: str
  sample: ["/etc/nginx/sites-available/mysite is not as wanted"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import change, site
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.change import SiteError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

ARGUMENTS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "server": {"type": "str", "choices": ["nginx", "apache"], "default": "nginx"},
    "site": {"type": "str", "required": True},
    "configuration": {"type": "str", "default": ""},
    "server_names": {"type": "list", "elements": "str", "default": []},
    "modules": {"type": "list", "elements": "str", "default": []},
    "default_site": {"type": "bool", "default": True},
    "read_by_server": {"type": "list", "elements": "path", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)
    runner = Runner(module.run_command)
    wanted = site.spec_from(module.params)
    diff = files.differences(wanted.files)
    try:
        if module.check_mode:
            decision = site.decide(wanted, site.observe(wanted, runner))
        else:
            decision = change.apply(wanted, runner)
    except SiteError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(decision.reasons), reasons=decision.reasons, diff=diff)


if __name__ == "__main__":
    main()
