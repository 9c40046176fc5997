# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a release: words, mappings, what is refused, what is pending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import steps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.steps import Step
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ROOT = Path(__file__).parents[5]
BAD_INPUT = yaml.safe_load((ROOT / "tests" / "fixtures" / "bad_input.yml").read_text(encoding="utf-8"))["steps"]
INDEX = {"name": "index", "command": "moin index-create"}


def parse(*value: Any) -> list[Step]:
    """The steps of a release whose static files are in staticfiles."""
    return steps.parse(list(value), "staticfiles")


def test_words_are_what_django_needs() -> None:
    """The usual four have a word; only migrate is done once for all hosts, and only two write into the release."""
    found = parse("check", "collectstatic", "compilemessages", "migrate")
    assert [(step.name, step.when, step.once, step.writes) for step in found] == [
        ("check", "build", False, ()),
        ("collectstatic", "build", False, ("staticfiles",)),
        ("compilemessages", "build", False, ("**/locale",)),
        ("migrate", "migrate", True, ()),
    ]
    assert found[3].command == ("python", "-m", "django", "migrate", "--noinput")


def test_a_mapping_has_defaults() -> None:
    """A name and a command are enough; a step that migrates is done once, others on each host."""
    (step,) = parse(INDEX)
    assert step == Step("index", ("moin", "index-create"), "migrate", 600, once=True)
    assert not parse({**INDEX, "when": "after"})[0].once
    assert not parse({**INDEX, "once": False})[0].once


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python -m x 'a b'", ("python", "-m", "x", "a b")),
        (["sleep", 5], ("sleep", "5")),
        (["x", "a\nb", ""], ("x", "a\nb", "")),
        ("echo $HOME; id", ("echo", "$HOME;", "id")),
    ],
)
def test_a_command_is_words_and_no_shell(command: object, words: tuple[str, ...]) -> None:
    """A string is split, and nothing in it is expanded."""
    assert parse({**INDEX, "command": command})[0].command == words


@pytest.mark.parametrize(
    ("item", "variable", "expected"),
    [
        ("migrat", "gunicorn_release_steps[0]", "one of check, collectstatic, compilemessages, migrate, or a mapping"),
        (5, "gunicorn_release_steps[0]", "or a mapping"),
        ({"command": "x"}, "gunicorn_release_steps[0]", "a mapping that has a name"),
        ({"name": "x"}, "gunicorn_release_steps[0]", "a mapping that has a command"),
        ({"name": "x", "command": []}, "gunicorn_release_steps[0]", "a mapping that has a command"),
        ({**INDEX, "name": "X y"}, "gunicorn_release_steps[0]['name']", "lower-case letters"),
        ({**INDEX, "name": "../x"}, "gunicorn_release_steps[0]['name']", "lower-case letters"),
        ({**INDEX, "comand": "x"}, "gunicorn_release_steps[0]['comand']", "one of name, command, when"),
        ({**INDEX, "command": "a 'b"}, "gunicorn_release_steps[0]['command']", "split like a shell's words (No closing"),
        ({**INDEX, "command": ["a", None]}, "gunicorn_release_steps[0]['command']", "a list of strings"),
        ({**INDEX, "command": {"a": 1}}, "gunicorn_release_steps[0]['command']", "a list of strings"),
        ({**INDEX, "command": ["", "a"]}, "gunicorn_release_steps[0]['command']", "a program"),
        ({**INDEX, "command": "  "}, "gunicorn_release_steps[0]['command']", "a program"),
        ({**INDEX, "command": ["a\0"]}, "gunicorn_release_steps[0]['command']", "NUL"),
        ({**INDEX, "when": "before"}, "gunicorn_release_steps[0]['when']", "one of build, migrate, after"),
        ({**INDEX, "timeout": 0}, "gunicorn_release_steps[0]['timeout']", "from 1 to 86400"),
        ({**INDEX, "timeout": "5 min"}, "gunicorn_release_steps[0]['timeout']", "seconds"),
        ({**INDEX, "timeout": True}, "gunicorn_release_steps[0]['timeout']", "seconds"),
        ({**INDEX, "once": "yes"}, "gunicorn_release_steps[0]['once']", "true or false"),
        ({**INDEX, "when": "build", "once": True}, "gunicorn_release_steps[0]['once']", "false for a step of build"),
        ({**INDEX, "when": "build", "repeat": True}, "gunicorn_release_steps[0]['repeat']", "false for a step of build"),
        ({**INDEX, "on_roll_back": True}, "gunicorn_release_steps[0]['on_roll_back']", "it is for after"),
        ({**INDEX, "writes": "/x"}, "gunicorn_release_steps[0]['writes']", "a list of directories"),
        ({**INDEX, "writes": ["x"]}, "gunicorn_release_steps[0]['writes']", "an absolute path"),
        ({**INDEX, "writes": ["/x y"]}, "gunicorn_release_steps[0]['writes']", "an absolute path"),
        ({**INDEX, "when": "build", "writes": ["/x"]}, "gunicorn_release_steps[0]['writes']", "relative to it"),
        ({**INDEX, "when": "build", "writes": ["."]}, "gunicorn_release_steps[0]['writes']", "without '.' and '..'"),
        ({**INDEX, "when": "build", "writes": ["a/../.."]}, "gunicorn_release_steps[0]['writes']", "without '.'"),
        ({**INDEX, "when": "build", "writes": ["a/"]}, "gunicorn_release_steps[0]['writes']", "relative to it"),
        ({**INDEX, "when": "build", "writes": ["a\nb"]}, "gunicorn_release_steps[0]['writes']", "relative to it"),
        ({**INDEX, "environment": ["A=1"]}, "gunicorn_release_steps[0]['environment']", "a mapping"),
        ({**INDEX, "environment": {"A-B": 1}}, "gunicorn_release_steps[0]['environment']", "names of letters"),
        ({**INDEX, "environment": {"A": [1]}}, "gunicorn_release_steps[0]['environment']['A']", "a string"),
        ({**INDEX, "environment": {"GUNICORN_STEP": "x"}}, "gunicorn_release_steps[0]['environment']", "another name"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(item: object, variable: str, expected: str) -> None:
    """The error names the item, the key in it, and what was expected."""
    with pytest.raises(InvalidValue) as error:
        parse(item)
    assert error.value.variable == variable
    assert expected in error.value.expected


@pytest.mark.parametrize("row", BAD_INPUT, ids=lambda row: row["names"])
def test_bad_input_is_refused(row: dict[str, Any]) -> None:
    """What the scenario bad_input gives to the role."""
    with pytest.raises(InvalidValue) as error:
        parse(*row["value"])
    assert (error.value.variable, error.value.value) == (row["names"], row["shows"])


def test_two_steps_have_two_names() -> None:
    """What was done is noted by a step's name."""
    with pytest.raises(InvalidValue, match=r"gunicorn_release_steps\[1\]: 'migrate' .* no other step has"):
        parse("migrate", {**INDEX, "name": "migrate"})


def test_a_directory_in_another_one_is_written_with_it() -> None:
    """No directory is handed over twice."""
    step = {**INDEX, "when": "build", "writes": ["a", "a/b", "ab", "a"]}
    assert parse(step)[0].writes == ("a", "ab")


def test_the_hash_is_over_what_a_step_does() -> None:
    """A step that does another thing has another hash; one that may take longer has not."""
    step = parse(INDEX)[0]
    for same in ({"timeout": 5}, {"once": False}, {"repeat": True}, {"reversible": False}, {"name": "other"}):
        assert parse({**INDEX, **same})[0].hash == step.hash
    for other in ({"command": "moin index-destroy"}, {"writes": ["/x"]}, {"environment": {"A": 1}}, {"when": "after"}):
        assert parse({**INDEX, **other})[0].hash != step.hash


def test_the_hash_of_a_build_is_over_what_is_built() -> None:
    """A release without build steps has none; steps of other phases, and time-outs, are no part of it."""
    build = {"name": "bundle", "command": "npm ci", "when": "build", "writes": ["dist"]}
    assert steps.build_hash(parse("migrate", "check", INDEX)) == ""
    assert steps.build_hash(parse("check", build)) == steps.build_hash(parse(build))
    assert steps.build_hash(parse("migrate", build)) == steps.build_hash(parse({**build, "timeout": 9}))
    hashes = [
        parse(build),
        parse("collectstatic", build),
        parse({**build, "command": "npm i"}),
        parse({**build, "name": "pack"}),
    ]
    assert len(set(map(steps.build_hash, hashes))) == 4


def test_what_is_done_is_not_done_again() -> None:
    """Pending is what was not done, does another thing by now, or says that it is repeated; by phase."""
    cache = {"name": "cache", "command": "x", "when": "after", "repeat": True}
    found = parse(cache, "migrate", INDEX, "collectstatic")
    done = {step.name: {"hash": step.hash} for step in found if step.name != "index"}
    assert [step.name for step in steps.pending(found, {})] == ["collectstatic", "migrate", "index", "cache"]
    assert [step.name for step in steps.pending(found, done)] == ["index", "cache"]
    assert [step.name for step in steps.pending(found, done, switching=False)] == ["index"]
    assert [step.name for step in steps.pending(found, {**done, "migrate": {"hash": "0"}})] == [
        "migrate",
        "index",
        "cache",
    ]


@given(
    step=st.builds(
        Step,
        name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,30}", fullmatch=True),
        command=st.lists(st.text(), min_size=1).map(tuple),
        when=st.sampled_from(steps.PHASES),
        timeout=st.integers(1, 86400),
        writes=st.lists(st.text()).map(tuple),
        environment=st.dictionaries(st.text(), st.text()),
    )
)
def test_a_step_survives_a_note(step: Step) -> None:
    """A note is JSON: what is read from it is the step, with the same hash."""
    read = steps.from_dict({**json.loads(json.dumps(step.as_dict())), "pending": True})
    assert read == step
    assert read.hash == step.hash
