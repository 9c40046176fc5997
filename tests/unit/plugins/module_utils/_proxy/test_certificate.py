# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from certificates import key_and_certificate

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.certificate import check_certificate, check_owners
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_a_certificate_needs_its_own_key(tmp_path: Path) -> None:
    """A file that is not there, another's key, one with a passphrase and no certificate at all are refused."""
    certificate, key = key_and_certificate(tmp_path, "shop")
    _another, others_key = key_and_certificate(tmp_path, "another")
    locked, locked_key = key_and_certificate(tmp_path, "locked", b"secret")
    check_certificate(certificate, key)
    for pair, variable in {
        (certificate, others_key): "proxy_tls_certificate",
        (locked, locked_key): "proxy_tls_certificate",
        (key, key): "proxy_tls_certificate",
        (certificate, f"{key}.gone"): "proxy_tls_key",
        (str(tmp_path), key): "proxy_tls_certificate",
    }.items():
        with pytest.raises(InvalidValue) as caught:
            check_certificate(*pair)
        assert caught.value.variable == variable


def test_files_that_the_services_user_can_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web server reads them as root, and the user could put a pipe there."""
    certificate, key = key_and_certificate(tmp_path, "shop")
    monkeypatch.setattr(
        accounts, "read_account", {"shop": Account(4242, 4242, (4242,)), "root": Account(0, 0, (0,))}.get
    )
    for user in ("shop", "nobody-yet", "root"):
        check_owners(certificate, key, user)
    os.chown(key, 4242, 4242)
    with pytest.raises(InvalidValue, match=f"proxy_tls_key: '{key}' .*a file that shop can't exchange.*{key}$"):
        check_owners(certificate, key, "shop")
    os.chown(tmp_path, 4242, 4242)
    with pytest.raises(InvalidValue, match=f"proxy_tls_certificate: .*{tmp_path}$"):
        check_owners(certificate, key, "shop")
