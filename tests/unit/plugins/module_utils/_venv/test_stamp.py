# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest
from venvs import Host, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import requirements, sources, stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.stamp import Stamp

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def noted(tmp_path: Path) -> Stamp:
    """A stamp of a file, a local package and a branch."""
    (tmp_path / "r.txt").write_text("./shop\n")
    (tmp_path / "shop").mkdir()
    shop = str(tmp_path / "shop")
    hash_of_file = stamp.hash_of_file((tmp_path / "r.txt").read_bytes())
    return Stamp(
        inputs=A,
        lines=B,
        installed=C,
        files={str(tmp_path / "r.txt"): hash_of_file},
        sources={shop: sources.read(shop, False)},
        moves=True,
        revision="1",
        services={"shop": A},
    )


def test_what_is_written_is_read(tmp_path: Path, noted: Stamp) -> None:
    """Everybody can read it, since the plan may not be root's."""
    noted = noted._replace(editable=frozenset(noted.sources))
    stamp.write(str(tmp_path), noted)
    assert stamp.read(str(tmp_path)) == noted
    assert (tmp_path / stamp.NAME).stat().st_mode & 0o777 == 0o644


def test_the_number_of_services_is_limited(tmp_path: Path) -> None:
    """The last ones stay."""
    stamp.write(str(tmp_path), Stamp(A, B, C, services={f"s{number}": A for number in range(60)}))
    assert list(stamp.read(str(tmp_path)).services) == [f"s{number}" for number in range(10, 60)]


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {**found, "inputs": "x"},
        lambda found: {**found, "files": {"/r.txt": "x"}},
        lambda found: {**found, "files": []},
        lambda found: {**found, "sources": {"/shop": [A]}},
        lambda found: {**found, "sources": {"/shop": A}},
        lambda found: {name: value for name, value in found.items() if name != "lines"},
        lambda found: {**found, "editable": 5},
        lambda found: [],
        lambda found: "x",
    ],
)
def test_what_others_wrote(tmp_path: Path, noted: Stamp, change: Callable) -> None:
    """What no stamp can say makes it none."""
    stamp.write(str(tmp_path), noted)
    (tmp_path / stamp.NAME).write_text(json.dumps(change(json.loads((tmp_path / stamp.NAME).read_text()))))
    assert stamp.read(str(tmp_path)) == Stamp()


def test_what_is_left_out_of_what_others_wrote(tmp_path: Path, noted: Stamp) -> None:
    """Relative paths, and services that have no such name."""
    stamp.write(str(tmp_path), noted)
    text = (tmp_path / stamp.NAME).read_text()
    found = json.loads(text)
    found["files"]["r.txt"] = found["sources"]["shop"] = A
    found["sources"]["shop"] = [A, A]
    found["services"].update({"../etc": A, "a b": A, "x": "y"})
    (tmp_path / stamp.NAME).write_text(json.dumps(found))
    assert stamp.read(str(tmp_path)) == noted


@pytest.mark.parametrize("content", [None, b"", b"\xe9", b"[" * 100000, b"5" * 64 + b"\nshop 0\n"])
def test_none(tmp_path: Path, content: bytes | None) -> None:
    """Nothing is noted where there is no stamp, or one that can't be read."""
    if content is not None:
        (tmp_path / stamp.NAME).write_bytes(content)
    assert stamp.read(str(tmp_path)) == Stamp()


class TestIsCurrent:
    def test_the_same(self, noted: Stamp) -> None:
        """Nothing is parsed then."""
        assert stamp.is_current(noted, A, "1")

    def test_something_else_is_asked_for(self, noted: Stamp) -> None:
        """Another line in a list, or another version of Gunicorn."""
        assert not stamp.is_current(noted, B, "1")

    def test_another_revision(self, noted: Stamp) -> None:
        """It counts only where something may have moved."""
        assert not stamp.is_current(noted, A, "2")
        assert stamp.is_current(noted._replace(moves=False), A, "2")

    @pytest.mark.parametrize(
        "act",
        [
            lambda path: (path / "r.txt").write_text("./shop # a comment\n"),
            lambda path: (path / "r.txt").unlink(),
            lambda path: (path / "shop/app.py").touch(),
            lambda path: (path / "shop").rmdir(),
        ],
    )
    def test_what_it_was_installed_from_has_changed(self, tmp_path: Path, noted: Stamp, act: Callable) -> None:
        """A file of requirements, or a local package."""
        act(tmp_path)
        assert not stamp.is_current(noted, A, "1")


@pytest.mark.parametrize("texts", [["notes @ https://u:{0}@h/"], ["--index-url=https://{0}@h/simple"]])
def test_another_password_is_no_other_requirement(texts: list[str]) -> None:
    """The stamp, which everybody can read, holds none, and the plan knows none."""
    words = ("one", "two", "********")
    assert len({stamp.hash_of([text.replace("{0}", word) for text in texts]) for word in words}) == 1
    assert len({stamp.hash_of_file(texts[0].replace("{0}", word).encode()) for word in words}) == 1


def test_the_services_of_a_venv(venv: Path, host: Host) -> None:
    """Each is noted with what it wanted, the last one last, also in the venv that is built next."""
    for service, lines in (("a", ["notes"]), ("b", ["notes<2"]), ("a", ["notes<3"]), ("", ["notes"])):
        host.ensure(want(venv, service=service, requirements=lines))
    found = stamp.read(str(venv))
    wanted = {name: want(venv, requirements=lines) for name, lines in (("b", ["notes<2"]), ("a", ["notes<3"]))}
    assert found.services == {name: requirements.hash_of_content(each.asked) for name, each in wanted.items()}
    assert list(found.services) == ["b", "a"]


@pytest.mark.parametrize(
    ("services", "owner"),
    [
        ({}, ""),
        ({"me": "1"}, ""),
        ({"me": "1", "you": "2"}, "you"),
        ({"you": "2"}, "you"),
        # Both want the same; or it is mine that is new.
        ({"me": "0", "you": "1"}, ""),
        ({"me": "0", "you": "2"}, ""),
        ({"you": "2", "me": "1"}, ""),
    ],
)
def test_whose_the_venv_is(services: dict, owner: str) -> None:
    """A service that wants what it wanted before has to leave what another one has installed since."""
    assert stamp.other_owner(Stamp(services=services), "me", "1") == owner
    assert stamp.other_owner(Stamp(services=services), "", "1") == ""
