# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import companion_hosts
import pytest
from companion_hosts import ALL, BEAT, CLEAN, FINISHING, LIVE, MAIL

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import companion_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.companion_files import CompanionFiles


def read(root: Path) -> dict[str, CompanionFiles]:
    return {each.name: each for each in companion_files.read_installed(str(root))}


def test_each_kind(tmp_path: Path) -> None:
    """What a person starts and stops, and which processes must be up."""
    companion_hosts.put(tmp_path, ALL, generation=3)
    found = read(tmp_path)
    assert {name: (each.kind, each.unit, each.processes) for name, each in found.items()} == {
        "beat": ("single", "plain-beat.service", ("plain-beat.service",)),
        "clean": ("job", "plain-clean.timer", ()),
        "mail": ("service", "plain-mail.service", ("plain-mail@3-1.service", "plain-mail@3-2.service")),
    }
    assert found["clean"].units == ("plain-clean.service", "plain-clean.timer")
    assert {each.service for each in found.values()} == {"plain"}


def test_an_earlier_generation_is_not_wanted(tmp_path: Path) -> None:
    """It is one of the units all the same, as long as its text is in /run."""
    companion_hosts.put(tmp_path, {"mail": MAIL}, generation=2)
    companion_hosts.put(tmp_path, {"mail": MAIL}, generation=1, folder=FINISHING, ending="@1-1.service")
    (mail,) = companion_files.read_installed(str(tmp_path))
    assert mail.processes == ("plain-mail@2-1.service", "plain-mail@2-2.service")
    assert "plain-mail@1-1.service" in mail.units


@pytest.mark.parametrize(("options", "kind"), [(MAIL, "service"), (BEAT, "single"), (CLEAN, "job")])
def test_one_that_is_removed_and_finishes(tmp_path: Path, options: dict, kind: str) -> None:
    """Only processes are left of it, and none of them must be up."""
    left = {"service": "@1-2.service", "single": "-left.service", "job": "-left.service"}[kind]
    companion_hosts.put(tmp_path, {"left": options}, folder=FINISHING, ending=left)
    (found,) = companion_files.read_installed(str(tmp_path))
    assert (found.kind, found.unit, found.processes) == (kind, None, ())


def test_whose_it_is_stands_in_its_file_and_its_name(tmp_path: Path) -> None:
    """A service's name may be the beginning of another one's."""
    companion_hosts.put(tmp_path, {"mail": BEAT}, service="plain-news")
    companion_hosts.put(tmp_path, {"news-mail": BEAT}, service="other")
    found = companion_files.read_installed(str(tmp_path))
    assert [(each.service, each.name) for each in found] == [("other", "news-mail"), ("plain-news", "mail")]


@pytest.mark.parametrize("name", ["plain-beat.service", "-plain-mail.service", "plain-mail@x-1.service", "a-b.socket"])
def test_a_file_of_another_name_is_none(tmp_path: Path, name: str) -> None:
    """Such as a copy that somebody made of a unit."""
    companion_hosts.put(tmp_path, {"mail": BEAT})
    (tmp_path / LIVE / "plain-mail.service").rename(tmp_path / LIVE / name)
    assert companion_files.read_installed(str(tmp_path)) == []


def test_an_alias_is_no_second_one(tmp_path: Path) -> None:
    """Nor is a unit of somebody else, without the role's line."""
    companion_hosts.put(tmp_path, {"mail": BEAT})
    (tmp_path / LIVE / "plain-mail@1-1.service").symlink_to("plain-mail.service")
    (tmp_path / LIVE / "plain-own.service").write_text("# A companion of plain: own\n[Service]\n", encoding="utf-8")
    (found,) = companion_files.read_installed(str(tmp_path))
    assert found.units == ("plain-mail.service",)


def test_a_host_without_systemd(tmp_path: Path) -> None:
    assert companion_files.read_installed(str(tmp_path)) == []
