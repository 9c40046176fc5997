# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import names_hash, servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

LONG = "a." * 39  # 78 characters
LONGEST = "b." * 100
SHORT = "shop.example.com"


@pytest.fixture(autouse=True)
def configured(nginx: WebServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an nginx that includes what Debian's does, on an ordinary processor."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    folder = Path(nginx.folder)
    (folder / "conf.d").mkdir()
    text = "http {\n    # server_names_hash_bucket_size 64;\n    include conf.d/*.conf;\n    include %s/sites-enabled/*;\n}\n"
    (folder / "nginx.conf").write_text(text % folder)
    return folder


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("a" * 14, 32),
        ("a" * 15, 64),
        ("a" * 46, 64),
        ("a" * 47, 128),
        ("a" * 110, 128),
        ("a" * 111, 256),
        ("*." + "a" * 46 + ".com", 64),
        ("*." + "a" * 47 + ".com", 128),
        ("*." + "abc." * 50 + "com", 32),
        ("~^www\\d+\\.a-long-expression-that-nginx-does-not-look-up\\.example\\.com$", 32),
    ],
)
def test_a_bucket_has_room_for_the_longest_name(name: str, size: int) -> None:
    """The limits are those of nginx 1.26: of a name with an asterisk, its longest label counts."""
    assert names_hash.needed(["a", name]) == size


def test_short_names_need_no_file(nginx: WebServer) -> None:
    """Then nobody even looks at the other sites."""
    assert names_hash.wanted_file(nginx, "shop", [SHORT]) is None


def test_a_long_name_gets_its_room(nginx: WebServer) -> None:
    """In a file of the role, which says why it is there."""
    file = names_hash.wanted_file(nginx, "shop", [SHORT, LONG])
    assert file is not None
    assert file.path == f"{nginx.folder}/conf.d/gunicorn-proxy-names.conf"
    assert file.content is not None
    assert file.content.startswith(servers.MARK)
    assert file.content.endswith("\nserver_names_hash_bucket_size 128;\n")


def test_apache_needs_none(nginx: WebServer) -> None:
    """It compares names one by one."""
    assert names_hash.wanted_file(servers.SERVERS["apache"], "shop", [LONG]) is None


def write(wanted: object) -> None:
    Path(wanted.path).write_text(wanted.content)


def test_the_longest_name_of_all_sites_counts(nginx: WebServer, configured: Path) -> None:
    """A site that goes takes only its own names along, whoever made the others."""
    site = configured / "sites-enabled" / "blog"
    site.write_text(f'server {{ listen 80; server_name a.example "{LONGEST}"; }} # server_name {LONGEST * 2};\n')
    file = names_hash.wanted_file(nginx, "shop", [LONG])
    assert "size 256;" in file.content
    write(file)
    assert "size 256;" in names_hash.wanted_file(nginx, "shop", []).content
    assert names_hash.wanted_file(nginx, "blog", []).content is None
    site.unlink()
    assert names_hash.wanted_file(nginx, "shop", [SHORT]).content is None


def test_what_the_administrator_has_set_is_enough_or_refused(nginx: WebServer, configured: Path) -> None:
    """Set twice, nginx would refuse it; the error says what to write where, before anything changes."""
    own = configured / "conf.d" / "own.conf"
    own.write_text("server_names_hash_bucket_size 128;\n")
    assert names_hash.wanted_file(nginx, "shop", [LONG]).content is None
    names_hash.check_names(nginx, "shop", [SHORT, LONG])
    with pytest.raises(InvalidValue) as caught:
        names_hash.check_names(nginx, "shop", [SHORT, LONGEST])
    assert f"server_names_hash_bucket_size 256 in {own}, which sets 128" in str(caught.value)
    own.write_text("server_names_hash_bucket_size 1k;\n")
    names_hash.check_names(nginx, "shop", [LONGEST])


def test_the_file_makes_way_for_the_administrators(nginx: WebServer, configured: Path) -> None:
    """Who sets it elsewhere gets rid of the role's file at the next run."""
    write(names_hash.wanted_file(nginx, "shop", [LONG]))
    names_hash.check_names(nginx, "shop", [LONGEST])
    (configured / "conf.d" / "own.conf").write_text("server_names_hash_bucket_size 128;\n")
    assert names_hash.wanted_file(nginx, "shop", [LONG]).content is None


def test_a_file_of_somebody_else_is_left_alone(nginx: WebServer, configured: Path) -> None:
    """Even if it has the name of the role's."""
    (configured / "conf.d" / "gunicorn-proxy-names.conf").write_text("server_names_hash_bucket_size 64;\n")
    assert names_hash.wanted_file(nginx, "shop", [SHORT]) is None
    with pytest.raises(InvalidValue, match="gunicorn-proxy-names.conf, which sets 64"):
        names_hash.check_names(nginx, "shop", [LONG])


def test_files_that_include_each_other_end(nginx: WebServer, configured: Path) -> None:
    """nginx refuses them with its own words."""
    (configured / "conf.d" / "loop.conf").write_text("include conf.d/*.conf;\nserver { server_name x.example; }\n")
    (configured / "sites-enabled" / "folder").mkdir()
    assert names_hash.read_configuration(nginx, "shop").names == ("x.example",)
