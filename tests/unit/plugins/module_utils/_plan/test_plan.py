# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import shutil
import socket
import typing
from pathlib import Path
from typing import Callable

import pytest
import yaml

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, ports
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import parameters as plan_parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import plan as plan_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses as values_addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

FIXTURES = Path(__file__).parents[4] / "fixtures" / "systemctl"
BAD_INPUT = Path(__file__).parents[4] / "fixtures" / "bad_input.yml"
NO_UNIT = Unit(False, False, False, False, 0, False, "", ())
SERVICE = Unit(True, True, False, True, 0, False, "/etc/systemd/system/shop.service", ())
SOCKET = SERVICE._replace(path="/etc/systemd/system/shop.socket", listen=("127.0.0.1:8000", "[::1]:8000"))


def parameters(**changes: object) -> dict:
    """The parameters of the module as the role's defaults make them, but for these."""
    given = {
        "project": "shop",
        "service_name": "shop",
        "user": "shop",
        "group": "shop",
        "manage_user": True,
        "app": "shop.wsgi:application",
        "venv": "/opt/shop/venv",
        "python": "python3",
        "venv_rebuild": False,
        "version": "newest",
        "requirements": [],
        "upgrade": False,
        "installer": "pip",
        "workers": "auto",
        "threads": "auto",
        "worker_class": "sync",
        "bind": [],
        "port": 8000,
        "environment": {"PYTHONPATH": "/etc/opt/shop:/opt/shop", "DJANGO_SETTINGS_MODULE": "settings"},
        "settings": {},
        "health_path": "/",
        "health_host": "localhost",
        "health_statuses": [],
        "description": "shop: Gunicorn",
        "service_directives": {},
        "sizing": {},
        "unfit_secrets": [],
        "pip_extra_args": [],
        "pip_environment": [],
        "code_directory": "/opt/shop",
        "config_directory": "/etc/opt/shop",
        "data_directory": "/var/opt/shop",
        "log_file": "/var/log/shop/gunicorn.log",
        "access_log_file": "",
    }
    assert set(changes) <= set(given)
    return {**given, **changes}


def check(**changes: object) -> DeploymentParameters:
    """Check the parameters as the module does."""
    return plan_parameters.check_parameters(parameters(**changes), ipv6=True)


class TestSizing:
    """What gunicorn_sizing_info would be asked is made of the role's variables."""

    def test_without_variables_its_own_defaults_count(self) -> None:
        """The role's defaults and those of the module are the same."""
        assert check().sizing == answer.DEFAULTS

    def test_each_variable_reaches_it(self) -> None:
        """Text, as command lines give it, counts as what it says."""
        given = {"wait_ratio": "2", "thread_safe": "no", "maximum": "7", "memory": "1G", "minimum": None}
        directives = {"Slice": "web.slice", "CPUQuota": "50%"}
        assert check(sizing=given, worker_class="gthread", threads="4", service_directives=directives).sizing == {
            **answer.DEFAULTS,
            "wait_ratio": 2.0,
            "thread_safe": False,
            "maximum": 7,
            "memory": "1G",
            "worker_class": "gthread",
            "threads": 4,
            "slice": "web.slice",
            "service_directives": directives,
        }


class TestLacking:
    PLAN: typing.ClassVar = {"packages": [], "create_group": False, "create_user": False, "directories": []}

    def test_a_host_that_has_everything_lacks_nothing(self) -> None:
        """So that the role skips the installation as a whole."""
        assert plan_plan.lacking(self.PLAN, {"changed": False}) == []

    def test_each_thing_is_named(self) -> None:
        """In the order in which it is made."""
        plan = {
            "packages": ["logrotate"],
            "create_group": True,
            "create_user": True,
            "directories": [{"path": "/var/a"}],
        }
        assert plan_plan.lacking(plan, {"changed": True}) == [
            "the package logrotate",
            "the group",
            "the user",
            "the directory /var/a",
            "what shall be in the virtual environment",
        ]
        for name, value in plan.items():
            assert len(plan_plan.lacking({**self.PLAN, name: value}, {"changed": False})) == 1


def test_uv_has_to_be_on_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is asked for by name, so that pip does not take its place."""
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(InvalidValue, match="gunicorn_installer: 'uv' can't be used"):
        check(installer="uv")


def test_secrets_that_can_not_be_handed_on_are_named() -> None:
    """The names alone: values do not come here."""
    with pytest.raises(InvalidValue, match="gunicorn_secrets, gunicorn_credentials: 'A B, NUL' can't be used"):
        check(unfit_secrets=["A B", "NUL"])


class TestVirtualEnvironment:
    def test_what_gunicorn_venv_would_be_asked(self, tmp_path: Path) -> None:
        """The requirements are read from the host, as that module does."""
        (tmp_path / "requirements.txt").write_text("Django~=5.2\n", encoding="utf-8")
        given = parameters(requirements=str(tmp_path / "requirements.txt"), version="27.0.1", venv="/opt/shop/venv/")
        wanted = plan_parameters.wanted_venv(given)
        assert wanted.requirements == ["Django~=5.2"]
        assert (wanted.path, wanted.version, wanted.activate) == ("/opt/shop/venv", "27.0.1", False)

    def test_requirements_that_can_not_be_read(self, tmp_path: Path) -> None:
        """One error that names the variable and the file."""
        with pytest.raises(InvalidValue, match="gunicorn_requirements"):
            plan_parameters.wanted_venv(parameters(requirements=str(tmp_path / "gone.txt")))


class TestGoodParameters:
    def test_the_defaults(self) -> None:
        """What the role gives without any variable but the project is good, and means the book's layout."""
        assert check() == DeploymentParameters(
            project="shop",
            service="shop",
            user="shop",
            group="shop",
            manage_user=True,
            venv="/opt/shop/venv",
            python="python3",
            venv_rebuild=False,
            binds=[Address(host="127.0.0.1", port=8000), Address(host="::1", port=8000)],
            environment={"PYTHONPATH": "/etc/opt/shop:/opt/shop", "DJANGO_SETTINGS_MODULE": "settings"},
            config_directory="/etc/opt/shop",
            data_directory="/var/opt/shop",
            log_files={"gunicorn_log_file": "/var/log/shop/gunicorn.log"},
            sizing=answer.DEFAULTS,
        )

    @pytest.mark.parametrize(
        ("log_file", "access_log_file", "files"),
        [
            ("-", "", []),
            ("-", "-", []),
            ("-", None, []),
            ("/var/log/a", "/var/log/b", ["/var/log/a", "/var/log/b"]),
            ("-", "/var/log/b", ["/var/log/b"]),
        ],
    )
    def test_logs_that_are_files(self, log_file: str, access_log_file: str | None, files: list[str]) -> None:
        """The journal needs no directory and no rotation."""
        found = check(log_file=log_file, access_log_file=access_log_file).log_files
        assert list(found.values()) == files

    @pytest.mark.parametrize(
        "value", ["%n %%", "$HOME ${HOME}", "\"double\" 'single'", "back\\slash\\", "two\nlines\r\t", "😀 é", "", "#;="]
    )
    def test_environment_values_pass_unchanged(self, value: str) -> None:
        """Whatever stands in a value is quoted later on, and is no reason to refuse it."""
        assert check(environment={"A": value}).environment == {"A": value}

    @pytest.mark.parametrize("value", ["auto", "1", "42", "1000"])
    def test_counts(self, value: str) -> None:
        """A number comes as a string, since it may be the word auto."""
        check(workers=value, threads=value)

    @pytest.mark.parametrize(
        "value",
        [
            "newest",
            "27",
            "23.0.0",
            "28.0.0rc1",
            "27.0.1.post1",
            "28.0.dev3",
            ">=25.3,<28",
            ">= 25.3 , < 28",
            "==27.*",
            "!=27.0.0,~=27.0",
            "===27.0.1",
        ],
    )
    def test_versions(self, value: str) -> None:
        """A version, specifiers of PEP 440, or newest."""
        check(version=value)

    def test_given_addresses_replace_the_default(self) -> None:
        """The port is then not looked at."""
        assert [bind.gunicorn_bind for bind in check(bind=["unix:/run/shop.sock"], port=0).binds] == [
            "unix:/run/shop.sock"
        ]


# The parameter, its value, and what the error shall name: the variable (gunicorn_ and the parameter unless there is
# another) and the value (the parameter's unless it is a part of that).
HOSTILE: list[tuple] = [
    *[
        ("project", value)
        for value in ("", " ", "my shop", "a/b", "my.shop", "my-shop", "-rf", "..", "../etc", "Shop", "2shop", "_shop")
    ],
    *[
        ("project", value)
        for value in ("schön", "ѕhop", "shop\n", "shop\0", "a" * 32, "shop;id", "$(id)", "%n", "shop٤")
    ],
    *[
        ("service_name", value)
        for value in ("", "shop.service", "shop.socket", "shop@1", "a/b", "../a", "-a", ".a", "a b")
    ],
    *[
        ("user", value)
        for value in ("root", "", "root:x", "a b", "-a", "Shop", "shop\n", "a" * 32, "0", "shöp", "$USER")
    ],
    *[("group", value) for value in ("", "www:data", "a,b", "-x", "Group", "a\nb")],
    *[
        ("app", value)
        for value in ("", "shop.wsgi:", "--help", "shop wsgi", "shop/wsgi.py", "shop.wsgi:a\nUser=root", "..")
    ],
    *[
        ("venv", value)
        for value in ("", "venv", "/opt/a b", "/opt/../etc", "/opt/venv\n", "/opt/%n", "/opt/$HOME", "/", "~/v")
    ],
    *[("config_directory", value) for value in ("", "etc", "/etc/opt/a:b", "/etc/./a", "/etc/opt/'a'")],
    *[("data_directory", value) for value in ("", "var", "/var/opt/\u00fc", "/var//opt")],
    *[("log_file", value) for value in ("", "gunicorn.log", "/var/log/a b.log", "syslog:", "/var/log/*.log{", "--")],
    *[("access_log_file", value) for value in ("access.log", "/var/log/a\nrotate 0", " ")],
    *[
        (parameter, value)
        for parameter in ("workers", "threads")
        for value in (
            "0",
            "-1",
            "+4",
            "1e9",
            "1000000000",
            "1001",
            "many",
            "Auto",
            "4.5",
            "٤",
            "²",
            " 4",
            "4\n",
            "",
            "9" * 5000,
        )
    ],
    *[("workers", value) for value in ("0x4", "1_000", "04", "None", "4 ")],
    *[
        ("version", value)
        for value in (
            "latest",
            "Newest",
            "",
            "23;rm",
            "27 || x",
            ">=25,\n<28",
            ">=25\u00a0",
            "27 --index-url=x",
            ">=27x",
        )
    ],
    *[
        ("version", value)
        for value in ("27abc1", "v27", "=27", ">=", ">=27.*", "~=27", "27.*", "==27.0.1;python_version<'4'")
    ],
    *[("worker_class", value) for value in ("", "my class", "gthread ", "--daemon", "sync\n", "a;b", "é", "'sync'")],
    *[("port", value, "gunicorn_port", value) for value in (0, -1, 65536, 10**9)],
    *[
        ("bind", [value], "gunicorn_bind", value)
        for value in (
            "127.0.0.1",
            "127.0.0.1:",
            ":8000",
            "8000",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.0.0.1:٨٠",
            "127.0.0.1:80 ",
            "127.0.0.1:80\n",
            "::1:8000",
            "::1",
            "[127.0.0.1]:8000",
            "[fe80::1%eth0]:8000",
            "[::1]",
            "localhost:8000",
            "0:8000",
            "01.2.3.4:80",
            8000,
            None,
        )
    ],
    *[
        ("bind", [f"unix:{path}"], "gunicorn_bind", path)
        for path in ("", "run/shop.sock", "/run/../shop", "/run/a b", "/" + "a" * 107, "@abstract")
    ],
    ("bind", [{"path": "/run/a", "mode": "999"}], "gunicorn_bind", "999"),
    ("bind", [{"path": "/run/a", "mode": 432}], "gunicorn_bind", 432),
    ("bind", [{"path": "/run/a", "owner": "a:b"}], "gunicorn_bind", "a:b"),
    ("bind", [{"path": "/run/a", "port": 1}], "gunicorn_bind", {"path": "/run/a", "port": 1}),
    ("bind", ["127.0.0.1:80", "127.0.0.1:80"], "gunicorn_bind", "127.0.0.1:80"),
    ("bind", ["127.0.0.1:80", "0.0.0.0:80"], "gunicorn_bind", "0.0.0.0:80"),
    *[
        ("environment", {"A": value}, "gunicorn_environment['A']", value)
        for value in ("a\0b", True, False, ["a"], {"a": 1}, "\ud800", "\uffff")
    ],
    *[
        ("environment", {name: "x"}, "gunicorn_environment", name)
        for name in ("", "A B", "A=B", "1A", "Ä", "A\nB", "A-B", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS")
    ],
    *[
        ("version", value, "gunicorn_version", value)
        for value in ("22.0.0", "20", "0.1", "==22.*", "~=22.0", "<23", "<23.0.0", "<=22", ">=20,<22.1")
    ],
    *[("health_statuses", [200, value], "gunicorn_health_statuses", value) for value in (99, 600, 0, -200, True)],
    *[
        ("pip_extra_args", [value], "gunicorn_pip_extra_args", value)
        for value in (
            "",
            "--target=/usr",
            "--targ",
            "-t",
            "-t/usr",
            "--user",
            "--prefix",
            "--root=/",
            "a\nb",
            "--python=x",
        )
    ],
    *[("pip_environment", [value], "gunicorn_pip_environment", value) for value in ("A B", "A;id", "")],
    *[("code_directory", value) for value in ("", "opt/shop", "/", "/opt/a:b", "/opt/shop\nUser=root")],
    *[("description", value) for value in ("a\0b", "\ufffe")],
    *[
        ("sizing", {name: value}, f"gunicorn_sizing['{name}']", value)
        for name, value in (
            ("memory_per_worker", "lots"),
            ("share", 2.0),
            ("minimum", 0),
            ("cpus", -1.0),
            ("maximum", "x"),
            ("thread_safe", "perhaps"),
        )
    ],
    ("service_directives", {"Slice": "a/b"}, "gunicorn_service_directives['Slice']", "a/b"),
    *[("settings", {name: 1}, "gunicorn_settings", name) for name in ("", "a b", "x = 1\nimport os #", "a.b")],
    *[
        ("app", value)
        for value in (
            "shop:app; id",
            "shop:app.x",
            "shop:make(open('x'))",
            "shop:make(**{'a': 1})",
            "shop:a or b",
            "a:b:c",
        )
    ],
    *[
        ("service_directives", value, "gunicorn_service_directives", value)
        for value in ({"A B": 1}, {"RestartSec": "1\nUser=root"}, {"LimitNOFILE": None, "Nice": [None]}, {"X": "a\\"})
    ],
    *[
        ("service_directives", {name: value}, f"gunicorn_service_directives['{name}']", value)
        for name, value in (("MemoryMax", "512MB"), ("MemoryHigh", "0"), ("CPUQuota", 150), ("TasksMax", "many"))
    ],
    *[
        ("settings", {name: value}, f"gunicorn_settings['{name}']", value)
        for name, value in (
            ("bind", ":80"),
            ("workers", 4),
            ("daemon", True),
            ("pidfile", "/run/a"),
        )
    ],
]


class TestHostileParameters:
    def test_there_are_many(self) -> None:
        """The table has not been emptied by accident."""
        assert len(HOSTILE) > 150

    @pytest.mark.parametrize("row", HOSTILE, ids=lambda row: f"{row[0]}-{ascii(row[1])[:50]}")
    def test_it_is_refused_by_its_name(self, row: tuple) -> None:
        """One error, which names the variable and shows the value as it was given."""
        parameter, value, variable, part = row if len(row) == 4 else (*row, f"gunicorn_{row[0]}", row[1])
        with pytest.raises(InvalidValue) as caught:
            check(**{parameter: value})
        assert str(caught.value).startswith(f"{variable}: {part!r} can't be used: expected ")


def fed_to_the_module() -> list:
    """The rows of the table of bad input that this module refuses, and without asking its host."""
    table = yaml.safe_load(BAD_INPUT.read_text(encoding="utf-8"))
    return [
        row
        for rows in table.values()
        for row in rows
        if "gunicorn_plan_info" in row.get("modules", ["gunicorn_plan_info"]) and not row.get("host")
    ]


class TestTableOfBadInput:
    @pytest.mark.parametrize(
        "row", fed_to_the_module(), ids=lambda row: f"{row['variable']}-{ascii(row['value'])[:50]}"
    )
    def test_it_gets_the_same_error_as_in_the_role(self, row: dict) -> None:
        """Numbers come as text where the module takes a word as well."""
        given = {name.replace("gunicorn_", "", 1): value for name, value in row.get("also", {}).items()}
        given[row["variable"].replace("gunicorn_", "", 1)] = row["value"]
        for name in {"workers", "threads"} & set(given):
            given[name] = str(given[name])
        with pytest.raises(InvalidValue) as caught:
            check(**given)
        named, shown = row.get("names", row["variable"]), row.get("shows", row["value"])
        assert str(caught.value).startswith(f"{named}: {shown!r} can't be used: expected ")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """A fresh host that has nothing of the project."""
    return Host(monkeypatch, tmp_path)


class Host:
    """A host that tests change; its directories are real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.root = root
        self.accounts: dict[str, Account] = {}
        self.groups: set[str] = set()
        self.refused: dict[str, int] = {}
        self.units = {"shop.service": NO_UNIT, "shop.socket": NO_UNIT}
        monkeypatch.setattr(units, "read_units", lambda names, run: {name: self.units[name] for name in names})
        monkeypatch.setattr(accounts, "read_account", self.accounts.get)
        monkeypatch.setattr(accounts, "has_group", lambda name: name in self.groups)
        monkeypatch.setattr(ports, "bind_error", lambda family, name, port: self.refused.get(f"{name}:{port}", 0))

    def plan(self, **changes: object) -> dict:
        """The plan for this host, with directories below its root."""
        directories = {
            "config_directory": f"{self.root}/etc/shop",
            "data_directory": f"{self.root}/var/shop",
            "log_file": f"{self.root}/log/shop/gunicorn.log",
        }
        return plan_plan.make_plan(check(**{**directories, **changes}), Runner(lambda command: (0, "", "")))


class TestSupervised:
    @pytest.fixture(autouse=True)
    def _no_supervisor(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A host that lacks it."""
        monkeypatch.setattr(programs, "PROGRAM", str(tmp_path / "supervisord"))
        monkeypatch.setattr(configuration, "CONFIGURATION", str(tmp_path / "supervisord.conf"))
        monkeypatch.setattr(programs, "PROGRAMS", str(tmp_path / "conf.d"))
        monkeypatch.setattr(programs, "LOGS", str(tmp_path / "logs"))

    def plan(self, host: Host) -> dict:
        """The plan without anybody to ask for units."""

        def run(command: list[str]) -> tuple[int, str, str]:
            raise AssertionError(f"{command}: there is no systemctl")

        wanted = check(
            config_directory=f"{host.root}/etc/shop",
            data_directory=f"{host.root}/var/shop",
            log_file=f"{host.root}/log/shop/gunicorn.log",
        )
        return plan_plan.make_plan(wanted, Runner(run), manager.SUPERVISOR)

    def test_a_host_that_has_nothing(self, host: Host, tmp_path: Path) -> None:
        """It gets supervisor, and a directory that nobody else reads for what supervisor logs."""
        plan = self.plan(host)
        assert plan["manager"] == "supervisor"
        assert "supervisor" in plan["packages"]
        logs = {"path": f"{tmp_path}/logs/shop", "owner": "root", "group": "shop", "mode": "0750"}
        assert plan["directories"][-1] == logs

    def test_a_host_that_has_all(self, host: Host, tmp_path: Path) -> None:
        """Nothing is made anew."""
        (tmp_path / "supervisord").touch()
        (tmp_path / "logs/shop").mkdir(parents=True)
        plan = self.plan(host)
        assert "supervisor" not in plan["packages"]
        assert f"{tmp_path}/logs/shop" not in [directory["path"] for directory in plan["directories"]]

    def test_a_program_of_another_file(self, host: Host, tmp_path: Path) -> None:
        """supervisor would have two of one name; that of the role's own file is the one that is taken over."""
        (tmp_path / "conf.d").mkdir()
        (tmp_path / "conf.d/shop.conf").write_text("[program:shop]\n")
        self.plan(host)
        (tmp_path / "conf.d/other.conf").write_text("[program:shop]\n")
        with pytest.raises(InvalidValue, match="gunicorn_service_name: 'shop'.*other.conf"):
            self.plan(host)


class TestMakePlan:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("file", "at which nothing else is"),
            ("folder", "at which nothing else is"),
            ("file/a", "a path in a directory"),
        ],
    )
    def test_what_is_at_the_path_of_a_unix_socket_is_safe(self, host: Host, path: str, expected: str) -> None:
        """systemd would remove it to make room for the socket."""
        (host.root / "file").touch()
        (host.root / "folder").mkdir()
        with pytest.raises(InvalidValue, match=expected):
            host.plan(bind=[f"unix:{host.root}/{path}"])

    def test_a_unix_socket_of_another_server_stays_its_own(self, host: Host) -> None:
        """One that nobody listens on any more is only a leftover."""
        path = f"{host.root}/s"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(1)
            with pytest.raises(InvalidValue, match="no other process listens on"):
                host.plan(bind=[f"unix:{path}"])
        assert host.plan(bind=[f"unix:{path}"])["binds"] == [f"unix:{path}"]

    @pytest.mark.parametrize(
        ("parameter", "variable"),
        [
            ("config_directory", "gunicorn_config_directory"),
            ("data_directory", "gunicorn_data_directory"),
            ("log_file", "gunicorn_log_file"),
            ("access_log_file", "gunicorn_access_log_file"),
        ],
    )
    def test_a_path_through_a_file_is_refused(self, host: Host, parameter: str, variable: str) -> None:
        """The directory could not be made, and the error names the variable that asks for it."""
        (host.root / "file").touch()
        for path in (f"{host.root}/file/a", f"{host.root}/file/a/b"):
            with pytest.raises(InvalidValue, match=f"{variable}: '{path}' .*file is none"):
                host.plan(**{parameter: path})

    def test_a_log_file_is_no_directory(self, host: Host) -> None:
        """Gunicorn would not start."""
        with pytest.raises(InvalidValue, match="gunicorn_log_file: .*this is a directory"):
            host.plan(log_file=str(host.root))

    @pytest.mark.parametrize("python", ["/bin/sh", "no-such-python", "-c"])
    def test_an_interpreter_is_a_python(self, host: Host, python: str) -> None:
        """apt would be asked for dash-venv."""
        with pytest.raises(InvalidValue, match="gunicorn_python: .*a Python 3 interpreter"):
            host.plan(python=python, venv=f"{host.root}/venv")

    def test_a_masked_unit_is_left_alone(self, host: Host) -> None:
        """An administrator who masks a unit does not want it to be started."""
        host.units["shop.socket"] = NO_UNIT._replace(exists=True, masked=True)
        with pytest.raises(InvalidValue, match="systemctl unmask shop.socket"):
            host.plan()

    @pytest.mark.parametrize("name", ["User", "Group", "Type", "ExecStart", "RuntimeDirectory"])
    def test_directives_of_the_role_have_their_variables(self, name: str) -> None:
        """User=root among the directives would undo what gunicorn_user promises."""
        with pytest.raises(InvalidValue, match=rf"gunicorn_service_directives\['{name}'\]: 'root'"):
            check(service_directives={name: "root"})

    def test_a_fresh_host(self, host: Host) -> None:
        """Everything is to be made."""
        plan = host.plan()
        assert (plan["create_user"], plan["create_group"]) == (True, True)
        assert plan["binds"] == ["127.0.0.1:8000", "[::1]:8000"]
        assert plan["socket_directives"]["ListenStream"] == ["127.0.0.1:8000", "[::1]:8000"]
        assert plan["environment"] == parameters()["environment"]
        assert [directory["path"] for directory in plan["directories"]] == [
            f"{host.root}/{path}" for path in ("etc", "etc/shop", "var", "var/shop", "log", "log/shop")
        ]

    def test_a_host_that_has_all(self, host: Host) -> None:
        """Nothing is to be made."""
        host.accounts["shop"] = Account(os.getuid(), os.getgid(), (os.getgid(),))._replace(uid=4242)
        host.groups.add("shop")
        host.units = {"shop.service": SERVICE, "shop.socket": SOCKET}
        for path in ("etc/shop", "var/shop", "log/shop"):
            (host.root / path).mkdir(parents=True)
            (host.root / path).chmod(0o755 if path == "etc/shop" else 0o777)
        plan = host.plan()
        assert (plan["create_user"], plan["create_group"], plan["directories"]) == (False, False, [])

    def test_root_does_not_work_where_the_user_may_write(self, host: Host) -> None:
        """Who can put files beside the configuration could make root move and load what he likes."""
        host.accounts["shop"] = Account(4242, 4242, (4242,))
        (host.root / "etc/shop").mkdir(parents=True)
        (host.root / "etc/shop").chmod(0o777)
        with pytest.raises(InvalidValue, match="gunicorn_config_directory: .* may not write"):
            host.plan()

    def test_a_live_service_keeps_its_directories(self, host: Host) -> None:
        """Another user would get them before it is known whether the service works as that one."""
        host.accounts["blog"] = Account(4242, 4242, (4242,))
        host.units["shop.service"] = SERVICE
        (host.root / "var/shop").mkdir(parents=True)
        os.chown(host.root / "var/shop", 4343, 4343)
        with pytest.raises(InvalidValue, match="gunicorn_user: 'blog'.*chown"):
            host.plan(user="blog", group="blog")
        host.units["shop.service"] = NO_UNIT
        assert f"{host.root}/var/shop" in [item["path"] for item in host.plan(user="blog", group="blog")["directories"]]

    @pytest.mark.parametrize("suite", ["bookworm", "trixie"])
    def test_a_name_that_the_host_needs_itself(self, suite: str) -> None:
        """With the real reader and a captured host: the role would have replaced ssh.service, or syslog.socket."""
        blocks = (FIXTURES / f"{suite}.txt").read_text().split("\n\n") + (
            FIXTURES / f"{suite}-states.txt"
        ).read_text().split("\n\n")
        known = {name: block for block in blocks for name in [block.split("Id=")[1].splitlines()[0]]}

        def run(command: list[str], directory: str = "/etc/systemd") -> tuple[int, str, str]:
            shown = (known.get(name, known["nosuch.service"]).strip("\n") for name in command[4:])
            return 0, ("\n\n".join(shown) + "\n").replace("/etc/systemd", directory), ""

        for name in ("ssh", "syslog"):
            with pytest.raises(
                InvalidValue, match=f"gunicorn_service_name: '{name}'.*/lib/systemd/system/{name}"
            ) as caught:
                plan_plan.make_plan(check(service_name=name), Runner(run))
            assert "no other unit" in str(caught.value)
        with pytest.raises(InvalidValue, match="gunicorn_service_name: 'hang'"):
            plan_plan.make_plan(check(service_name="hang"), Runner(run, directory="/run/systemd"))


class TestAccounts:
    def test_an_account_of_the_distribution_is_not_taken_by_chance(self, host: Host) -> None:
        """A project called news is not Debian's user news; who means such a user says so."""
        host.accounts["news"] = host.accounts["www"] = Account(9, 9, (9,))
        with pytest.raises(InvalidValue, match="gunicorn_project: 'news'.*gunicorn_user"):
            host.plan(project="news", user="news")
        assert host.plan(user="www")["create_user"] is False

    def test_a_root_by_another_name(self, host: Host) -> None:
        """It is the uid that makes root."""
        host.accounts["shop"] = Account(0, 0, (0,))
        with pytest.raises(InvalidValue, match="gunicorn_user: 'shop'.*uid 0"):
            host.plan()

    def test_the_role_makes_no_account_where_it_must_not(self, host: Host) -> None:
        """The error names what is missing, the user first."""
        with pytest.raises(InvalidValue, match="gunicorn_user: 'shop'.*gunicorn_manage_user"):
            host.plan(manage_user=False)
        host.accounts["shop"] = Account(4242, 4242, (4242,))
        with pytest.raises(InvalidValue, match="gunicorn_group: 'shop'.*gunicorn_manage_user"):
            host.plan(manage_user=False)
        host.groups.add("shop")
        assert not host.plan(manage_user=False)["create_user"]

    @pytest.mark.parametrize(("key", "name"), [("group", "nginx"), ("owner", "nobody2")])
    def test_others_that_a_unix_socket_is_for(self, host: Host, key: str, name: str) -> None:
        """The role does not make them: systemd would fail the socket."""
        with pytest.raises(InvalidValue, match=f"gunicorn_bind: '{name}'.*of the host"):
            host.plan(bind=[{"path": "/run/shop.sock", key: name}])
        host.groups.add(name)
        host.accounts[name] = Account(99, 99, (99,))
        host.plan(bind=[{"path": "/run/shop.sock", key: name}])


class TestAddresses:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (errno.EADDRINUSE, "a port that no other process listens on"),
            (errno.EADDRNOTAVAIL, "an address of this host"),
            (errno.EAFNOSUPPORT, "an address of this host"),
        ],
    )
    def test_what_would_end_the_start_is_found_before(self, host: Host, error: int, expected: str) -> None:
        """The error names the address."""
        host.refused["127.0.0.1:8000"] = error
        with pytest.raises(InvalidValue, match=f"gunicorn_bind: '127.0.0.1:8000'.*{expected}"):
            host.plan()

    def test_another_process_on_the_port(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same with a real process and the real probe."""
        monkeypatch.undo()
        with socket.create_server(("127.0.0.1", 0)) as server:
            (bind,) = values_addresses.parse_binds([f"127.0.0.1:{server.getsockname()[1]}"], "shop", "shop")
            with pytest.raises(InvalidValue, match="no other process"):
                addresses.check_addresses("shop", [bind], NO_UNIT, NO_UNIT)
        addresses.check_addresses("shop", [bind], NO_UNIT, NO_UNIT)

    @pytest.mark.parametrize(
        ("service", "sockets", "bind", "passes"),
        [
            pytest.param(SERVICE, SOCKET, "127.0.0.1:8000", True, id="held by our own socket"),
            pytest.param(NO_UNIT, SOCKET, "127.0.0.1:8000", True, id="held by our own socket, nothing behind it"),
            pytest.param(SERVICE, SOCKET, "0.0.0.0:8000", False, id="our socket stays open while somebody is served"),
            pytest.param(SERVICE, SOCKET, "127.0.0.1:8080", False, id="a running service does not own every port"),
            pytest.param(
                SERVICE, NO_UNIT, "127.0.0.1:8000", False, id="a service made by hand does not own every port"
            ),
            pytest.param(NO_UNIT, SOCKET._replace(active=False), "127.0.0.1:8000", False, id="ours is not open"),
            pytest.param(NO_UNIT, NO_UNIT, "127.0.0.1:8000", False, id="nothing is ours"),
        ],
    )
    def test_whose_port_it_is(self, host: Host, service: object, sockets: object, bind: str, passes: bool) -> None:
        """A port in use is an error unless it is ours and will be given up."""
        host.refused[bind] = errno.EADDRINUSE
        host.units = {"shop.service": service, "shop.socket": sockets}
        if passes:
            host.plan(bind=[bind])
        else:
            with pytest.raises(InvalidValue, match="no other process"):
                host.plan(bind=[bind])

    def test_a_service_made_by_hand_holds_it_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its own process does; what others hold under its name is theirs."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            (bind,) = values_addresses.parse_binds([f"127.0.0.1:{server.getsockname()[1]}"], "shop", "shop")
            addresses.check_addresses("shop", [bind], SERVICE._replace(main_pid=os.getpid()), NO_UNIT)
            with pytest.raises(InvalidValue, match="no other process"):
                addresses.check_addresses("shop", [bind], SERVICE._replace(main_pid=os.getppid()), NO_UNIT)

    def test_a_unix_socket_is_not_tried(self, host: Host) -> None:
        """systemd replaces a file that is left of one."""
        host.plan(bind=["unix:/run/shop.sock"])


class TestPackages:
    @pytest.fixture
    def debian(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
        """What a Debian host lacks, which has these files and no others below /usr."""

        def missing(*files: str, **changes: object) -> list[str]:
            names = {"/usr/bin/python3": "/usr/bin/python3.11", "/usr/bin/python": "/usr/bin/python3.11"}
            real = os.path.exists
            monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name != "no-python" else None)
            monkeypatch.setattr(os.path, "realpath", lambda path: names.get(path, path))
            monkeypatch.setattr(
                os.path,
                "isdir",
                lambda path: path in files if path.startswith("/usr/lib/") else Path(path).is_dir(),
            )
            monkeypatch.setattr(
                os.path, "exists", lambda path: path in files if path.startswith("/usr/") else real(path)
            )
            return host.plan(**{"venv": f"{host.root}/venv", **changes})["packages"]

        return missing

    def test_what_a_bare_host_lacks(self, debian: Callable[..., list[str]]) -> None:
        """Debian parts ensurepip from Python, and a minimal host has no logrotate."""
        assert debian() == ["python3.11-venv", "logrotate"]
        assert debian(log_file="-") == ["python3.11-venv"]
        assert debian("/usr/sbin/logrotate") == ["python3.11-venv"]
        assert debian("/usr/sbin/logrotate", "/usr/lib/python3.11/ensurepip") == []

    @pytest.mark.parametrize(("python", "package"), [("python", "python3.11-venv"), ("python3.13", "python3.13-venv")])
    def test_the_package_of_the_interpreter(self, debian: Callable[..., list[str]], python: str, package: str) -> None:
        """Whatever the interpreter is called: there is no package python-venv."""
        assert debian("/usr/sbin/logrotate", python=python) == [package]

    def test_a_venv_that_is_there_needs_nothing(self, debian: Callable[..., list[str]], host: Host) -> None:
        """An empty directory is none yet."""
        (host.root / "venv").mkdir()
        assert debian("/usr/sbin/logrotate") == ["python3.11-venv"]
        (host.root / "venv" / "bin").mkdir()
        (host.root / "venv" / "bin" / "python").touch()
        (host.root / "venv" / "pyvenv.cfg").touch()
        assert debian("/usr/sbin/logrotate", python="no-python") == []
        assert debian("/usr/sbin/logrotate", venv_rebuild=True) == ["python3.11-venv"], "it is another Python's"

    @pytest.mark.parametrize("kind", ["file", "folder"])
    def test_what_is_no_venv_is_refused_before_anything_is_made(self, host: Host, kind: str) -> None:
        """A file, or a folder with something else in it."""
        path = host.root / "venv"
        path.touch() if kind == "file" else (path / "music").mkdir(parents=True)
        with pytest.raises(InvalidValue, match="gunicorn_venv: .* a virtual environment"):
            host.plan(venv=str(path))

    def test_an_interpreter_that_the_host_lacks(self, debian: Callable[..., list[str]]) -> None:
        """The error comes before anything is installed."""
        with pytest.raises(InvalidValue, match="gunicorn_python: 'no-python'"):
            debian(python="no-python")

    def test_an_interpreter_that_is_not_debians(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that was built by hand has its own ensurepip."""
        monkeypatch.setattr(shutil, "which", lambda name: "/usr/local/bin/python3.12")
        assert "python3.12-venv" not in host.plan(venv=f"{host.root}/venv")["packages"]


class TestDirectories:
    def test_those_that_are_missing(self, host: Host) -> None:
        """The configuration is root's, the rest the user's; nobody else may look in. What leads there is root's."""
        directories = host.plan(access_log_file=f"{host.root}/log/access/a.log")["directories"]
        parents = [directory for directory in directories if directory["mode"] == "0755"]
        assert [(directory["path"], directory["owner"]) for directory in parents] == [
            (f"{host.root}/{name}", "root") for name in ("etc", "var", "log")
        ]
        assert [directory for directory in directories if directory not in parents] == [
            {"path": f"{host.root}/etc/shop", "owner": "root", "group": "shop", "mode": "0750"},
            {"path": f"{host.root}/var/shop", "owner": "shop", "group": "shop", "mode": "0750"},
            {"path": f"{host.root}/log/access", "owner": "shop", "group": "shop", "mode": "0750"},
            {"path": f"{host.root}/log/shop", "owner": "shop", "group": "shop", "mode": "0750"},
        ]

    def test_one_that_bears_the_projects_name_changes_hands(self, host: Host) -> None:
        """It keeps the mode that it has."""
        (host.root / "var/shop").mkdir(parents=True)
        (host.root / "var/shop").chmod(0o2755)
        assert {"path": f"{host.root}/var/shop", "owner": "shop", "group": "shop", "mode": "2755"} in host.plan()[
            "directories"
        ]

    def test_one_of_the_host_never_does(self, host: Host) -> None:
        """/var/log itself must not become the user's."""
        (host.root / "log").mkdir()
        with pytest.raises(InvalidValue, match="log'.*the user shop may write"):
            host.plan(log_file=f"{host.root}/log/shop.log")
        (host.root / "log").chmod(0o777)
        with pytest.raises(InvalidValue):  # no user yet, so nobody knows
            host.plan(log_file=f"{host.root}/log/shop.log")
        host.accounts["shop"] = Account(4242, 4242, (4242,))
        assert f"{host.root}/log" not in [
            entry["path"] for entry in host.plan(log_file=f"{host.root}/log/a.log")["directories"]
        ]

    def test_a_configuration_directory_is_left_as_it_is(self, host: Host) -> None:
        """The user need not write there."""
        (host.root / "etc/shop").mkdir(parents=True)
        (host.root / "etc/shop").chmod(0o700)
        assert f"{host.root}/etc/shop" not in [entry["path"] for entry in host.plan()["directories"]]
