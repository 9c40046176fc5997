# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that makes a release, on a small collection of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILES = {
    "galaxy.yml": "---\nnamespace: pyweb\nname: gunicorn\nversion: 1.1.0\nreadme: README.md\nauthors: [Nobody]\n"
    "license: [GPL-3.0-or-later]\nbuild_ignore: [tests, scripts]\n",
    "README.md": "# A collection\n",
    "docs/pins.md": 'pyweb-gunicorn-1.1.0.tar.gz\n```yaml\n- name: pyweb.gunicorn\n  version: "1.1.0"\n```\nansible 2.17.0\n',
    "meta/runtime.yml": '---\nrequires_ansible: ">=2.17.0"\n',
    "plugins/filter/old.yml": "DOCUMENTATION:\n  version_added: 1.1.0\n",
    "changelogs/changelog.yaml": "---\nancestor: null\nreleases:\n  1.1.0:\n    release_date: '2026-01-01'\n",
    "changelogs/fragments/summary.yml": "---\nrelease_summary: What it is.\n",
    "changelogs/fragments/fix.yml": "---\nbugfixes:\n  - It works.\n",
    "tests/integration/artifact": '#!/bin/sh\n[ -f "$1" ] && [ "$GALAXY_IMPORTER_RUN_ANSIBLE_LINT" = true ]\n',
    ".gitignore": "/.cache/\n/changelogs/.plugin-cache.yaml\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A collection that can be released as 1.1.1."""
    for name, text in FILES.items():
        write(tmp_path / name, text)
    (tmp_path / "tests/integration/artifact").chmod(0o755)
    for name in ("scripts/release.py", "changelogs/config.yaml"):
        write(tmp_path / name, (ROOT / name).read_text(encoding="utf-8"))
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> None:
    """A file, in a folder that is made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def git(checkout: Path, *arguments: str) -> str:
    """The output of git, which reads no configuration of this machine."""
    command = ("git", "-c", "user.name=tests", "-c", "user.email=tests@example.com", *arguments)
    return subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout


def commit(checkout: Path) -> None:
    """Commit all that is in the checkout."""
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--allow-empty", "--message=All")


def release(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the checkout."""
    command = [sys.executable, checkout / "scripts" / "release.py", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_release_is_made(checkout: Path) -> None:
    """The version, the pins and the changelog are staged, the fragments are gone, and the artifact is there."""
    done = release(checkout, "1.1.1")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((checkout / "galaxy.yml").read_text())["version"] == "1.1.1"
    assert (checkout / "docs/pins.md").read_text() == FILES["docs/pins.md"].replace("1.1.0", "1.1.1")
    assert "It works" in (checkout / "CHANGELOG.md").read_text()
    assert "1.1.1" in yaml.safe_load((checkout / "changelogs/changelog.yaml").read_text())["releases"]
    assert list((checkout / "changelogs/fragments").glob("*")) == []
    assert (checkout / ".cache/release/pyweb-gunicorn-1.1.1.tar.gz").is_file()
    assert git(checkout, "diff", "--name-only") == ""
    assert "git tag --annotate v1.1.1" in done.stdout
    assert git(checkout, "tag") == ""


def test_a_check_changes_nothing(checkout: Path) -> None:
    """It says that the release can be made."""
    done = release(checkout, "--check", "1.1.1")
    assert (done.returncode, done.stdout) == (0, "1.1.1 can be released. Nothing was changed.\n")
    assert git(checkout, "status", "--porcelain", "--ignored") == ""


@pytest.mark.parametrize(
    ("version", "files", "said"),
    [
        ("1.1", {}, "VERSION is '1.1', and must be three numbers, such as 1.2.0."),
        (
            "1.1.0",
            {},
            "VERSION is 1.1.0, and must be 1.1.1 or newer: galaxy.yml has 1.1.0, and the fragments have bugfixes, release_summary.",
        ),
        ("1.1.1", {"changelogs/fragments/new.yml": "minor_changes: [New.]\n"}, "must be 1.2.0 or newer"),
        ("1.2.0", {"changelogs/fragments/new.yml": "breaking_changes: [Other.]\n"}, "must be 2.0.0 or newer"),
        ("1.1.1", {"changelogs/fragments/fix.yml": "trivial: [Tidy.]\n"}, "has no change to release"),
        ("1.1.1", {"changelogs/fragments/summary.yml": "trivial: [Tidy.]\n"}, "has a release_summary"),
        (
            "1.1.1",
            {"plugins/filter/new.yml": "DOCUMENTATION:\n  version_added: 1.3.0\n"},
            "plugins/filter/new.yml has version_added: 1.3.0, which is neither 1.1.1 nor a released version.",
        ),
        ("1.1.1", {"tests/integration/artifact": "#!/bin/sh\necho broken link\nexit 1\n"}, "broken link"),
    ],
)
def test_what_is_not_ready_is_not_released(checkout: Path, version: str, files: dict[str, str], said: str) -> None:
    """The error says what is in the way, and the checkout is as it was."""
    for name, text in files.items():
        write(checkout / name, text)
    commit(checkout)
    done = release(checkout, version)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.endswith("\nNothing was changed.\n")
    assert git(checkout, "status", "--porcelain", "--ignored") == ""


def test_only_what_is_committed_is_released(checkout: Path) -> None:
    """A file that is not committed would be in the artifact of nobody else."""
    write(checkout / "docs" / "new.md", "# New\n")
    assert "has changes that are not committed" in release(checkout, "1.1.1").stderr


def test_a_version_is_released_once(checkout: Path) -> None:
    """Its tag says that it was."""
    git(checkout, "tag", "v1.1.1")
    assert "The tag v1.1.1 is there already." in release(checkout, "1.1.1").stderr
