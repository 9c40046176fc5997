# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Callable

import pytest
import yaml

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import parameters as plan_parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

BAD_INPUT = Path(__file__).parents[4] / "fixtures" / "bad_input.yml"


def test_the_defaults(check: Callable) -> None:
    """Without any variable but the project, the parameters are good, and mean the book's layout."""
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


def test_the_sizing_has_its_own_defaults(check: Callable) -> None:
    """The role's defaults and those of the module are the same."""
    assert check().sizing == answer.DEFAULTS


def test_each_variable_reaches_the_sizing(check: Callable) -> None:
    """Those of the service, too: its class, its threads and its directives."""
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
def test_logs_that_are_files(log_file: str, access_log_file: str | None, files: list[str], check: Callable) -> None:
    """The journal needs no directory and no rotation."""
    found = check(log_file=log_file, access_log_file=access_log_file).log_files
    assert list(found.values()) == files


@pytest.mark.parametrize(
    "value", ["%n %%", "$HOME ${HOME}", "\"double\" 'single'", "back\\slash\\", "two\nlines\r\t", "😀 é", "", "#;="]
)
def test_environment_values_pass_unchanged(value: str, check: Callable) -> None:
    """Whatever is in a value is quoted later on, and is no reason to refuse it."""
    assert check(environment={"A": value}).environment == {"A": value}


def test_given_addresses_replace_the_default(check: Callable) -> None:
    """The port does not matter then."""
    assert [bind.gunicorn_bind for bind in check(bind=["unix:/run/shop.sock"], port=0).binds] == ["unix:/run/shop.sock"]


# One bad value for each parameter: what the message names, and what it says was expected. The hostile values that a
# check refuses are in the tests of that check.
NAME = "a user's or group's name: lower-case letters, digits, underscores and dashes, not a dash first"
PATH = "an absolute path of letters, digits and _@+=,.- without '.' and '..'"
ENVIRONMENT_NAME = "names of letters, digits and underscores, not a digit first"
RELEASE = {
    "id": "1a",
    "directory": "/opt/shop/releases",
    "kept": 3,
    "static": "staticfiles",
    "public_static": "/var/cache/shop/static",
    "back": False,
}
INSIDE = "a directory in the release, as a relative path of letters, digits and _@+=,.- without '..'"
WIRING = [
    (
        {"project": "my-shop"},
        "gunicorn_project: 'my-shop'",
        "a Python package's name: a lower-case letter, then up to 30 lower-case letters, digits and underscores",
    ),
    (
        {"service_name": "shop.service"},
        "gunicorn_service_name: 'shop.service'",
        "a unit's name without its suffix: letters, digits, '_', '-' and '.', a letter or digit first",
    ),
    ({"user": "Shop"}, "gunicorn_user: 'Shop'", NAME),
    ({"user": "root"}, "gunicorn_user: 'root'", "an unprivileged user: the application must not run as root"),
    ({"group": "www:data"}, "gunicorn_group: 'www:data'", NAME),
    (
        {"bind": ["127.0.0.1:8000", "localhost:8000"]},
        "gunicorn_bind: 'localhost:8000'",
        "an IPv4 address and a port (127.0.0.1:8000), an IPv6 address in brackets and a port ([::1]:8000), or a unix "
        "socket (unix:/run/project.sock, or a mapping with path, owner, group and mode)",
    ),
    ({"port": 0}, "gunicorn_port: 0", "a number from 1 to 65535"),
    (
        {"app": "shop wsgi"},
        "gunicorn_app: 'shop wsgi'",
        "MODULE:NAME, such as 'project.wsgi:application', or MODULE:FACTORY(), with literals as arguments",
    ),
    (
        {"worker_class": "gthreed"},
        "gunicorn_worker_class: 'gthreed'",
        "one of sync, gthread, asgi, eventlet, gevent, gevent_pywsgi, gevent_wsgi, tornado, or the dotted path of a class",
    ),
    (
        {"workers": "many"},
        "gunicorn_workers: 'many'",
        "auto or a whole number from 1 to 1000, or 0 for a host with companions alone",
    ),
    ({"workers": "0"}, "gunicorn_workers: '0'", "1 or more, or gunicorn_companions: nothing would run"),
    ({"companions": {"mail": {}}}, "gunicorn_companions['mail']: {}", "a mapping that has a command"),
    ({"threads": "0"}, "gunicorn_threads: '0'", "auto or a whole number from 1 to 1000"),
    (
        {"version": "latest"},
        "gunicorn_version: 'latest'",
        "newest, a version (27.0.1) or specifiers (>=25.3,<28)",
    ),
    (
        {"health_path": "health"},
        "gunicorn_health_path: 'health'",
        "the path of a URL: a slash, then characters of a URL",
    ),
    ({"health_host": "a b"}, "gunicorn_health_host: 'a b'", "a host's name or address, IPv6 in brackets"),
    (
        {"health_statuses": [200, 99]},
        "gunicorn_health_statuses: 99",
        "statuses of HTTP responses, from 100 to 599",
    ),
    ({"health_timeout": 0}, "gunicorn_health_timeout: 0", "seconds, a whole number from 1 to 3600"),
    ({"health_timeout": -1}, "gunicorn_health_timeout: -1", "seconds, a whole number from 1 to 3600"),
    ({"health_timeout": 3601}, "gunicorn_health_timeout: 3601", "seconds, a whole number from 1 to 3600"),
    (
        {"pip_extra_args": ["--no-index", "--user"]},
        "gunicorn_pip_extra_args: '--user'",
        "arguments of pip install that do not lead out of the virtual environment",
    ),
    ({"pip_environment": ["A", "A B"]}, "gunicorn_pip_environment: 'A B'", ENVIRONMENT_NAME),
    (
        {"description": "a\0b"},
        "gunicorn_description: 'a\\x00b'",
        "another text (a NUL character can't be passed to a process)",
    ),
    ({"code_directory": "opt/shop"}, "gunicorn_code_directory: 'opt/shop'", PATH),
    (
        {"service_directives": {"User": "root"}},
        "gunicorn_service_directives['User']: 'root'",
        "other directives: this one is made of the role's variables",
    ),
    ({"sizing": {"share": "2"}}, "gunicorn_sizing['share']: 2.0", "a number above 0 and at most 1"),
    (
        {"settings": {"bind": ":80"}},
        "gunicorn_settings['bind']: ':80'",
        "no such setting, but the variable gunicorn_bind",
    ),
    # The names alone: values do not come here.
    (
        {"unfit_secrets": ["A B", "NUL"]},
        "gunicorn_secrets: 'A B, NUL'",
        "names of letters, digits and underscores which systemd, Gunicorn and the role don't use, and strings without "
        "NUL characters",
    ),
    (
        {"unfit_credentials": ["a b", ".x"]},
        "gunicorn_credentials: 'a b, .x'",
        "names of at most 240 letters, digits and _ - . @ + = , ~ that do not begin with a dot, and strings without NUL "
        "characters",
    ),
    ({"run_group": "Ops Team"}, "gunicorn_run_group: 'Ops Team'", NAME),
    ({"venv": "venv"}, "gunicorn_venv: 'venv'", PATH),
    ({"environment": {"A": "x", "A B": "x"}}, "gunicorn_environment: 'A B'", ENVIRONMENT_NAME),
    ({"config_directory": "etc"}, "gunicorn_config_directory: 'etc'", PATH),
    ({"data_directory": "var"}, "gunicorn_data_directory: 'var'", PATH),
    ({"log_file": "gunicorn.log"}, "gunicorn_log_file: 'gunicorn.log'", PATH),
    ({"access_log_file": "access.log"}, "gunicorn_access_log_file: 'access.log'", PATH),
    (
        {"release_steps": ["migrate"]},
        "gunicorn_release_steps: ['migrate']",
        "none without gunicorn_release: they are the steps of a release",
    ),
    ({"release": {**RELEASE, "directory": "releases"}}, "gunicorn_releases_directory: 'releases'", PATH),
    ({"release": {**RELEASE, "public_static": "static"}}, "gunicorn_static_directory: 'static'", PATH),
    ({"release": {**RELEASE, "static": "../static"}}, "gunicorn_release_static: '../static'", INSIDE),
    ({"release": {**RELEASE, "static": "/srv/static"}}, "gunicorn_release_static: '/srv/static'", INSIDE),
    (
        {"release": {**RELEASE, "kept": 0}},
        "gunicorn_releases_kept: 0",
        "a whole number from 1 to 1000: the live release is one of them",
    ),
]
# Their types are their checks, or the host is asked.
UNCHECKED = {
    "release_packages",
    "venv_standing",
    "revision",
    "manage_user",
    "venv_rebuild",
    "upgrade",
    "python",
    "requirements",
    "installer",
    # Compared by secrets.check_names, which has tests of its own
    "secrets",
}


@pytest.mark.parametrize(("given", "named", "expected"), WIRING, ids=[next(iter(row[0])) for row in WIRING])
def test_a_bad_value_is_refused_by_its_variable(given: dict, named: str, expected: str, check: Callable) -> None:
    """One error: the variable, the value as it was given, and what was expected."""
    with pytest.raises(InvalidValue) as caught:
        check(**given)
    assert str(caught.value) == f"{named} can't be used: expected {expected}"


def test_every_parameter_has_its_check(parameters: Callable) -> None:
    """A new parameter needs a row here, or a reason above."""
    assert {name for given, _named, _expected in WIRING for name in given} == set(parameters()) - UNCHECKED


def test_uv_has_to_be_on_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, check: Callable) -> None:
    """The user asked for uv by its name, so pip does not replace it."""
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(InvalidValue, match="gunicorn_installer: 'uv' can't be used"):
        check(installer="uv")


def fed_to_the_module() -> list:
    """The rows of bad input that this module refuses without asking its host."""
    table = yaml.safe_load(BAD_INPUT.read_text(encoding="utf-8"))
    return [
        row
        for rows in table.values()
        for row in rows
        if "gunicorn_plan_info" in row.get("modules", ["gunicorn_plan_info"]) and not row.get("host")
    ]


@pytest.mark.parametrize("row", fed_to_the_module(), ids=lambda row: f"{row['variable']}-{ascii(row['value'])[:50]}")
def test_bad_input_gets_the_same_error_as_in_the_role(row: dict, check: Callable) -> None:
    """Numbers come as text where the module takes a word as well."""
    given = {name.replace("gunicorn_", "", 1): value for name, value in row.get("also", {}).items()}
    given[row["variable"].replace("gunicorn_", "", 1)] = row["value"]
    for name in {"workers", "threads"} & set(given):
        given[name] = str(given[name])
    with pytest.raises(InvalidValue) as caught:
        check(**given)
    named, shown = row.get("names", row["variable"]), row.get("shows", row["value"])
    assert str(caught.value).startswith(f"{named}: {shown!r} can't be used: expected ")


def test_what_gunicorn_venv_would_be_asked(parameters: Callable) -> None:
    """The requirements are not read yet: the interpreter that reads them is known later."""
    given = parameters(requirements="/opt/shop/r.txt", version="27.0.1", venv="/opt/shop/venv/", revision="7")
    wanted = plan_parameters.wanted_venv(given)
    assert (wanted.requirements, wanted.requirements_file) == ([], "/opt/shop/r.txt")
    assert (wanted.path, wanted.version, wanted.activate) == ("/opt/shop/venv", "27.0.1", False)
    assert wanted.revision == "7"


def test_requirements_of_the_wrong_kind(parameters: Callable) -> None:
    """One error that names the variable and the value."""
    with pytest.raises(InvalidValue, match="gunicorn_requirements: 5 can't be used"):
        plan_parameters.wanted_venv(parameters(requirements=5))
