# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release to go back to, and what its service is asked to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes, way_back
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Live, Note
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


class Releases:
    """Releases of a host, which went live in this order."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.directory = str(folder / "releases")
        live = Live()
        for number, name in enumerate(names):
            venv = folder / f"venv-{name}"
            venv.mkdir()
            (folder / "releases" / name).mkdir(parents=True)
            told = {"directory": str(venv), "fingerprint": f"print-{name}", "gunicorn_version": "27.0.1"}
            path = notes.path_of(self.directory, name)
            notes.write(self.directory, Note(name, path, brought=float(number), built=True, venv=told))
            live = notes.went_live(live, name, False, {})
        notes.write_live(self.directory, live)

    def did(self, name: str, step: str, reversible: bool) -> None:
        note = notes.find(self.directory, name)
        notes.write(self.directory, note._replace(steps={step: {"hash": "1", "at": 1.0, "reversible": reversible}}))

    def find(self, wanted: str, force: bool = False) -> str:
        return way_back.find(self.directory, wanted, "gunicorn_release", force).id


def test_previous_and_an_id_are_found(tmp_path: Path) -> None:
    releases = Releases(tmp_path, "1a", "2b", "3c")
    assert [releases.find("previous"), releases.find("1a"), releases.find("3c")] == ["2b", "1a", "3c"]


@pytest.mark.parametrize("wanted", ["9z", "previous", "../1a", ""])
def test_what_is_not_kept_is_refused_with_what_is(tmp_path: Path, wanted: str) -> None:
    releases = Releases(tmp_path, "1a")
    with pytest.raises(InvalidValue, match="kept are 1a$"):
        releases.find(wanted)


def test_a_release_whose_venv_is_gone_is_not_offered(tmp_path: Path) -> None:
    releases = Releases(tmp_path, "1a", "2b", "3c")
    (tmp_path / "venv-2b").rmdir()
    with pytest.raises(InvalidValue, match="kept are 3c, 1a$"):
        releases.find("previous")


def test_a_release_that_was_never_live_is_not_offered(tmp_path: Path) -> None:
    releases = Releases(tmp_path, "1a", "2b")
    (tmp_path / "releases" / "3c").mkdir()
    notes.write(releases.directory, Note("3c", notes.path_of(releases.directory, "3c"), brought=9.0))
    with pytest.raises(InvalidValue, match="kept are 2b, 1a$"):
        releases.find("3c")


def test_nobody_goes_back_behind_a_step_that_can_not_be_undone(tmp_path: Path) -> None:
    releases = Releases(tmp_path, "1a", "2b", "3c")
    releases.did("2b", "drop-column", reversible=False)
    assert releases.find("previous") == "2b"
    with pytest.raises(InvalidValue, match="from 2b on, whose step drop-column can't be undone"):
        releases.find("1a")
    assert releases.find("1a", force=True) == "1a"


def test_a_step_that_can_be_undone_is_no_obstacle(tmp_path: Path) -> None:
    releases = Releases(tmp_path, "1a", "2b")
    releases.did("2b", "migrate", reversible=True)
    assert releases.find("previous") == "1a"


def asked(**more: object) -> dict:
    return {
        "unit": "Environment=PYTHONPATH=/etc/opt/x:/opt/x/releases/2b\nEnvironment=GUNICORN_APP_REVISION=2b\n",
        "standin_unit": "ExecStart=/opt/x/venv-2b/bin/gunicorn\nReadOnlyPaths=/opt/x/releases/2b/media",
        "configuration": "x = '/opt/x/releases/2b-other'",
        "command": ["/opt/x/venv/bin/gunicorn", "--workers=2"],
        "venv_directory": "/opt/x/venv-2b",
        "venv_fingerprint": "print-2b",
        "gunicorn_version": "26.0.0",
        "workers": 2,
        "release": {"id": "2b", "directory": "/opt/x/releases", "kept": 3},
        **more,
    }


def back_to_1a(given: dict, **noted: object) -> dict:
    told = {"directory": "/opt/x/venv-1a", "fingerprint": "print-1a", "gunicorn_version": "27.0.1"}
    note = Note("1a", "/opt/x/releases/1a", venv=told, **noted)
    return way_back.asked_for(Live("2b", [], given), "/opt/x/releases", note)


def test_the_service_is_asked_for_the_same_with_other_code() -> None:
    given = back_to_1a(asked())
    assert given["unit"] == (
        "Environment=PYTHONPATH=/etc/opt/x:/opt/x/releases/1a\nEnvironment=GUNICORN_APP_REVISION=1a\n"
    )
    assert given["standin_unit"] == "ExecStart=/opt/x/venv-1a/bin/gunicorn\nReadOnlyPaths=/opt/x/releases/1a/media"
    assert given["command"] == ["/opt/x/venv/bin/gunicorn", "--workers=2"]
    assert (given["venv_directory"], given["venv_fingerprint"]) == ("/opt/x/venv-1a", "print-1a")
    assert given["gunicorn_version"] == "27.0.1"
    assert given["release"] == {"id": "1a", "directory": "/opt/x/releases", "kept": 3, "back": True}


def test_another_release_that_begins_in_the_same_way_stays() -> None:
    assert back_to_1a(asked())["configuration"] == "x = '/opt/x/releases/2b-other'"


def test_the_environment_of_a_program_of_supervisor_says_the_release() -> None:
    given = back_to_1a(asked(environment={"GUNICORN_APP_REVISION": "2b", "PYTHONPATH": "/opt/x/releases/2b"}))
    assert given["environment"] == {"GUNICORN_APP_REVISION": "1a", "PYTHONPATH": "/opt/x/releases/1a"}


def test_companions_go_back_with_their_release() -> None:
    """One that came with later code would not find it. A note of before there were companions says nothing of them."""
    given = asked(companions={"mail": {"command": "mail"}, "later": {"command": "python -m later"}})
    assert back_to_1a(given, companions={"mail": {"command": "mail"}})["companions"] == {"mail": {"command": "mail"}}
    assert back_to_1a(given)["companions"] == given["companions"]
