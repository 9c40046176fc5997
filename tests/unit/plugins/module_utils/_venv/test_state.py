# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from venvs import Host, snapshot, state_of, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError


class TestState:
    def test_the_fingerprint_is_over_all_that_is_installed(self) -> None:
        """It changes with Python, any version and any code, and not with the order in which they were found."""
        versions = {"gunicorn": "27.0.1", "django": "5.2"}
        state = state_of(versions=versions)
        assert state.listing == "django==5.2\ngunicorn==27.0.1\n"
        same = state._replace(versions={"django": "5.2", "gunicorn": "27.0.1"}, installed="1" * 64)
        assert same.fingerprint == state.fingerprint
        others = [
            state._replace(directory="/v-2"),
            state._replace(python_version="3.11.3"),
            state._replace(versions={**versions, "django": "5.3"}),
            state._replace(origins={"django": "file:///opt/django#0"}),
            state._replace(origins={"django": "file:///opt/django#1"}),
        ]
        assert len({state.fingerprint, *(other.fingerprint for other in others)}) == 6

    def test_the_listing_says_where_code_is_from(self) -> None:
        """A diff then shows another commit under the same version, without a password."""
        origins = {"shop": "git+https://u:harmless@example.com/shop@abc#0", "notes": "#0"}
        listing = state_of(versions={"shop": "1.0", "notes": "2.0"}, origins=origins).listing
        assert listing == "notes==2.0\nshop==1.0 (git+https://u:********@example.com/shop@abc)\n"

    def test_the_same(self) -> None:
        """Wherever the venv is, and whenever it was installed; but not with other code."""
        state = state_of(origins={"shop": "file:///opt/shop#0"})
        assert state.has_the_same_as(state._replace(directory="/v-2", installed="1" * 64))
        assert not state.has_the_same_as(state._replace(origins={"shop": "file:///opt/shop#1"}))
        assert not state.has_the_same_as(state._replace(gunicorn_is_whole=False))

    @pytest.mark.parametrize("field", ["gunicorn_is_whole", "gunicorn_is_wanted", "has_extras"])
    def test_it_has_gunicorn(self, field: str) -> None:
        """All of it, in a version that is wanted, with what its worker class needs."""
        assert state_of().has_gunicorn
        assert not state_of(**{field: False}).has_gunicorn


class TestNoVenv:
    def test_an_empty_folder_is_no_venv_yet(self, tmp_path: Path, host: Host) -> None:
        """Somebody made the folder beforehand, for its owner or as a mount."""
        assert venv_state.read(want(tmp_path), host.run) is None

    def test_an_empty_folder(self, tmp_path: Path, host: Host) -> None:
        """It is no venv that a rebuild replaces, but one that is to be made."""
        assert venv_state.read(want(tmp_path, rebuild=True), host.run) is None
        assert host.ensure(want(tmp_path, rebuild=True), check_mode=True)["changed"]

    def test_a_file(self, tmp_path: Path, host: Host) -> None:
        """It stays as it is."""
        (tmp_path / "venv").write_text("x")
        with pytest.raises(
            InvalidValue, match=r"gunicorn_venv: '.*/venv' can't be used: expected a virtual environment"
        ):
            host.ensure(want(tmp_path / "venv"))
        assert (tmp_path / "venv").read_text() == "x"

    def test_a_folder_that_is_no_venv(self, tmp_path: Path, host: Host) -> None:
        """Nothing is put into, say, the project's code."""
        (tmp_path / "manage.py").touch()
        with pytest.raises(InvalidValue, match="gunicorn_venv: .* or a path where nothing is yet"):
            host.ensure(want(tmp_path))
        assert [path.name for path in tmp_path.iterdir()] == ["manage.py"]
        assert host.commands == []


class TestBroken:
    def test_an_interpreter_that_is_gone(self, venv: Path, host: Host) -> None:
        """The message says what happened, that nothing was changed, and what to do."""
        (venv / "bin/python3.99").symlink_to("/usr/bin/python3.99")
        (venv / "bin/python").unlink()
        (venv / "bin/python").symlink_to("python3.99")
        before = snapshot(venv)
        with pytest.raises(VenvError) as caught:
            host.ensure(want(venv))
        assert str(caught.value).startswith(f"gunicorn_venv: {venv} does not work any more")
        for part in ("/usr/bin/python3.99 is gone", "Nothing was changed", "gunicorn_venv_rebuild: true"):
            assert part in str(caught.value)
        assert snapshot(venv) == before

    def test_a_python_that_does_not_start(self, tmp_path: Path, host: Host) -> None:
        """The message has the error that it wrote."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/python").write_text("#!/bin/sh\necho libpython3.99.so: cannot open >&2; exit 127\n")
        (tmp_path / "bin/python").chmod(0o755)
        (tmp_path / "pyvenv.cfg").touch()
        with pytest.raises(VenvError, match=r"gunicorn_venv: .* can't be read: libpython3.99.so: cannot open"):
            host.ensure(want(tmp_path))

    def test_what_a_plan_can_tell(self, outlived: Path, made: tuple) -> None:
        """It knows whether the venv stays, without running anything."""
        python = sys.executable
        assert not venv_state.stays(str(outlived), python, rebuild=True)
        assert venv_state.stays(str(made[0]), python, rebuild=True)
        assert venv_state.stays(str(made[0]), "no-such-python", rebuild=False)
        assert not venv_state.stays(str(made[0]), "sh", rebuild=True)
        with pytest.raises(VenvError, match="gunicorn_venv_rebuild: true"):
            venv_state.stays(str(outlived), python, rebuild=False)


class TestSettings:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"settings": {"timeut": 30}},
                "gunicorn_settings['timeut']: 30 can't be used: *the nearest is 'timeout', says",
            ),
            (
                {"settings": {"timeout": "long"}},
                "gunicorn_settings['timeout']: 'long' can't be used: expected a value that",
            ),
            ({"settings": {"preload_app": 5}}, "gunicorn_settings['preload_app']: 5 can't be used: "),
            ({"worker_class": "gthred"}, "gunicorn_worker_class: 'gthred' can't be used: expected one of *gthread"),
            # Gunicorn 26 has dropped it.
            ({"worker_class": "eventlet"}, "gunicorn_worker_class: 'eventlet' can't be used: expected one of *gevent"),
        ],
    )
    @pytest.mark.parametrize("check_mode", [False, True])
    def test_what_the_installed_gunicorn_does_not_take(
        self, made: tuple, host: Host, newest: str, changes: dict, message: str, check_mode: bool
    ) -> None:
        """The error names the role's variable and Gunicorn's version, in check mode, too."""
        with pytest.raises(InvalidValue) as caught:
            host.ensure(want(made[0], **changes), check_mode)
        first, *others = message.split("*")
        assert str(caught.value).startswith(first)
        assert all(other in str(caught.value) for other in others)
        assert str(caught.value).endswith(f", says Gunicorn {newest}")

    def test_a_library_that_is_not_there(self, made: tuple, host: Host, newest: str) -> None:
        """What Gunicorn says of it is in the error."""
        state = venv_state.ask_probe(want(made[0], worker_class="tornado"), str(made[0]), Runner(host.run))
        with pytest.raises(InvalidValue, match=r"library is in the venv \(.*tornado.*\), says Gunicorn " + newest):
            venv_state.check_settings(want(made[0]), state)
        assert (state.has_extras, state.gunicorn_is_wanted) == (False, True)

    def test_good_settings(self, made: tuple, host: Host) -> None:
        """They change nothing in the venv."""
        wanted = want(made[0], settings={"graceful_timeout": 30, "max_requests": "1000"}, worker_class="gthread")
        assert not host.ensure(wanted)["changed"]
