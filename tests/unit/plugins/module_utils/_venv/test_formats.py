# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import formats

UV = "uv export --no-dev --format requirements.txt --output-file requirements.txt"


class TestCheckFormat:
    @pytest.mark.parametrize("path", ["/opt/mysite/requirements.txt", "/opt/mysite/requirements.in", "a", "", "x/lock"])
    @pytest.mark.parametrize("installer", ["pip", "uv"])
    def test_requirements_files(self, path: str, installer: str) -> None:
        """What has another name may be one."""
        formats.check_format("gunicorn_requirements", path, installer)

    @pytest.mark.parametrize(
        ("path", "instead"),
        [
            ("/opt/mysite/uv.lock", f"make one of uv.lock by: {UV}"),
            ("uv.lock", f"make one of uv.lock by: {UV}"),
            (
                "/opt/poetry.lock",
                "poetry export --format requirements.txt --output requirements.txt (plugin poetry-plu",
            ),
            ("/opt/pdm.lock", "make one of pdm.lock by: pdm export --prod --format requirements --output"),
            ("/opt/Pipfile", "make one of Pipfile by: pipenv requirements --hash > requirements.txt"),
            ("/opt/Pipfile.lock", "make one of Pipfile.lock by: pipenv requirements --hash > requirements.txt"),
            ("/opt/pylock.toml", f"make one by the tool that made pylock.toml, such as: {UV}"),
            ("/opt/pylock.web.toml", f"make one by the tool that made pylock.web.toml, such as: {UV}"),
            ("/opt/mysite/setup.py", 'for the project with its dependencies, write ["/opt/mysite"]'),
            ("setup.py", 'write ["/opt/mysite"]'),
            (
                "/opt/x/setup.cfg",
                'write ["/opt/x"], for its dependencies alone, make one by: uv pip compile setup.cfg ',
            ),
            ("/opt/x/pyproject.toml", "make one by: uv pip compile pyproject.toml --output-file requirements.txt"),
            ("/opt/environment.yml", "pip can't install what environment.yml names: list the packages'"),
            ("/opt/x.whl", 'for a package, write ["/opt/x.whl"], with brackets'),
            ("/opt/x-1.0.tar.gz", 'for a package, write ["/opt/x-1.0.tar.gz"], with brackets'),
            ("https://me:secret@example.com/x.whl", "for a package, write ["),
            ("https://me:secret@example.com/uv.lock?raw=1#top", f"make one of uv.lock by: {UV}"),
        ],
    )
    def test_other_formats(self, path: str, instead: str) -> None:
        """The error says what to write instead."""
        with pytest.raises(InvalidValue) as caught:
            formats.check_format("gunicorn_requirements", path, "pip")
        assert str(caught.value).startswith("gunicorn_requirements: '")
        assert "expected a requirements file for pip; " in str(caught.value)
        assert instead in str(caught.value)
        assert "secret" not in str(caught.value)

    def test_a_directory(self, tmp_path: Path) -> None:
        """A project in a directory is a requirement, and not a file of requirements."""
        with pytest.raises(InvalidValue, match="for a project in a directory, write"):
            formats.check_format("gunicorn_requirements", f"{tmp_path}/", "uv")
