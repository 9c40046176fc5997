# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import credentials
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

MIB = 1024 * 1024


@pytest.fixture(params=["252", "257"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One with this version of systemd."""
    library = tmp_path / f"usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-{request.param}.so"
    library.parent.mkdir(parents=True)
    library.touch()
    return tmp_path


def test_the_names_count(host: Path) -> None:
    """As they do on systemd 252 and 257: a byte more is refused, and shown is the size alone."""
    half = MIB // 2
    credentials.check_size({"key": "x" * (MIB - 3)}, str(host))
    credentials.check_size({"a": "x" * (half - 1), "b": "ü" * (half // 2 - 1)}, str(host))
    credentials.check_size({}, str(host))
    with pytest.raises(InvalidValue) as caught:
        credentials.check_size({"a": "x" * half, "b": "ü" * (half // 2)}, str(host))
    assert str(caught.value) == (
        "gunicorn_credentials: '2 credentials of 1048578 bytes, names included' can't be used: expected 1048576 bytes "
        "(1 MiB) at most: systemd gives a service no more"
    )


def test_many_small_ones_need_a_page_each(host: Path) -> None:
    """On systemd 257, which keeps them in a tmpfs of 1 MiB. An empty one needs none."""
    contents = {f"c{number}": "x" for number in range(256)}
    credentials.check_size({**contents, "empty": ""}, str(host))
    contents["more"] = "x"
    if list(host.rglob("*-252.so")):
        credentials.check_size(contents, str(host))
        return
    with pytest.raises(
        InvalidValue, match="'257 credentials in 257 pages of 4096 bytes' can't be .* 256 pages at most"
    ):
        credentials.check_size(contents, str(host))
