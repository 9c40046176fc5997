# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost.\n[Service]\n", True),
        ("# newer\n# Managed by Ansible (role pyweb.gunicorn.gunicorn): x\n", True),
        ("[Service]\nExecStart=/opt/shop/venv/bin/gunicorn\n", False),
        ("# Managed by Ansible\n[Service]\n", False),
        ("", False),
        (None, False),
    ],
)
def test_whose_file_it_is(text: str | None, ours: bool) -> None:
    """The role says so in each of its own."""
    assert names.is_ours(text) is ours


def test_the_credentials_of_a_file_of_secrets() -> None:
    """A comment of the role names them; other lines do not count."""
    assert names.credentials_of("# Managed\n# Credentials: key token\nA=# Credentials: x\n") == ["key", "token"]
    assert names.credentials_of("# Credentials:\n") == names.credentials_of("") == []
