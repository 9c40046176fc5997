# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
# Directives of nginx, modules of Apache and a file, whose names begin as the role's variables do
THEIRS = {
    "gunicorn_hooks",
    "proxy_balancer",
    "proxy_http",
    "proxy_http_version",
    "proxy_next_upstream",
    "proxy_pass",
    "proxy_read_timeout",
    "proxy_send_timeout",
    "proxy_set_header",
}
# What YAML has to make of a default; a template is text until it is rendered.
TYPES = {"str": str, "bool": bool, "int": int, "float": (int, float), "list": list, "dict": dict, "raw": object}


class Role:
    """A role's specification, its defaults, and the names that its files use."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = ROLES / name
        self.options: dict[str, dict] = self.load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
        self.defaults = self.load("defaults/main.yml")
        self.all = dict(with_suboptions(self.options))

    def load(self, name: str) -> dict:
        """A YAML file of the role."""
        return yaml.safe_load((self.folder / name).read_text(encoding="utf-8"))

    def names_in(self, text: str) -> set[str]:
        """The public variables of the role in a text."""
        # not __gunicorn_x, not the module pyweb.gunicorn.gunicorn_x, not an attribute x.gunicorn_x
        return set(re.findall(rf"(?<![\w.]){self.name}_\w+", text)) - THEIRS

    def used_names(self) -> dict[str, set[str]]:
        """The public variables that a file of the role uses, by the file's name."""
        folders = ("tasks", "handlers", "templates", "vars")
        files = [path for folder in folders for path in (self.folder / folder).rglob("*.*")]
        return {str(path.relative_to(self.folder)): self.names_in(path.read_text(encoding="utf-8")) for path in files}


def with_suboptions(options: dict, prefix: str = "") -> Iterator[tuple[str, dict]]:
    """Every option, and those that stand in one."""
    for name, option in options.items():
        yield prefix + name, option
        yield from with_suboptions(option.get("options", {}), f"{prefix}{name}.")


GUNICORN, PROXY = Role("gunicorn"), Role("proxy")
each_role = pytest.mark.parametrize("role", [GUNICORN, PROXY], ids=lambda role: role.name)
each_variable = pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role in (GUNICORN, PROXY) for name in role.all], ids=str
)


@each_role
def test_the_defaults_are_the_documented_ones(role: Role) -> None:
    """The same names with the same values; what is required has an empty default, so that its own error is seen."""
    documented = {name: option.get("default", "") for name, option in role.options.items()}
    assert documented == role.defaults
    assert {name: type(value) for name, value in documented.items()} == {
        name: type(value) for name, value in role.defaults.items()
    }


def test_the_project_alone_is_required() -> None:
    """One variable is enough to run a project; what the web server needs depends on its state."""
    assert [name for name, option in GUNICORN.all.items() if option.get("required")] == ["gunicorn_project"]
    assert [name for name, option in PROXY.all.items() if option.get("required")] == []


@each_role
def test_the_variables_stand_in_the_same_order(role: Role) -> None:
    """Who compares the two files by eye finds each variable where it is in the other."""
    assert list(role.defaults) == list(role.options)


@each_variable
def test_a_default_fits_its_type(role: Role, name: str) -> None:
    """Ansible would refuse the role's own default."""
    option = role.all[name]
    if "default" not in option:
        return
    default = option["default"]
    # What is another variable's is rendered first.
    assert isinstance(default, TYPES[option["type"]]) or str(default).startswith("{{ ")
    assert option["type"] == "bool" or not isinstance(default, bool)
    chosen = default if isinstance(default, list) else [default]
    assert set(map(str, chosen)) <= set(map(str, option.get("choices", chosen)))


@each_variable
def test_an_option_says_what_it_is(role: Role, name: str) -> None:
    """A type that Ansible knows, the type of a list's elements, and sentences."""
    option = role.all[name]
    assert option["type"] in TYPES
    assert ("elements" in option) == (option["type"] == "list")
    sentences = option["description"] if isinstance(option["description"], list) else [option["description"]]
    assert sentences
    assert all(sentence.strip().endswith(".") for sentence in sentences)


@each_variable
def test_the_options_that_a_description_names_exist(role: Role, name: str) -> None:
    """A link that leads nowhere is a leftover of a renaming."""
    description = str(role.all[name]["description"])
    assert {named.split("=")[0] for named in re.findall(r"\bO\(([^)]*)\)", description)} <= set(role.all)


@each_role
def test_the_variables_that_are_used_are_declared(role: Role) -> None:
    """A variable that is not in the specification is not checked, and nobody knows of it."""
    undeclared = {file: names - set(role.options) for file, names in role.used_names().items()}
    assert {file: names for file, names in undeclared.items() if names} == {}


@each_role
def test_every_variable_is_used(role: Role) -> None:
    """A variable that does nothing would be a promise."""
    used = set().union(*role.used_names().values())
    assert set(role.options) <= used | role.names_in(" ".join(str(value) for value in role.defaults.values()))


def test_what_the_proxy_takes_from_the_other_role_is_there() -> None:
    """The defaults by which one knows the other name its variables, and the same values where it is not applied."""
    taken = {name: GUNICORN.names_in(str(value)) for name, value in PROXY.defaults.items()}
    assert set().union(*taken.values()) <= set(GUNICORN.options)
    assert {name for name, names in taken.items() if names} == {
        "proxy_project",
        "proxy_media_directory",
        "proxy_gunicorn_bind",
        "proxy_gunicorn_port",
        "proxy_gunicorn_user",
        "proxy_gunicorn_worker_class",
        "proxy_gunicorn_settings",
    }


def test_the_templates_of_the_role_use_the_names_of_this_collection() -> None:
    """The check above looks at something."""
    assert "gunicorn_service_name" in GUNICORN.used_names()["templates/project.service.j2"]
    assert "gunicorn_bind" in GUNICORN.used_names()["tasks/plan.yml"]
    assert "proxy_server_names" in PROXY.used_names()["templates/apache.conf.j2"]


@each_role
def test_internal_variables_are_known_by_their_name(role: Role) -> None:
    """What vars/main.yml computes is not for users."""
    assert all(name.startswith(f"__{role.name}_") for name in role.load("vars/main.yml"))
