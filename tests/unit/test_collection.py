# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection says of itself: its action group, its licence and its guides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
# What a role puts into a service's directory is a part of that service's configuration, and has no header.
LICENSED = sorted(path for folder in ("plugins", "playbooks") for path in (ROOT / folder).rglob("*.py"))
# What ansible-doc shows
DOCUMENTED = sorted(
    path
    for pattern in ("plugins/modules/*.py", "plugins/doc_fragments/*.py", "plugins/filter/*.yml", "roles/*/meta/*.yml")
    for path in ROOT.glob(pattern)
)
HEADER = (
    "# Copyright: (c) 2026, the pyweb.gunicorn authors",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)


def test_all_modules_are_in_the_action_group() -> None:
    """A module that is left out does not get what module_defaults gives the group."""
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["action_groups"] == {"gunicorn": MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_the_documentation_of_a_module_names_the_action_group(module: str) -> None:
    """The attribute is in the fragment that all modules share."""
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    assert "  - pyweb.gunicorn.attributes\n" in text


@pytest.mark.parametrize("path", LICENSED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_names_its_license(path: Path) -> None:
    """Files of a collection are copied one by one, to hosts and into other collections."""
    lines = path.read_text(encoding="utf-8").splitlines()
    begin = 1 if lines[0].startswith("#!") else 0
    assert tuple(lines[begin : begin + 3]) == HEADER


def test_the_index_of_guides_has_each_page() -> None:
    """Where Ansible's documentation is read as a site, the pages in Markdown are found by this index alone."""
    index = (ROOT / "docs" / "docsite" / "rst" / "guides.rst").read_text(encoding="utf-8")
    named = re.findall(r"/blob/main/docs/(\w+\.md)>", index)
    assert sorted(named) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_markup_that_takes_a_backslash_has_one(path: Path) -> None:
    """C(f(\\)) ends at the first bracket: ansible-doc shows the backslash, and takes the rest for text. V() is for that."""
    assert re.findall(r"\b[BCI]\([^)\n]*\\\)", path.read_text(encoding="utf-8")) == []
