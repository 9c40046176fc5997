# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

import pytest
import yaml

ROLE = Path(__file__).parents[3] / "roles" / "gunicorn"
# What YAML has to make of a default; a template is text until it is rendered.
TYPES = {"str": str, "bool": bool, "int": int, "float": (int, float), "list": list, "dict": dict, "raw": object}


def load(name: str) -> dict:
    """A YAML file of the role."""
    return yaml.safe_load((ROLE / name).read_text(encoding="utf-8"))


SPEC = load("meta/argument_specs.yml")["argument_specs"]["main"]
OPTIONS: dict[str, dict] = SPEC["options"]
DEFAULTS = load("defaults/main.yml")


def with_suboptions(options: dict, prefix: str = "") -> Iterator[tuple[str, dict]]:
    """Every option, and those that stand in one."""
    for name, option in options.items():
        yield prefix + name, option
        yield from with_suboptions(option.get("options", {}), f"{prefix}{name}.")


ALL = dict(with_suboptions(OPTIONS))


def used_names() -> dict[str, set[str]]:
    """The public variables that a file of the role uses, by the file's name."""
    files = [path for folder in ("tasks", "handlers", "templates", "vars") for path in (ROLE / folder).rglob("*.*")]
    # not __gunicorn_x, not the module pyweb.gunicorn.gunicorn_x, not an attribute x.gunicorn_x
    name = re.compile(r"(?<![\w.])gunicorn_\w+")
    return {str(path.relative_to(ROLE)): set(name.findall(path.read_text(encoding="utf-8"))) for path in files}


def test_the_defaults_are_the_documented_ones() -> None:
    """The same names with the same values; what is required has an empty default, so that its own error is seen."""
    assert DEFAULTS["gunicorn_project"] == ""
    documented = {"gunicorn_project": ""}
    documented |= {name: option["default"] for name, option in OPTIONS.items() if "default" in option}
    assert documented == DEFAULTS
    assert {name: type(value) for name, value in documented.items()} == {
        name: type(DEFAULTS[name]) for name in DEFAULTS
    }
    assert set(OPTIONS) == set(documented)


def test_the_project_alone_is_required() -> None:
    """One variable is enough to run a project."""
    assert [name for name, option in ALL.items() if option.get("required")] == ["gunicorn_project"]


def test_the_variables_stand_in_the_same_order() -> None:
    """Who compares the two files by eye finds each variable where it is in the other."""
    assert list(DEFAULTS) == [name for name in OPTIONS if name in DEFAULTS]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_default_fits_its_type(name: str) -> None:
    """Ansible would refuse the role's own default."""
    option = OPTIONS[name]
    if "default" not in option:
        return
    default = option["default"]
    assert isinstance(default, TYPES[option["type"]])
    assert option["type"] == "bool" or not isinstance(default, bool)
    assert default in option.get("choices", [default])


@pytest.mark.parametrize("name", ALL)
def test_an_option_says_what_it_is(name: str) -> None:
    """A type that Ansible knows, the type of a list's elements, and sentences."""
    option = ALL[name]
    assert option["type"] in TYPES
    assert ("elements" in option) == (option["type"] == "list")
    sentences = option["description"] if isinstance(option["description"], list) else [option["description"]]
    assert sentences
    assert all(sentence.strip().endswith(".") for sentence in sentences)


@pytest.mark.parametrize("name", ALL)
def test_the_options_that_a_description_names_exist(name: str) -> None:
    """A link that leads nowhere is a leftover of a renaming."""
    description = str(ALL[name]["description"])
    assert {named.split("=")[0] for named in re.findall(r"\bO\(([^)]*)\)", description)} <= set(ALL)


@pytest.mark.parametrize(("file", "names"), used_names().items())
def test_the_variables_that_are_used_are_declared(file: str, names: set[str]) -> None:
    """A variable that is not in the specification is not checked, and nobody knows of it."""
    assert names <= set(OPTIONS)


def test_every_variable_is_used() -> None:
    """A variable that does nothing would be a promise."""
    used = set().union(*used_names().values())
    in_defaults = set(re.findall(r"(?<![\w.])gunicorn_\w+", " ".join(str(value) for value in DEFAULTS.values())))
    assert set(OPTIONS) <= used | in_defaults


def test_the_templates_of_the_role_use_the_names_of_this_collection() -> None:
    """The check above looks at something."""
    assert "gunicorn_service_name" in used_names()["templates/project.service.j2"]
    assert "gunicorn_bind" in used_names()["tasks/plan.yml"]


def test_internal_variables_are_known_by_their_name() -> None:
    """What vars/main.yml computes is not for users."""
    assert all(name.startswith("__gunicorn_") for name in load("vars/main.yml"))
