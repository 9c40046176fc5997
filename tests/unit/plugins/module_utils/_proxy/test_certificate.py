# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.certificate import check_certificate, check_owners
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def key_and_certificate(folder: Path, name: str, passphrase: bytes | None = None) -> tuple[str, str]:
    """Files of a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    certificate = builder.serial_number(1).not_valid_before(now).not_valid_after(now.replace(year=2027))
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.sign(key, hashes.SHA256()).public_bytes(encoding))
    paths[1].write_bytes(key.private_bytes(encoding, private, encryption))
    return str(paths[0]), str(paths[1])


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
