# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest
import yaml

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import reach
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ROLE = Path(__file__).parents[5] / "roles/gunicorn"
STRANGER = Account(4242, 4242, (4242,))
SHOWN = {"ProtectHome": "no", "PrivateTmp": "no"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with code and a virtual environment that everybody can read; the directories above do not count."""
    (tmp_path / "code/venv/bin").mkdir(parents=True)
    (tmp_path / "code/venv/bin/python").touch()
    tmp_path.chmod(0o755)
    steps_to = directories.steps_to
    monkeypatch.setattr(
        directories, "steps_to", lambda path: [step for step in steps_to(path) if Path(step).is_relative_to(tmp_path)]
    )
    monkeypatch.setattr(accounts, "group_id", {"web": os.getgid()}.get)
    return tmp_path


@pytest.fixture
def check(root: Path, host: SimpleNamespace, parameters: Callable, check: Callable) -> Callable[..., None]:
    """Check a deployment there, with directives and drop-ins; `user` is the account of the service."""

    def run(
        directives: dict | None = None,
        added: dict | None = None,
        user: Account | None = STRANGER,
        made: tuple[str, ...] = (),
        sandboxed: bool = True,
        **changes: object,
    ) -> None:
        host.accounts["shop"] = user
        given = {
            "code_directory": f"{root}/code",
            "config_directory": f"{root}/etc",
            "data_directory": f"{root}/data",
            "log_file": f"{root}/log/gunicorn.log",
            "venv": f"{root}/code/venv",
            "environment": {"PYTHONPATH": f"{root}/etc:{root}/code"},
            **changes,
        }
        sandbox = reach.effective({**SHOWN, **(directives or {})}, added or {}) if sandboxed else None
        reach.check_reach(check(**given), parameters(**given), sandbox, list(made))

    return run


def test_the_defaults_are_those_of_the_role() -> None:
    """The role's variables have the sandbox; the plan gets only what a user adds to it."""
    sandbox = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__gunicorn_service_directives"]
    assert reach.effective({name: sandbox[name] for name in reach.DEFAULTS}, {}) == reach.effective({}, {})


class TestSandbox:
    @pytest.mark.parametrize(
        ("variable", "changes"),
        [
            (
                "gunicorn_code_directory",
                {"code_directory": "/home/a/site", "environment": {"PYTHONPATH": "/home/a/site"}},
            ),
            ("gunicorn_environment['PYTHONPATH']", {"environment": {"PYTHONPATH": "/root/lib"}}),
            ("gunicorn_settings['chdir']", {"settings": {"chdir": "/home/a"}}),
            ("gunicorn_config_directory", {"config_directory": "/root/etc", "environment": {}}),
            ("gunicorn_venv", {"venv": "/run/user/1000/venv"}),
            ("gunicorn_data_directory", {"data_directory": "/home/a/data"}),
            ("gunicorn_log_file", {"log_file": "/home/a/log/gunicorn.log"}),
            ("gunicorn_access_log_file", {"access_log_file": "/home/a/log/access.log"}),
        ],
    )
    def test_what_is_below_home_is_named(self, check: Callable, variable: str, changes: dict) -> None:
        """With the directive, and what to set."""
        with pytest.raises(InvalidValue) as caught:
            check({"ProtectHome": True}, **changes)
        text = str(caught.value)
        assert text.startswith(f"{variable}: ")
        assert "gunicorn_service_directives: {ProtectHome: read-only}: ProtectHome= hides /" in text
        check({"ProtectHome": "read-only"}, **changes)
        check({"ProtectHome": True}, sandboxed=False, **changes)

    def test_an_interpreter_below_root_is_named(
        self, root: Path, check: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The environment is elsewhere, but leads there: as with an interpreter that an installer brought for root."""
        monkeypatch.setattr(
            os.path, "realpath", lambda path: str(path).replace(f"{root}/code/venv/bin", "/root/python")
        )
        with pytest.raises(InvalidValue, match="gunicorn_python: '/root/python/python'.*ProtectHome= hides /root"):
            check({"ProtectHome": True})

    def test_links_count(self, root: Path, check: Callable) -> None:
        """What the path leads to is hidden, too."""
        (root / "hidden").mkdir()
        (root / "site").symlink_to("hidden")
        with pytest.raises(InvalidValue, match="gunicorn_code_directory: .*InaccessiblePaths= hides"):
            check(
                {"InaccessiblePaths": f"-{root}/hidden"},
                code_directory=f"{root}/site",
                environment={"PYTHONPATH": f"{root}/site"},
            )

    @pytest.mark.parametrize(
        "directives",
        [
            {"InaccessiblePaths": ["/srv", "/nothing -{root}/code"]},
            {"TemporaryFileSystem": "{root}/code:ro"},
            {"ProtectHome": "tmpfs", "TemporaryFileSystem": "{root}"},
        ],
    )
    def test_other_directives_hide_too(self, root: Path, check: Callable, directives: dict) -> None:
        """Unless others open it again."""
        told = {
            name: [each.format(root=root) for each in ([value] if isinstance(value, str) else value)]
            for name, value in directives.items()
        }
        with pytest.raises(InvalidValue, match="hides"):
            check(told)
        check({**told, "BindReadOnlyPaths": f"/srv:{root}"})
        check({**told, "RootDirectory": "/srv/root"})

    def test_temporary_directories(self, check: Callable) -> None:
        """The service has its own."""
        with pytest.raises(InvalidValue, match="gunicorn_venv: '/var/tmp/venv'.*PrivateTmp: false"):
            check(
                {"PrivateTmp": True},
                venv="/var/tmp/venv",
                config_directory="/etc/a",
                data_directory="/var/a",
                log_file="-",
                environment={},
            )

    def test_a_drop_in_has_the_last_word(self, check: Callable) -> None:
        """An administrator may show what the role hides, and the other way round."""
        check({"ProtectHome": True}, {"ProtectHome": ["yes", "read-only"]}, data_directory="/home/a/data")
        with pytest.raises(InvalidValue, match="ProtectHome= hides /home"):
            check({}, {"ProtectHome": ["tmpfs"]}, data_directory="/home/a/data")


class TestPermissions:
    def test_a_directory_for_its_group_alone_is_named(self, root: Path, check: Callable) -> None:
        """With owner, mode and what to do; before that it was 203/EXEC after the environment was built."""
        (root / "code").chmod(0o750)
        with pytest.raises(InvalidValue) as caught:
            check()
        text = str(caught.value)
        assert text.startswith(
            f"gunicorn_code_directory: '{root}/code' can't be used: expected a path that the user shop"
        )
        assert "with mode 0750" in text
        assert f"chmod o+rx {root}/code" in text
        with pytest.raises(InvalidValue, match="chmod o[+]rx"):
            check(user=None)

    @pytest.mark.parametrize(
        ("changes"),
        [
            {"user": STRANGER._replace(groups=(os.getgid(),))},
            {"user": STRANGER._replace(uid=os.getuid())},
            {"group": "web"},
            {"group": "web", "user": None},
            {"directives": {"SupplementaryGroups": "web"}},
            {"added": {"SupplementaryGroups": ["other web"]}},
            {"directives": {"AmbientCapabilities": "CAP_DAC_READ_SEARCH"}},
        ],
    )
    def test_who_may_enter_is_let_in(self, root: Path, check: Callable, changes: dict) -> None:
        """By owner, by each of the groups that the process will have, or by a capability."""
        (root / "code").chmod(0o750)
        check(**changes)

    def test_access_lists_are_not_judged(self, root: Path, check: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        """The mode is not all that they say."""
        (root / "code").chmod(0o750)
        monkeypatch.setattr(os, "listxattr", lambda path: ["system.posix_acl_access"])
        check()

    @pytest.mark.parametrize(("mode", "allowed"), [(0o711, True), (0o700, False)])
    def test_parents_must_be_entered(self, root: Path, check: Callable, mode: int, allowed: bool) -> None:
        """Not read."""
        root.chmod(mode)
        if allowed:
            check()
        else:
            with pytest.raises(InvalidValue, match=f"chmod o[+]x {root},?"):
                check()

    def test_a_directory_of_imports_must_be_readable(self, root: Path, check: Callable) -> None:
        """Python finds no module in what it can't list."""
        (root / "code").chmod(0o711)
        with pytest.raises(InvalidValue, match="chmod o[+]rx"):
            check()
        check(environment={})

    def test_what_the_role_hands_over_is_not_judged(self, root: Path, check: Callable) -> None:
        """It will have another owner."""
        (root / "data/log").mkdir(parents=True)
        (root / "data").chmod(0o700)
        with pytest.raises(InvalidValue, match="gunicorn_log_file"):
            check(log_file=f"{root}/data/log/gunicorn.log")
        check(log_file=f"{root}/data/log/gunicorn.log", made=(f"{root}/data",))

    def test_under_supervisor_one_group_counts(self, root: Path, check: Callable) -> None:
        """The launcher drops all others of the user."""
        (root / "code").chmod(0o750)
        with pytest.raises(InvalidValue, match="chmod o[+]rx"):
            check(sandboxed=False, user=STRANGER._replace(groups=(os.getgid(),)))
        check(sandboxed=False, group="web")
