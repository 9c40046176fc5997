# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the report, on the controller."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

import yaml
from ansible.errors import AnsibleActionFail

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import page as report_page
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import text as report_text

SNIPPETS = "capacity_report_host_vars"


def contents(report: dict) -> dict[str, str]:
    """Return the files of a report by their names."""
    snippets = report_text.snippets(report)
    return {
        "capacity_report.html": report_page.page(report),
        "capacity_report.json": json.dumps(report, indent=1, allow_nan=False) + "\n",
        **{f"{SNIPPETS}/{name}": text for name, text in snippets.items()},
    }


def write(files: dict[Path, str]) -> None:
    """Write the files, each whole or not at all."""
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, text)
    except OSError as error:
        raise AnsibleActionFail(f"directory: {error.filename} can't be written: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # Only the owner can read a file of mkstemp. Others may read these, as far as the user's umask allows it.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def collection_version(root: Path) -> str:
    """Return the version of the collection in a folder: an installed one has a manifest, a checkout has galaxy.yml."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((root / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"])
    with contextlib.suppress(OSError, yaml.YAMLError, KeyError, TypeError):
        return str(yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    return "unknown"
