# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest
import repositories

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils import _release as controller
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._release import Checkout


@pytest.fixture(autouse=True)
def own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in repositories.ENVIRONMENT.items():
        if name.startswith("GIT_CONFIG"):
            monkeypatch.setenv(name, value)


@pytest.fixture
def working(tmp_path: Path) -> Path:
    repositories.make_repository(tmp_path / "shop", **{"site/a.py": "1", "x.py": "1"})
    return tmp_path / "shop"


def open_checkout(folder: Path, **given: str) -> Checkout:
    return Checkout(str(folder), release_source.parse({"checkout": str(folder), **given}))


def names(checkout: Checkout, folder: Path) -> list[str]:
    checkout.write(str(folder / "out.tar"))
    with tarfile.open(folder / "out.tar") as archive:
        return archive.getnames()


def test_what_is_committed_counts(working: Path, tmp_path: Path) -> None:
    """Uncommitted changes are left out, and a warning names them."""
    commit = repositories.git(working, "rev-parse", "HEAD")
    (working / "x.py").write_text("2")
    (working / "new\x1b.py").write_text("2")
    checkout = open_checkout(working)
    assert checkout.commit == commit
    assert names(checkout, tmp_path) == ["manage.py", "site", "site/a.py", "x.py"]
    assert checkout.warnings() == [
        f"gunicorn_release['checkout']: uncommitted changes in {working} are left out: x.py, new?.py"
    ]


def test_of_another_version_nobody_expects_changes(working: Path) -> None:
    """A tag, a branch and a short commit are versions, too."""
    first = repositories.git(working, "rev-parse", "HEAD")
    repositories.git(working, "tag", "--annotate", "--message=x", "v1")
    repositories.commit(working, {"x.py": "2"})
    (working / "x.py").write_text("3")
    for version in ("v1", first[:8], first):
        checkout = open_checkout(working, version=version)
        assert (checkout.commit, checkout.warnings()) == (first, [])


def test_a_directory_in_a_repository(working: Path, tmp_path: Path) -> None:
    """It is the release, as with `path`."""
    assert names(open_checkout(working, path="site"), tmp_path) == ["site", "site/a.py"]
    checkout = open_checkout(working / "site")
    assert (checkout.path, names(checkout, tmp_path)) == ("site", ["site", "site/a.py"])


def test_submodules_are_told(working: Path, tmp_path: Path) -> None:
    """git archive leaves them out."""
    repositories.make_repository(tmp_path / "lib")
    repositories.git(working, "submodule", "--quiet", "add", "../lib", "vendor/lib")
    repositories.commit(working, {})
    assert open_checkout(working).warnings() == [
        f"gunicorn_release['checkout']: submodules in {working} are left out: vendor/lib"
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"version": "gone"}, r"\['version'\]: 'gone' .* a branch, a tag or a commit of the repository in "),
        ({"path": "gone"}, r"\['path'\]: 'gone' .* a directory that commit [0-9a-f]{12} has"),
        ({"path": "x.py"}, r"\['path'\]: 'x.py' .* a directory that commit"),
    ],
)
def test_what_is_not_there(working: Path, given: dict, message: str) -> None:
    """The error names the part that is to blame."""
    with pytest.raises(InvalidValue, match=message):
        open_checkout(working, **given)


def test_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a directory without a repository, nor one that is not there, nor a controller without git."""
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InvalidValue, match=r"\['checkout'\]: .* in which a git repository is checked out \("):
            open_checkout(folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidValue, match=r"\['checkout'\]: .* expected git on the controller, which has none"):
        open_checkout(tmp_path)


def test_ansible_may_be_run_by_a_hook(working: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git tells its hooks where its repository is, and these tell Ansible."""
    repositories.make_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert open_checkout(working).commit == repositories.git(working, "rev-parse", "HEAD")


def test_the_hash_of_an_archive(tmp_path: Path) -> None:
    """It must be the wanted one, and the file must be there."""
    path = tmp_path / "a.tgz"
    path.write_bytes(b"x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    source = release_source.parse({"archive": "a.tgz"})
    assert controller.sha256_of(str(path), source) == sha256
    assert controller.sha256_of(str(path), source._replace(sha256=sha256)) == sha256
    with pytest.raises(InvalidValue, match=rf"\['checksum'\]: 'sha256:aaa.* that of {path}, which is sha256:{sha256}"):
        controller.sha256_of(str(path), source._replace(sha256="a" * 64))
    for missing in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InvalidValue, match=r"\['archive'\]: 'a.tgz' .* one on the host needs remote_src: true"):
            controller.sha256_of(str(missing), source)
