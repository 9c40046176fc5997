# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role rolling_update, and what an execution environment is told."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "rolling_update"


def load(path: Path) -> dict:
    """A YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


SPECS = load(ROLE / "meta/argument_specs.yml")["argument_specs"]
DEFAULTS = load(ROLE / "defaults/main.yml")


def test_the_defaults_are_the_documented_ones() -> None:
    """The same names with the same values in the same order, at both entry points."""
    for entry in ("main", "preflight"):
        documented = {name: option["default"] for name, option in SPECS[entry]["options"].items()}
        assert list(documented.items()) == list(DEFAULTS.items())


def test_the_play_that_looks_changes_nothing() -> None:
    """It applies the role to all hosts at once."""
    looking, updating = yaml.safe_load((ROOT / "playbooks/rolling_update.yml").read_text(encoding="utf-8"))
    assert looking["check_mode"] is True
    assert "serial" not in looking
    assert "serial" in updating


def test_an_execution_environment_finds_what_it_is_told_of() -> None:
    """By paths from the collection's root, and in files that are in the artifact."""
    dependencies = load(ROOT / "meta/execution-environment.yml")["dependencies"]
    ignored = load(ROOT / "galaxy.yml")["build_ignore"]
    for path in dependencies.values():
        assert (ROOT / path).is_file()
        assert path.split("/")[0] not in ignored
