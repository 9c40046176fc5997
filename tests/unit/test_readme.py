# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""README.md, the roles' READMEs, and the script that makes their tables."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_links import broken_links

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "variables-table"
MADE = runpy.run_path(str(SCRIPT))
ROLES, BEGIN, END = (MADE[name] for name in ("ROLES", "BEGIN", "END"))
PAGES = (*ROOT.glob("*.md"), *(role / "README.md" for role in ROLES), *ROOT.glob("docs/*.md"))
each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def test_the_readme_is_short() -> None:
    """A newcomer reads it whole; what is longer is in the docs."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1500


def test_the_figures_are_those_of_the_page() -> None:
    """The README shows rows of the tables that programs write into docs/zero_downtime.md."""
    measured = (ROOT / "docs" / "zero_downtime.md").read_text(encoding="utf-8").splitlines()
    shown = re.findall(r"^\|.* \d+ of \d+ .*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(shown) > 5
    assert [row for row in shown if row not in measured] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the collection, and where they name a heading, to one of its headings."""
    assert broken_links(page, ROOT) == []


@each_role
def test_the_tables_of_a_role_are_up_to_date(role: Path) -> None:
    """README.md says of each variable what the role's specification says, once."""
    update = "update it by: scripts/variables-table --write"
    readme = (role / "README.md").read_text(encoding="utf-8")
    assert readme.count(BEGIN) == readme.count(END) == 1, f"README.md lacks {BEGIN.strip()} and {END}; then {update}"
    assert readme.partition(BEGIN)[2].partition(END)[0] == MADE["tables"](role), update


@each_role
def test_a_role_is_in_the_readme(role: Path) -> None:
    """None is left out, and the script prints the tables of all of them."""
    assert f"](roles/{role.name}/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    printed = subprocess.run([sys.executable, SCRIPT], check=True, capture_output=True, text=True).stdout
    assert MADE["tables"](role) in printed


def test_each_variable_has_a_row() -> None:
    """The keys of a variable have theirs, and every row has three cells."""
    tables = MADE["tables"](ROOT / "roles" / "gunicorn")
    lines = tables.splitlines()
    assert lines[:5] == [
        "### The project",
        "",
        "| variable | default | meaning |",
        "| --- | --- | --- |",
        "| `gunicorn_project` | required | The project's name - a lower-case letter, then up to 30 lower-case letters, digits and "
        "underscores, so that it can also name a Python package, a user and a unit.<br>Example: `gunicorn_project: mysite` |",
    ]
    rows = [line for line in lines if line and not line.startswith("#")]
    assert all(row.replace("\\|", "").count("|") == 4 for row in rows)
    assert (
        "| `gunicorn_manage_user` | `true` | Make the user and the group if the host lacks them. With `false`, both must exist."
        "<br>Example: `gunicorn_manage_user: false` |" in lines
    )
    assert '| `gunicorn_access_log_file` | `""` |' in tables
    assert "| `gunicorn_bind` | `[]` |" in tables
    assert "| `gunicorn_manage_user` | `true` |" in tables
    assert "| `gunicorn_sizing.share` |  |" in tables
    assert "<br>Example: `share: 0.5` |" in tables
    assert "One of `started`, `stopped`.<br>Example: `gunicorn_service_state: stopped` |" in tables


@pytest.mark.parametrize(
    ("description", "meaning"),
    [
        ("O(gunicorn_bind) is V([::1]:8000).", "`gunicorn_bind` is `[::1]:8000`."),
        (
            ["A C(MODULE:create_app(\\)).", "See M(pyweb.gunicorn.x)."],
            "A `MODULE:create_app()`. See `pyweb.gunicorn.x`.",
        ),
        ("A\nline.  P(pyweb.gunicorn.gunicorn#role)", "A line. `pyweb.gunicorn.gunicorn`"),
        ("TCP(7) and HTTP(S) stay.", "TCP(7) and HTTP(S) stay."),
        ("V(a\\\\b)", "`a\\b`"),
    ],
)
def test_markup_becomes_markdown(description: str | list, meaning: str) -> None:
    """Nothing of Ansible's own markup is left in the README."""
    assert MADE["meaning"]({"description": description}) == meaning


def test_a_bar_does_not_end_a_cell() -> None:
    """Markdown takes one for the cell's end even in code."""
    assert MADE["escaped"]("`x | y`") == "`x \\| y`"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the script reads, with READMEs that have old tables."""
    for name in ("scripts", "benchmarks", "roles"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for role in ROLES:
        (tmp_path / "roles" / role.name / "README.md").write_text(text("old\n"), encoding="utf-8")
    return tmp_path


def text(table: str) -> str:
    """A README with this table."""
    return f"# Title\n\n{BEGIN}{table}{END}\nrest é\n"


def write(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Have the script of a copy write the tables."""
    command = [sys.executable, checkout / "scripts" / SCRIPT.name, "--write"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_write_replaces_the_tables_alone(checkout: Path) -> None:
    """What is around them stays, and a second time changes nothing."""
    for _time in range(2):
        assert write(checkout).returncode == 0
        for role in ROLES:
            written = (checkout / "roles" / role.name / "README.md").read_text(encoding="utf-8")
            assert written == text(MADE["tables"](role))


def test_write_says_where_it_would_write(checkout: Path) -> None:
    """A file without the comments stays as it is."""
    readme = checkout / "roles" / "gunicorn" / "README.md"
    readme.write_text("# Title\n")
    done = write(checkout)
    assert done.returncode == 1
    assert "<!-- variables: begin -->" in done.stderr
    assert readme.read_text() == "# Title\n"
