# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import plan, servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_a_site_of_somebody_else_is_not_taken(nginx: WebServer) -> None:
    """Nor a file where a link would be; one that the role made is its own."""
    plan.check_site_file(nginx, "shop")
    file, link = Path(nginx.site_file("shop")), Path(nginx.site_link("shop"))
    file.write_text(f"{servers.MARK}: what is changed here is lost.\n")
    link.symlink_to("../sites-available/shop")
    plan.check_site_file(nginx, "shop")
    link.unlink()
    link.write_text("server {}\n")
    with pytest.raises(InvalidValue, match="sites-enabled/shop was not made by this role"):
        plan.check_site_file(nginx, "shop")
    file.write_text("server {}\n")
    with pytest.raises(InvalidValue, match="sites-available/shop was not made by this role"):
        plan.check_site_file(nginx, "shop")


def test_the_mark_is_the_first_line_of_the_templates() -> None:
    """By it the role knows its own files."""
    templates = Path(__file__).parents[5] / "roles/proxy/templates"
    assert all(path.read_text().startswith(servers.MARK) for path in templates.glob("*.j2"))
