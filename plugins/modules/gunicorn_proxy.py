#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_proxy
short_description: Write, check, enable and load a site of nginx or Apache, or put back what was there
version_added: 0.1.0
author:
  - The pyweb.gunicorn authors (@pyweb)
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
description:
  - Compares a site of the distribution's web server, and what the running server has loaded, with what is wanted. This
    is the last step of the role P(pyweb.gunicorn.proxy#role), which makes the configuration that this module takes.
  - The file goes to C(sites-available), and a link in C(sites-enabled) enables it. The server's own check (C(nginx -t),
    C(apache2ctl configtest)) decides whether the running server is reloaded. If it fails, or if the server does not
    load what it took, then file, links and Apache's modules are put back, and the error has the server's words.
  - One change of a web server at a time; a second one waits. One that was killed is put back by the next.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: Whether there shall be the site. Without it, the server and its modules stay as they are.
    type: str
    choices: [present, absent]
    default: present
  server:
    description: The web server.
    type: str
    choices: [nginx, apache]
    default: nginx
  site:
    description: The name of the site's file and link, without C(.conf).
    type: str
    required: true
  configuration:
    description: The text of the site's file.
    type: str
    default: ""
  server_names:
    description: The names of the site, which another site of nginx must not have.
    type: list
    elements: str
    default: []
  modules:
    description: Apache's modules that are to be enabled, with those that they depend on.
    type: list
    elements: str
    default: []
  default_site:
    description: Whether the link of the distribution's default site may stay. If not, it is removed.
    type: bool
    default: true
  read_by_server:
    description: Files that the server reads when it loads the site, such as certificates. A change of one is loaded.
    type: list
    elements: path
    default: []
requirements:
  - systemd 247 or newer
  - root on the managed host
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
  description: What was not as wanted, a sentence each; empty where nothing was changed.
  returned: success
  type: list
  elements: str
  sample: ["/etc/nginx/sites-available/mysite is not as wanted"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import site as proxy_site
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.site import SiteError, SiteSpec
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


def wanted_from(given: dict) -> SiteSpec:
    """What the module's arguments ask for."""
    server, site = servers.SERVERS[given["server"]], given["site"]
    path, link = server.site_file(site), server.site_link(site)
    present = given["state"] == "present"
    links: dict = {}
    if present:
        links.update(servers.module_links(server.folder, given["modules"]))
        if not given["default_site"]:
            links[server.default_link] = None
    links[link] = os.path.join("..", os.path.relpath(path, server.folder)) if present else None
    return SiteSpec(
        server=server,
        site=site,
        file=WantedFile(path, given["configuration"] if present else None),
        links=links,
        server_names=tuple(given["server_names"]),
        read_by_server=tuple(given["read_by_server"]) if present else (),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)
    runner = Runner(module.run_command)
    wanted = wanted_from(module.params)
    diff = files.differences([wanted.file])
    try:
        if module.check_mode:
            decision = proxy_site.decide(wanted, proxy_site.observe(wanted, runner))
        else:
            decision = proxy_site.apply(wanted, runner)
    except SiteError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(decision.reasons), reasons=decision.reasons, diff=diff)


if __name__ == "__main__":
    main()
