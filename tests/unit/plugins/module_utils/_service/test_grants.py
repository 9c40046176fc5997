# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the projects of a host were given, as their notes, units and programs say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import grants
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.grants import Grant
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

MARK = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.\n"


def write(root: Path, path: str, text: str) -> Path:
    """Write a file of the host."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def write_unit(root: Path, name: str, workers: int) -> None:
    """Write the unit of a service, as the role does."""
    line = f"ExecStart=/opt/x/venv/bin/gunicorn --config=/etc/opt/x/gunicorn.conf.py --workers={workers} x.wsgi\n"
    write(root, f"etc/systemd/system/{name}.service", f"{MARK}[Service]\n{line}")


def note(root: Path, grant: Grant) -> None:
    """Note what a service was given."""
    write(root, f"var/lib/gunicorn-{grant.service}.memory", grants.text_of(grant))


@given(
    memory=st.integers(0, 1 << 50),
    share=st.none() | st.floats(0, 1, exclude_min=True),
    slice_name=st.sampled_from(("system.slice", "web-shop.slice", "-.slice", r"web-my\x2dshop.slice")),
)
def test_what_is_noted_is_read(
    tmp_path_factory: pytest.TempPathFactory, memory: int, share: float | None, slice_name: str
) -> None:
    """In whole MiB: the memory is rounded up, so that a project that keeps it keeps its workers."""
    root = tmp_path_factory.mktemp("host")
    write_unit(root, "shop", 5)
    note(root, Grant("shop", memory, share, slice_name))
    assert grants.read_all(str(root)) == {"shop": Grant("shop", -(-memory // MIB) * MIB, share, slice_name)}


def test_a_note_is_for_people_too(tmp_path: Path) -> None:
    """It says whose it is, what for, and what was given."""
    assert grants.text_of(Grant("shop", 672 * MIB, 0.5)) == (
        "# Managed by Ansible (role pyweb.gunicorn.gunicorn): the sizing of other projects on this host reads it.\n"
        "memory=672M\nshare=0.5\nslice=system.slice\n"
    )


def test_a_share_is_one_of_what_there_is() -> None:
    """Also if the project takes less of it now; if it takes more, that counts."""
    assert [Grant("shop", 672 * MIB, share).of(1000 * MIB) // MIB for share in (None, 0.9, 0.1)] == [672, 900, 672]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "memory=1M\nslice=system.slice\n",
        f"{MARK}memory=1\nslice=system.slice\n",
        f"{MARK}memory=-1M\nslice=system.slice\n",
        f"{MARK}memory=1M\nshare=0.5.5\nslice=system.slice\n",
        f"{MARK}memory=1M\nslice=x\n",
    ],
)
def test_without_a_note_the_workers_count(tmp_path: Path, text: str | None) -> None:
    """A service that an earlier release of the role deployed is seen, too, with workers of the usual size."""
    write_unit(tmp_path, "shop", 5)
    if text is not None:
        write(tmp_path, "var/lib/gunicorn-shop.memory", text)
    assert grants.read_all(str(tmp_path)) == {"shop": Grant("shop", 672 * MIB, workers=5)}


def test_only_what_the_role_made_counts(tmp_path: Path) -> None:
    """No unit of others, no companion, nothing that a killed run left, and no note without its service."""
    line = "ExecStart=/usr/bin/gunicorn --workers=9 x\n"
    write(tmp_path, "etc/systemd/system/by-hand.service", f"[Service]\n{line}")
    write(tmp_path, "etc/systemd/system/shop-web.service", f"{MARK}# A companion of shop: web\n[Service]\n{line}")
    write(tmp_path, "etc/systemd/system/.candidate.shop.service", f"{MARK}[Service]\n{line}")
    write(tmp_path, "etc/systemd/system/shop.socket", MARK)
    note(tmp_path, Grant("gone", 99 * MIB))
    os.symlink("/dev/null", tmp_path / "etc/systemd/system/masked.service")
    assert grants.read_all(str(tmp_path)) == {}
    assert grants.read_all(str(tmp_path / "nothing")) == {}


def test_what_a_user_can_write_is_not_read(tmp_path: Path) -> None:
    """A unit may be a link to a file of the service's user, who must not take the memory of other projects.

    Nor have root wait for the other end of a pipe.
    """
    write_unit(tmp_path, "shop", 5)
    units = tmp_path / "etc/systemd/system"
    (units / "linked.service").symlink_to(units / "shop.service")
    write_unit(tmp_path, "open", 5)
    (units / "open.service").chmod(0o666)
    os.mkfifo(tmp_path / "pipe")
    (units / "piped.service").symlink_to(tmp_path / "pipe")
    assert list(grants.read_all(str(tmp_path))) == ["shop"]


def test_a_service_without_workers_takes_nothing(tmp_path: Path) -> None:
    """A host that has its companions alone has no master, either."""
    write_unit(tmp_path, "shop", 0)
    assert grants.read_all(str(tmp_path))["shop"].memory == 0


class TestSupervisor:
    @pytest.fixture
    def description(self, tmp_path: Path) -> Path:
        """The description of a service with three workers, and its program."""
        options = "command=/usr/bin/python3 /etc/opt/shop/gunicorn.launch.py /etc/opt/shop/gunicorn.launch.json hash\n"
        companion = (
            "command=/usr/bin/python3 /etc/opt/shop/gunicorn.launch.py /etc/opt/shop/gunicorn.launch.mail.json\n"
        )
        mark = MARK.replace("#", ";")
        write(tmp_path, "etc/supervisor/conf.d/shop.conf", f"{mark}[program:shop]\n{options}")
        write(tmp_path, "etc/supervisor/conf.d/shop-mail.conf", f"{mark}[program:shop-mail]\n{companion}")
        told = json.dumps({"command": ["gunicorn", "--workers=3", "shop.wsgi"]})
        return write(tmp_path, "etc/opt/shop/gunicorn.launch.json", told)

    def test_the_description_says_how_many_workers(self, tmp_path: Path, description: Path) -> None:
        """Where there is no note; a companion is none of its own."""
        assert grants.read_all(str(tmp_path)) == {"shop": Grant("shop", 416 * MIB, workers=3)}
        note(tmp_path, Grant("shop", 99 * MIB))
        assert grants.read_all(str(tmp_path)) == {"shop": Grant("shop", 99 * MIB)}

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"command": 1}', '{"command": ["gunicorn"]}'])
    def test_a_description_that_says_nothing(self, tmp_path: Path, description: Path, text: str) -> None:
        """It is no error."""
        description.write_text(text)
        assert grants.read_all(str(tmp_path)) == {"shop": Grant("shop", 0, workers=0)}

    def test_a_description_that_others_can_write(self, tmp_path: Path, description: Path) -> None:
        """It is not read."""
        description.chmod(0o666)
        assert grants.read_all(str(tmp_path)) == {}
