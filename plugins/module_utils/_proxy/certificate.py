# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the certificate of a site and its key."""

from __future__ import annotations

import os
import ssl

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def check_owners(certificate: str, key: str, user: str) -> None:
    """Raise InvalidValue for a file that the service's user can exchange: the web server reads it as root.

    A pipe in its place would keep the server waiting for ever, with all of its sites.
    """
    account = accounts.read_account(user)
    for variable, path in (("proxy_tls_certificate", certificate), ("proxy_tls_key", key)):
        found = accounts.changeable_by(path, account) if account and account.uid else None
        if found:
            raise InvalidValue(variable, path, f"a file that {user} can't exchange: it can change {found}")


def check_certificate(certificate: str, key: str) -> None:
    """Raise InvalidValue unless both are files of one pair. Apache's own check misses that, and Apache then ends."""
    for variable, path in (("proxy_tls_certificate", certificate), ("proxy_tls_key", key)):
        if not os.path.isfile(path):
            raise InvalidValue(variable, path, "a file on the host: bring it before this role")
    try:
        # The empty passphrase: without any, OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        expected = f"a certificate in PEM, and in {key} its key without a passphrase"
        raise InvalidValue("proxy_tls_certificate", certificate, f"{expected} ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)
