# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the roles' variables, which the READMEs show."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import jinja2.meta
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).parents[3]
MADE = runpy.run_path(str(ROOT / "scripts" / "variables-table"))
each_role = pytest.mark.parametrize("role", MADE["ROLES"], ids=lambda role: role.name)


def options_of(role: Path) -> dict[str, dict]:
    """A role's variables and their keys, with their specifications."""
    spec = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    return dict(MADE["with_keys"](spec["argument_specs"]["main"]["options"]))


def examples_of(role: Path) -> dict[str, object]:
    """The examples as YAML has them."""
    return yaml.safe_load((role / "meta/examples.yml").read_text(encoding="utf-8"))


@each_role
def test_every_variable_has_one_example(role: Path) -> None:
    """On one line, in the order of the specification, which the tables show."""
    lines = (role / "meta/examples.yml").read_text(encoding="utf-8").splitlines()
    named = [line.partition(": ")[0] for line in lines if line and not line.startswith(("#", "---"))]
    assert named == list(options_of(role)) == list(examples_of(role))


@each_role
def test_an_example_passes_the_specification(role: Path) -> None:
    """Ansible takes it for the variable, or for the key."""
    options = options_of(role)
    problems = {}
    for name, value in examples_of(role).items():
        key = name.rpartition(".")[2]
        errors = ArgumentSpecValidator({key: options[name]}).validate({key: value}).error_messages
        if errors:
            problems[name] = errors
    assert problems == {}


@each_role
def test_an_example_shows_another_value_than_the_default(role: Path) -> None:
    """Else it would say nothing."""
    options = options_of(role)
    assert [name for name, value in examples_of(role).items() if value == options[name].get("default")] == []


def test_an_example_that_does_not_fit_is_found() -> None:
    """The check above looks at something."""
    options = options_of(ROOT / "roles" / "gunicorn")
    state = ArgumentSpecValidator({"gunicorn_state": options["gunicorn_state"]})
    assert state.validate({"gunicorn_state": "gone"}).error_messages
    sizing = ArgumentSpecValidator({"gunicorn_sizing": options["gunicorn_sizing"]})
    assert sizing.validate({"gunicorn_sizing": {"shares": 1}}).error_messages


@each_role
def test_an_example_needs_no_task_before_it(role: Path) -> None:
    """Ansible reads all variables of a role first, also for a removal, whose play lacks the tasks of a deployment."""
    missing = []
    for text in texts_in(examples_of(role)):
        names = jinja2.meta.find_undeclared_variables(jinja2.Environment(autoescape=True).parse(text))
        # A vault and the inventory are there in each play.
        if any(not name.startswith(("vault_", "inventory_", "lookup")) for name in names) and "| default(" not in text:
            missing.append(text)
    assert missing == []


def texts_in(value: object) -> Iterator[str]:
    """All texts of a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)
