# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The static files of several releases in one directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import static


def make(folder: Path, **files: str) -> str:
    """A directory with these files; two underscores are a slash, one is a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    return str(folder)


def published(path: Path) -> dict[str, str]:
    """The files that the web server finds, by their paths."""
    found = (each for each in path.rglob("*") if each.is_file() and not each.name.startswith(".gunicorn"))
    return {str(each.relative_to(path)): each.read_text() for each in found}


@pytest.fixture(name="path")
def path_of_static(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "static"


def test_files_of_all_releases_are_there_and_the_first_counts(tmp_path: Path, path: Path) -> None:
    new = make(tmp_path / "new", css__site_css="new", css__site_2_css="2")
    old = make(tmp_path / "old", css__site_css="old", css__site_1_css="1", a_txt="a")
    static.publish(str(path), [new, old])
    assert published(path) == {"css/site.css": "new", "css/site.2.css": "2", "css/site.1.css": "1", "a.txt": "a"}


def test_to_publish_again_changes_nothing(tmp_path: Path, path: Path) -> None:
    new = make(tmp_path / "new", a_css="a")
    static.publish(str(path), [new])
    before = os.readlink(path)
    assert static.is_published(str(path), [new])
    static.publish(str(path), [new])
    assert os.readlink(path) == before


def test_the_switch_leaves_no_moment_without_the_files(tmp_path: Path, path: Path, monkeypatch) -> None:
    new, old = make(tmp_path / "new", b_css="b"), make(tmp_path / "old", a_css="a")
    static.publish(str(path), [old])
    seen = []
    build = static._build

    def build_and_look(*arguments: object) -> None:
        build(*arguments)
        seen.append(published(path))

    monkeypatch.setattr(static, "_build", build_and_look)
    static.publish(str(path), [new, old])
    assert seen == [{"a.css": "a"}]


def test_a_killed_run_leaves_nothing_that_is_taken_for_whole(tmp_path: Path, path: Path, monkeypatch) -> None:
    new = make(tmp_path / "new", a_css="a", b_css="b")

    def fail(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(static, "_give", fail)
        with pytest.raises(KeyboardInterrupt):
            static.publish(str(path), [new])
    assert not path.exists()
    static.publish(str(path), [new])
    assert published(path) == {"a.css": "a", "b.css": "b"}


def test_what_was_there_before_releases_is_served_on_and_comes_back(tmp_path: Path, path: Path) -> None:
    make(path, a_css="before", old_css="old")
    new = make(tmp_path / "new", a_css="new")
    static.publish(str(path), [new])
    assert published(path) == {"a.css": "new", "old.css": "old"}
    assert static.is_published(str(path), [new])
    static.publish(str(path), [make(tmp_path / "newer", a_css="newer"), new])
    assert published(path) == {"a.css": "newer", "old.css": "old"}
    static.withdraw(str(path))
    assert published(path) == {"a.css": "before", "old.css": "old"}
    assert [each.name for each in path.parent.iterdir()] == ["static"]


def test_an_empty_directory_is_no_loss(tmp_path: Path, path: Path) -> None:
    path.mkdir(parents=True)
    static.publish(str(path), [make(tmp_path / "new", a_css="a")])
    static.prune(str(path))
    static.withdraw(str(path))
    assert list(path.parent.iterdir()) == []


def test_links_and_special_files_are_not_published(tmp_path: Path, path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    new = make(tmp_path / "new", a_css="a")
    os.symlink(secret, tmp_path / "new" / "link.css")
    os.symlink(tmp_path, tmp_path / "new" / "folder")
    os.mkfifo(tmp_path / "new" / "pipe")
    static.publish(str(path), [new])
    assert published(path) == {"a.css": "a"}
    assert not (path / "folder").exists()


def test_a_name_that_is_a_file_here_and_a_directory_there_is_that_of_the_first(tmp_path: Path, path: Path) -> None:
    new, old = make(tmp_path / "new", docs="a file"), make(tmp_path / "old", docs__a_css="a")
    static.publish(str(path), [new, old])
    assert published(path) == {"docs": "a file"}
    static.publish(str(path), [old, new])
    assert published(path) == {"docs/a.css": "a"}


def test_what_nobody_reads_any_more_is_removed(tmp_path: Path, path: Path) -> None:
    old, new = make(tmp_path / "old", a_css="a"), make(tmp_path / "new", a_css="b")
    other = make(path.parent / "static-of-others", a_css="theirs")
    static.publish(str(path), [old])
    static.publish(str(path), [new])
    static.prune(str(path))
    assert {each.name for each in path.parent.iterdir()} == {
        "static",
        os.path.basename(os.readlink(path)),
        other.rpartition("/")[2],
    }
    assert published(path) == {"a.css": "b"}


def test_files_are_readable_for_the_web_server(tmp_path: Path, path: Path) -> None:
    new = make(tmp_path / "new", css__a_css="a", b_css="b")
    os.chmod(tmp_path / "new" / "b.css", 0o640)
    static.publish(str(path), [new])
    assert (path / "b.css").stat().st_mode & 0o777 == 0o644
    assert (path / "css").stat().st_mode & 0o777 == 0o755
    assert (path / "css" / "a.css").stat().st_nlink == 2  # no second copy
    assert (tmp_path / "new" / "b.css").stat().st_mode & 0o777 == 0o640
