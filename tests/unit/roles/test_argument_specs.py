# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).parents[3]
ROLES = ROOT / "roles"
# Names that begin as the roles' variables do, and are none
THEIRS = {
    # A file
    "gunicorn_hooks",
    # Directives of nginx and modules of Apache
    "proxy_balancer",
    "proxy_http",
    "proxy_http_version",
    "proxy_next_upstream",
    "proxy_pass",
    "proxy_read_timeout",
    "proxy_send_timeout",
    "proxy_set_header",
    # A group of the playbook's, and what the user's own tasks are given
    "rolling_update_pending",
    "rolling_update_failed",
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
    """Every option, and the options inside of one."""
    for name, option in options.items():
        yield prefix + name, option
        yield from with_suboptions(option.get("options", {}), f"{prefix}{name}.")


GUNICORN, PROXY, ROLLING_UPDATE = EVERY_ROLE = [Role(name) for name in ("gunicorn", "proxy", "rolling_update")]
EVERY_OPTION = [(name, option) for role in EVERY_ROLE for name, option in role.all.items()]
each_role = pytest.mark.parametrize("role", EVERY_ROLE, ids=lambda role: role.name)


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
    assert [name for name, option in EVERY_OPTION if option.get("required")] == [
        "gunicorn_project",
        "rolling_update_balancers.host",
        "rolling_update_balancers.type",
    ]


@each_role
def test_the_variables_stand_in_the_same_order(role: Role) -> None:
    """Who compares the two files by eye finds each variable where it is in the other."""
    assert list(role.defaults) == list(role.options)


def test_a_default_fits_its_type() -> None:
    """Ansible would refuse the role's own default."""
    with_default = [(name, option) for name, option in EVERY_OPTION if "default" in option]
    assert with_default
    assert [name for name, option in with_default if not fits(option["default"], option)] == []


def fits(default: object, option: dict) -> bool:
    """Whether a default has its option's type, and is one of its choices."""
    # What is another variable's is rendered first.
    if not isinstance(default, TYPES[option["type"]]) and not str(default).startswith("{{ "):
        return False
    if isinstance(default, bool) and option["type"] != "bool":
        return False
    chosen = default if isinstance(default, list) else [default]
    return set(map(str, chosen)) <= set(map(str, option.get("choices", chosen)))


def test_an_option_says_what_it_is() -> None:
    """A type that Ansible knows, the type of a list's elements, and sentences."""
    assert [name for name, option in EVERY_OPTION if option["type"] not in TYPES] == []
    assert [name for name, option in EVERY_OPTION if ("elements" in option) != (option["type"] == "list")] == []
    assert [name for name, option in EVERY_OPTION if not has_sentences(option["description"])] == []


def has_sentences(description: str | list) -> bool:
    """Whether a description has a text, and each of its paragraphs a full stop."""
    sentences = description if isinstance(description, list) else [description]
    return bool(sentences) and all(sentence.strip().endswith(".") for sentence in sentences)


@each_role
def test_the_options_that_a_description_names_exist(role: Role) -> None:
    """A link that leads nowhere is a leftover of a renaming."""
    named = {
        name: {one.split("=")[0] for one in re.findall(r"\bO\(([^)]*)\)", str(option["description"]))}
        for name, option in role.all.items()
    }
    assert {name: names - set(role.all) for name, names in named.items() if names - set(role.all)} == {}


@pytest.mark.parametrize(
    ("role", "variable"),
    [(PROXY, "proxy_gunicorn"), (ROLLING_UPDATE, "rolling_update_health")],
    ids=["proxy_gunicorn", "rolling_update_health"],
)
def test_the_defaults_of_keys_are_the_documented_ones(role: Role, variable: str) -> None:
    """The role combines its own mapping with the user's, as Ansible does not add the defaults of keys."""
    documented = {key: option["default"] for key, option in role.options[variable]["options"].items()}
    assert list(documented.items()) == list(role.load("vars/main.yml")[f"__{variable}_defaults"].items())


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
    defaults = PROXY.defaults | PROXY.load("vars/main.yml")["__proxy_gunicorn_defaults"]
    taken = {name: GUNICORN.names_in(str(value)) for name, value in defaults.items()}
    assert set().union(*taken.values()) <= set(GUNICORN.options)
    assert {name for name, names in taken.items() if names} == {
        "proxy_project",
        "proxy_media_directory",
        "bind",
        "port",
        "user",
        "worker_class",
        "settings",
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


def refused_by_the_checks() -> list[dict]:
    """The rows of bad input that get an error of this collection, and not one of Ansible's or pip's."""
    table = yaml.safe_load((ROOT / "tests" / "fixtures" / "bad_input.yml").read_text(encoding="utf-8"))
    return [row for rows in table.values() for row in rows if "says" not in row]


@pytest.mark.parametrize(
    "row", refused_by_the_checks(), ids=lambda row: f"{row['variable']}-{ascii(row['value'])[:50]}"
)
def test_bad_input_reaches_the_checks(row: dict) -> None:
    """Ansible's own check of the role's variables neither refuses it, which would hide our error, nor loses any of it."""
    given = {**row.get("also", {}), row["variable"]: row["value"]}
    options = {name: GUNICORN.options[name] for name in given}
    result = ArgumentSpecValidator(options).validate(given)
    assert result.error_messages == []
    assert [name for name in given if not arrives(given[name], result.validated_parameters[name])] == []


def arrives(given: object, value: object) -> bool:
    """Whether a value is the given one, as a number or as text; the specification may have added keys."""
    if isinstance(given, dict) and isinstance(value, dict):
        return all(key in value and arrives(given[key], value[key]) for key in given)
    return value == given or str(value) == str(given)
