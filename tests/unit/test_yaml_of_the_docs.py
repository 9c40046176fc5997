# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages tell to write into a playbook or an inventory: it can be read, and the roles take it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import settings
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source, steps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ROOT = Path(__file__).parents[2]
# What the collection's artifact has of pages, and what is around it
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")])
BLOCK = re.compile(r"^(?P<indent> *)```ya?ml\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
ROLES = ("gunicorn", "proxy", "rolling_update")
NAME = re.compile(rf"(?:{'|'.join(ROLES)})_[a-z]\w*")
# Variables of the playbooks, which no role has
OF_PLAYBOOKS = {"gunicorn_run_command", "gunicorn_run_on", "rolling_update_hosts"}
# What a user's own tasks are given: by the rolling update, and as a fact by the role gunicorn
GIVEN = {"rolling_update_failed", "gunicorn_deployment"}
# Names of earlier versions, of which the upgrade notes say what to write in their place
FORMER = {"proxy_gunicorn_bind", "proxy_gunicorn_port", "rolling_update_health_path"}
# Variables of other roles, for people who come from there
OF_OTHERS = {
    "gunicorn_accesslog",
    "gunicorn_app_dir",
    "gunicorn_app_name",
    "gunicorn_cpu_coefficient",
    "gunicorn_dynamic_workers",
    "gunicorn_errorlog",
    "gunicorn_loglevel",
    "gunicorn_wsgi",
}
# Directives of nginx, modules of Apache, and settings of Gunicorn
OF_SERVERS = {"proxy_allow_ips", "proxy_balancer", "proxy_http", "proxy_pass", "proxy_protocol", "proxy_set_header"}
# What the role itself checks beyond the type
CHECKS: dict[str, Callable[[Any], object]] = {
    "gunicorn_bind": lambda value: addresses.parse_binds(value, "mysite", "mysite"),
    "gunicorn_companions": lambda value: companion.parse(value, "/var/log/mysite/mysite.log"),
    "gunicorn_release": source.parse,
    "gunicorn_release_steps": lambda value: steps.parse(value, "staticfiles"),
    "gunicorn_settings": settings.check_settings,
}
# No place for a secret: the environment of a task, and what Ansible shows or systemd tells everybody
EXPOSED = {
    "environment",
    "gunicorn_environment",
    "gunicorn_service_directives",
    "gunicorn_settings",
    "proxy_extra_config",
}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


class Loader(yaml.SafeLoader):
    """Takes the tags of Ansible and of GitLab as their values, and refuses a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """A mapping; raises ConstructorError for a second key of a name."""
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is there twice", node.start_mark)
        return mapping


Loader.add_multi_constructor("!", lambda loader, _tag, node: getattr(node, "value", None))


def load_options() -> dict[str, dict]:
    """The variables of all roles, with their specifications."""
    options: dict[str, dict] = {}
    for role in ROLES:
        spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
        options |= spec["argument_specs"]["main"]["options"]
    return options


OPTIONS = load_options()
MODULES = {path.stem for folder in ("modules", "action") for path in (ROOT / "plugins" / folder).glob("*.py")}


def blocks_of(text: str) -> list[str]:
    """The YAML of a page, without the indentation of a list that it is in."""
    return [textwrap.dedent(match["text"]) for match in BLOCK.finditer(text)]


def spans_of(text: str) -> list[str]:
    """The code in the lines of a page. In a table, a bar is written with a backslash."""
    return [span.replace("\\|", "|") for span in SPAN.findall(FENCED.sub("", text))]


def variables_in(data: object) -> Iterator[tuple[str, object]]:
    """The keys that are named as variables of the roles, with their values, wherever they are."""
    if isinstance(data, dict):
        for name, value in data.items():
            if isinstance(name, str) and NAME.fullmatch(name):
                yield name, value
            else:
                yield from variables_in(value)
    elif isinstance(data, list):
        for item in data:
            yield from variables_in(item)


def has_template(value: object) -> bool:
    """Whether only a run tells what the value is, or what a part of it is."""
    if isinstance(value, (dict, list)):
        return any(map(has_template, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and "{{" in value


def problem_of(name: str, value: object) -> str:
    """Why a role does not take a value for a variable, or an empty text."""
    if name in OF_PLAYBOOKS:
        return ""
    if name not in OPTIONS:
        return f"{name}: no role has this variable"
    if isinstance(value, str) and has_template(value):
        return ""
    errors = ArgumentSpecValidator({name: OPTIONS[name]}).validate({name: value}).error_messages
    if errors:
        return f"{name}: {errors[0]}"
    if has_template(value):
        return ""
    try:
        CHECKS.get(name, lambda _value: None)(value)
    except InvalidValue as error:
        return str(error)
    return ""


@each_page
def test_the_blocks_can_be_read(page: Path) -> None:
    """Each is YAML of its own, without a key that is there twice."""
    for text in blocks_of(page.read_text(encoding="utf-8")):
        assert list(yaml.load_all(text, Loader)), text  # noqa: S506 - it is a SafeLoader


@each_page
def test_the_roles_take_the_variables_of_the_blocks(page: Path) -> None:
    """A reader copies them: the names are known, and the values can be used."""
    problems = []
    for text in blocks_of(page.read_text(encoding="utf-8")):
        for document in yaml.load_all(text, Loader):  # noqa: S506 - it is a SafeLoader
            problems += [problem for name, value in variables_in(document) if (problem := problem_of(name, value))]
    assert problems == []


@each_page
def test_the_roles_take_the_variables_within_a_line(page: Path) -> None:
    """Where a sentence or a table has `gunicorn_threads: 8`, this can be written."""
    problems = []
    for span in spans_of(page.read_text(encoding="utf-8")):
        # An error of a role begins in the same way.
        if re.match(rf"{NAME.pattern}: ", span) and "can't be used" not in span and "…" not in span:
            # What is left to the reader is three dots, for which a text stands here.
            given = yaml.load(span.replace("...", "more"), Loader)  # noqa: S506 - it is a SafeLoader
            problems += [problem for name, value in given.items() if (problem := problem_of(name, value))]
    assert problems == []


@each_page
def test_the_variables_that_a_page_names_exist(page: Path) -> None:
    """A name that is left over from a renaming leads a reader nowhere."""
    known = {*OPTIONS, *OF_PLAYBOOKS, *FORMER, *GIVEN, *OF_OTHERS, *OF_SERVERS, *MODULES}
    named = {
        name
        for span in spans_of(page.read_text(encoding="utf-8"))
        for name in re.findall(rf"(?<![\w./-])({NAME.pattern})(?![\w.-])", span)
    }
    assert sorted(named - known) == []


def exposed_in(data: object) -> Iterator[str]:
    """What others than root can read while Ansible runs or afterwards, and is given a secret of a vault."""
    if isinstance(data, dict):
        for name, value in data.items():
            if name in EXPOSED and "vault_" in str(value):
                yield f"{name}: {value}"
            yield from exposed_in(value)
    elif isinstance(data, list):
        for item in data:
            yield from exposed_in(item)


@each_page
def test_no_page_leads_to_a_secret_that_others_see(page: Path) -> None:
    """Every user of a host sees a task's environment and a command's words in the list of processes."""
    text = page.read_text(encoding="utf-8")
    documents = [data for block in blocks_of(text) for data in yaml.load_all(block, Loader)]  # noqa: S506 - it is a SafeLoader
    assert list(exposed_in(documents)) == []
    typed = [line for line in text.splitlines() if "ansible-vault encrypt_string" in line]
    assert [line for line in typed if "--prompt" not in line and "--stdin-name" not in line] == []


def has_package(task: dict, package: str) -> bool:
    """Whether a task installs a package."""
    names = task.get("ansible.builtin.apt", {}).get("name", [])
    return package in ([names] if isinstance(names, str) else names)


@each_page
def test_a_play_can_become_another_user_than_root(page: Path) -> None:
    """From a login that is not root's, Ansible needs setfacl for that, unless pipelining is set: a new Debian lacks it."""
    for text in blocks_of(page.read_text(encoding="utf-8")):
        for document in yaml.load_all(text, Loader):  # noqa: S506 - it is a SafeLoader
            for play in document if isinstance(document, list) else []:
                tasks = [*play.get("pre_tasks", []), *play.get("tasks", [])]
                users = [number for number, task in enumerate(tasks) if task.get("become_user", "root") != "root"]
                assert not users or any(has_package(task, "acl") for task in tasks[: users[0]]), text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gunicorn_worker", 4),
        ("gunicorn_state", "gone"),
        ("gunicorn_sizing", {"shares": 1}),
        ("gunicorn_release", {"git": "https://git.example.com/mysite.git", "branch": "main"}),
        ("gunicorn_release_steps", ["migrations"]),
        ("gunicorn_companions", {"worker": {"cmd": "celery worker"}}),
        ("gunicorn_settings", {"bind": "127.0.0.1:8000"}),
        ("gunicorn_bind", ["8000"]),
    ],
)
def test_what_a_role_refuses_is_found(name: str, value: object) -> None:
    """The checks above look at something."""
    assert problem_of(name, value)


def test_blocks_and_spans_are_found() -> None:
    """A block in a list, and code beside a block."""
    text = "1. So:\n\n   ```yaml\n   gunicorn_port: 1\n   ```\n\nOr `gunicorn_port: 2`.\n\n```console\n$ `date`\n```\n"
    assert blocks_of(text) == ["gunicorn_port: 1\n"]
    assert spans_of(text) == ["gunicorn_port: 2"]
    assert list(variables_in([{"vars": {"gunicorn_port": 1}}])) == [("gunicorn_port", 1)]
    task = {
        "environment": {"PASSWORD": "{{ vault_password }}"},
        "gunicorn_secrets": {"PASSWORD": "{{ vault_password }}"},
    }
    assert len(list(exposed_in([{"tasks": [task]}]))) == 1
    with pytest.raises(yaml.YAMLError):
        yaml.load("a: 1\na: 2\n", Loader)  # noqa: S506 - it is a SafeLoader
