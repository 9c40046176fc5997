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

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import plan, servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Somebody who is neither the owner of what the tests make nor in its group
STRANGER = Account(os.getuid() + 1, os.getgid() + 1, (os.getgid() + 1,))
OWNER = Account(os.getuid(), os.getgid(), (os.getgid(),))


@pytest.mark.parametrize("trusted", ["127.0.0.1,::1", "127.0.0.0/8, ::1", "::1,127.0.0.1,192.0.2.1"])
def test_gunicorn_trusts_the_web_server(trusted: str) -> None:
    """By addresses or networks."""
    plan.check_trust(["127.0.0.1", "::1"], trusted)


@pytest.mark.parametrize("trusted", ["*", "127.0.0.1,*", "127.0.0.1", "", "192.0.2.1", None, "localhost"])
def test_gunicorn_trusts_everybody_or_not_the_web_server(trusted: object) -> None:
    """Then Django would take a client's word for the scheme, or not see it at all."""
    with pytest.raises(InvalidValue, match="forwarded_allow_ips.*127.0.0.1,::1"):
        plan.check_trust(["127.0.0.1", "::1"], trusted)


# What is there


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
    plan.check_certificate(certificate, key)
    for pair, variable in {
        (certificate, others_key): "proxy_tls_certificate",
        (locked, locked_key): "proxy_tls_certificate",
        (key, key): "proxy_tls_certificate",
        (certificate, f"{key}.gone"): "proxy_tls_key",
        (str(tmp_path), key): "proxy_tls_certificate",
    }.items():
        with pytest.raises(InvalidValue) as caught:
            plan.check_certificate(*pair)
        assert caught.value.variable == variable


def test_a_socket_that_the_web_server_can_not_open(tmp_path: Path) -> None:
    """One that is not there yet may become one that it can."""
    path = tmp_path / "shop.sock"
    plan.check_socket(str(path), STRANGER)
    path.touch(mode=0o660)
    plan.check_socket(str(path), OWNER)
    with pytest.raises(InvalidValue, match="group: www-data"):
        plan.check_socket(str(path), STRANGER)


def server_in(folder: Path) -> WebServer:
    """An nginx whose sites stand elsewhere."""
    for name in ("sites-available", "sites-enabled"):
        (folder / name).mkdir()
    return servers.SERVERS["nginx"]._replace(folder=str(folder))


def test_a_site_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    """Nor a file where a link would be; one that the role made is its own."""
    server = server_in(tmp_path)
    plan.check_site_file(server, "shop")
    file, link = Path(server.site_file("shop")), Path(server.site_link("shop"))
    file.write_text(f"{plan.MARK}: what is changed here is lost.\n")
    link.symlink_to("../sites-available/shop")
    plan.check_site_file(server, "shop")
    link.unlink()
    link.write_text("server {}\n")
    with pytest.raises(InvalidValue, match="sites-enabled/shop was not made by this role"):
        plan.check_site_file(server, "shop")
    file.write_text("server {}\n")
    with pytest.raises(InvalidValue, match="sites-available/shop was not made by this role"):
        plan.check_site_file(server, "shop")


def test_the_mark_is_the_first_line_of_the_templates() -> None:
    """By it the role knows its own files."""
    templates = Path(__file__).parents[5] / "roles/proxy/templates"
    assert all(path.read_text().startswith(plan.MARK) for path in templates.glob("*.j2"))
