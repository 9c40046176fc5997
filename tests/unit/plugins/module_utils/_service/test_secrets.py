# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting


def test_the_secrets_of_all_files_are_known(tmp_path: Path) -> None:
    """Those to come and those that are live, of the environment and of credentials; nothing else in the files."""
    path, credential, gone = (tmp_path / name for name in ("secrets.env", "token", "old"))
    path.write_text(f"# Credentials: token\n{quoting.environment_file_line('A', 'live one')}\nGUNICORN_SECRETS=abc\n")
    gone.write_text("old one\n")
    wanted = [
        WantedFile(str(path), quoting.environment_file_line("A", 'new "one"\r\n') + "\nGUNICORN_SECRETS=def\n"),
        WantedFile(str(credential), "the token"),
        WantedFile(str(gone), None),
    ]
    assert set(secrets.secret_values(wanted)) - {""} == {'new "one"\r\n', "live one", "the token", "old one\n"}


def test_what_is_live_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Files, modes and the hash are the same, so that a service which keeps its secrets is not started anew."""
    credentials = base64.b64encode(json.dumps({"token": "the token"}).encode()).decode()
    text = "# Credentials: token\nA=1\nGUNICORN_SECRETS=@SECRETS@\n"
    written, value = secrets.secret_files(text, credentials, str(tmp_path))
    for file in written:
        path = Path(file.path)
        path.parent.mkdir(exist_ok=True)
        path.write_text(file.content)
    assert secrets.live_files(str(tmp_path)) == (written, value)
    assert secrets.live_texts(str(tmp_path)) == {"secrets": written[0].content, "credentials": credentials}


def test_a_host_without_secrets_has_none_to_keep(tmp_path: Path) -> None:
    """Nor one with a file that the role did not write."""
    nothing = {"secrets": "", "credentials": base64.b64encode(b"{}").decode()}
    assert (secrets.live_files(str(tmp_path)), secrets.live_texts(str(tmp_path))) == (([], ""), nothing)
    (tmp_path / "secrets.env").write_text("A=1\n")
    assert (secrets.live_files(str(tmp_path)), secrets.live_texts(str(tmp_path))) == (([], ""), nothing)
