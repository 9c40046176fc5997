# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/troubleshooting.md quotes messages as the source has them, and leaves out no kind of error."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
SOURCES = sorted([*ROOT.glob("plugins/**/*.py"), *ROOT.glob("roles/*/files/*.py")])
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
PLAYBOOKS = sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")])
# In the page, three dots are for what differs from one error to the next.
OPEN = "…"
# A message is the code in the first cell of a row.
QUOTED = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
# Which errors the rows of a section are about
COVERED = {name for line in re.findall(r"<!-- errors: (.*?) -->", PAGE) for name in line.split(", ")}
# Errors of these have a row for each message. Those of others are quoted by these, or have a general row.
EACH = ("BalancerError", "DeployError", "RemovalError", "SiteError", "SupervisorError", "VenvError")
# Errors that are caught where they are raised, so that nobody sees them
INTERNAL = {"NoSuchCommit", "NotStarted", "Rejected"}


def template(node: ast.expr) -> str:
    """A text of the source, with OPEN for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w*\}", OPEN, node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    return OPEN


def templates_of(tree: ast.Module) -> Iterator[str]:
    """All texts of a module but its docstrings."""
    nodes = list(ast.walk(tree))
    alone = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and node not in alone:
            yield template(node)


def messages_of(path: Path) -> Iterator[str]:
    """What the tasks of a file fail with, if it is a text of their own."""
    for text in failures_in(yaml.safe_load(path.read_text(encoding="utf-8"))):
        shown = re.sub(r"\{\{.*?\}\}", OPEN, " ".join(text.split()))
        if len(shown.replace(OPEN, "").strip()) > 5:
            yield shown


def failures_in(data: object) -> Iterator[str]:
    """The texts of assert and fail, wherever they are."""
    if isinstance(data, dict):
        for name, value in data.items():
            if name == "ansible.builtin.fail":
                yield value["msg"]
            elif name == "ansible.builtin.assert":
                yield value["fail_msg"]
            else:
                yield from failures_in(value)
    elif isinstance(data, list):
        for item in data:
            yield from failures_in(item)


def raised() -> Iterator[tuple[str, str]]:
    """Each error of the collection's own that is raised: its class, and its message or an empty text."""
    own = {node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func).rpartition(".")[2]
                if name in own:
                    yield name, template(node.exc.args[0]) if len(node.exc.args) == 1 else ""


def failed_modules() -> Iterator[str]:
    """What modules fail with, beside an error's own message."""
    for path, tree in TREES.items():
        for node in ast.walk(tree) if path.parent.name == "modules" else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("fail_json"):
                yield from (template(keyword.value) for keyword in node.keywords if keyword.arg == "msg")


def fits(quoted: str, text: str) -> bool:
    """Whether a text has what is quoted, in this order, with anything in between."""
    place = 0
    for part in map(str.strip, quoted.split(OPEN)):
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True


def words_in(text: str) -> int:
    """How many words a text has."""
    return len(re.findall(r"[A-Za-z']*[A-Za-z][A-Za-z']*", text))


def is_quoted(text: str) -> bool:
    """Whether a row quotes a part of a message, or the message has hardly any words of its own."""
    return words_in(text) < 3 or any(fits(quoted, text) for quoted in QUOTED)


TEXTS = sorted(
    {text for tree in TREES.values() for text in templates_of(tree)}
    | {text for path in PLAYBOOKS for text in messages_of(path)}
)


@pytest.mark.parametrize("quoted", QUOTED)
def test_the_source_has_what_is_quoted(quoted: str) -> None:
    """A reader finds the page by the words of the message."""
    assert any(fits(quoted, text) for text in TEXTS)


def test_each_message_is_there_once() -> None:
    """Two rows for one message would say two things, and a row of hardly any words would be one for all."""
    assert len(QUOTED) > 50
    assert [quoted for quoted in QUOTED if words_in(quoted) < 2] == []
    assert sorted(QUOTED) == sorted(set(QUOTED))


@pytest.mark.parametrize("name", EACH)
def test_each_message_of_a_main_kind_has_a_row(name: str) -> None:
    """What a change, a site, a balancer, an installation or a removal can fail with."""
    assert [text for each, text in raised() if each == name and not is_quoted(text)] == []


def test_what_modules_and_tasks_say_themselves_has_a_row() -> None:
    """The rest is an error's own message."""
    said = [*failed_modules(), *(text for path in PLAYBOOKS for text in messages_of(path))]
    assert [text for text in said if not is_quoted(text)] == []


def test_each_kind_of_error_has_a_section() -> None:
    """A new class must be thought of."""
    kinds = {name for name, _text in raised()} - INTERNAL
    assert kinds - COVERED == set()
    assert COVERED - kinds == set()


def test_a_message_that_is_no_more_is_found() -> None:
    """The checks above look at something."""
    assert fits("a … on …", "a text on a page")
    assert not fits("on … text", "a text on a page")
    assert not is_quoted("there is nothing that anybody has quoted")
