# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

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
