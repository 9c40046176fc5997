# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from venvs import Host, build_wheel, state_of, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import installers, requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Requirement, Requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec


def required(*names: str) -> Requirements:
    """What requires these packages."""
    item = Requirement("", "", "", "", "", True, False, False, False, False, "", "", True)
    ignored = [item._replace(name="x", applies=False), item._replace(name="y", is_constraint=True), item]
    return requirements.NONE._replace(items=[*(item._replace(name=name) for name in names), *ignored])


class TestCheck:
    def test_all_is_there(self) -> None:
        """It says nothing, also of what has no name, is for another platform, or is only a constraint."""
        state = state_of(versions={"gunicorn": "27.0.1", "notes": "1.0"})
        installers.check(want(Path("/v")), state, required("notes"))

    @pytest.mark.parametrize(
        ("versions", "lacks"), [({}, "django, gunicorn, notes"), ({"gunicorn": "27.0.1", "notes": "1"}, "django")]
    )
    @pytest.mark.parametrize(("installer", "where"), [("pip", "pip config list"), ("uv", "/etc/uv/uv.toml")])
    def test_what_went_elsewhere(self, versions: dict, lacks: str, installer: str, where: str) -> None:
        """The error names what the venv lacks, and where to look."""
        with pytest.raises(VenvError, match=f"^gunicorn_venv: {installer} says .* would lack {lacks}\\. .*{where}"):
            installers.check(
                want(Path("/v"), installer=installer), state_of(versions=versions), required("django", "notes")
            )


class TestUv:
    """What is installed is only preferred, so uv does not go back to old versions for its sake."""

    def wanted(self, path: Path, with_pip: Path, *lines: str) -> VenvSpec:
        arguments = ["--no-index", f"--find-links={with_pip}", "--offline"]
        return want(path, installer="uv", requirements=list(lines), pip_extra_args=arguments)

    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
        return tmp_path / "venv"

    @pytest.fixture
    def with_pip(self, family: Path) -> Path:
        """An index that has pip, too, which each new venv gets."""
        build_wheel(family, "pip", "99.0")
        return family

    def test_a_downgrade_in_an_open_range(self, path: Path, host: Host, with_pip: Path) -> None:
        """It gives what uv gives in an empty venv; what has nothing to do with it stays."""
        host.ensure(self.wanted(path, with_pip, "cms", "part<2"))
        after = host.ensure(self.wanted(path, with_pip, "cms<5", "part"))["diff"]["after"]
        assert ("cms==4.0\n" in after, "frame==4.0\n" in after, "part==1.0\n" in after) == (True, True, True)

    def test_an_option_that_only_install_has(self, path: Path, host: Host, with_pip: Path) -> None:
        """What is installed stays all the same."""
        host.ensure(self.wanted(path, with_pip, "part<2"))
        wanted = self.wanted(path, with_pip, "part")
        wanted.pip_extra_args.append("--reinstall")
        assert "part==1.0\n" in host.ensure(wanted)["diff"]["after"]

    def test_a_configuration_that_leads_elsewhere(
        self, path: Path, host: Host, with_pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """uv can't be told to ignore only that, and says that it has succeeded: it is an error, and no venv is left."""
        (tmp_path / "uv.toml").write_text(f'[pip]\ntarget = "{tmp_path}/elsewhere"\n')
        monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
        host.environment["UV_CONFIG_FILE"] = str(tmp_path / "uv.toml")
        with pytest.raises(VenvError, match=r"uv says .* would lack gunicorn, part\. .*/etc/uv/uv.toml"):
            host.ensure(self.wanted(path, with_pip, "part"))
        assert not path.exists()
