# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site of an nginx in the test's own folder, and a child process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.site import SiteSpec


@pytest.fixture
def nginx(tmp_path: Path) -> WebServer:
    """An nginx with its sites in the test's own folder."""
    for folder in ("sites-available", "sites-enabled", "mods-enabled", "run"):
        (tmp_path / folder).mkdir()
    return servers.SERVERS["nginx"]._replace(folder=str(tmp_path))


@pytest.fixture
def wanted(nginx: WebServer, tmp_path: Path) -> SiteSpec:
    """A changed site that is enabled: the default site's link is to be removed, and a module's to be made."""
    Path(nginx.site_file("shop")).write_text("old")
    Path(nginx.site_link("shop")).symlink_to("../sites-available/shop")
    Path(nginx.default_link).symlink_to("../sites-available/default")
    return SiteSpec(
        server=nginx,
        site="shop",
        file=WantedFile(nginx.site_file("shop"), "new", 0o644, os.getgid(), os.getuid()),
        links={
            str(tmp_path / "mods-enabled" / "proxy.load"): "../mods-available/proxy.load",
            nginx.default_link: None,
            nginx.site_link("shop"): "../sites-available/shop",
        },
        runtime_directory=str(tmp_path / "run"),
    )


@pytest.fixture
def child() -> Callable[[], contextlib.AbstractContextManager[subprocess.Popen]]:
    """Start a child of this process, which ends with the block."""

    @contextlib.contextmanager
    def start() -> Iterator[subprocess.Popen]:
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            yield process
        finally:
            process.communicate(b"\n")

    return start
