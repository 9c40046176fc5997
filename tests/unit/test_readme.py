# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "variables-table"
MADE = runpy.run_path(str(SCRIPT))
ROLES = tuple(MADE["TABLES"])


@pytest.mark.parametrize("role", ROLES)
def test_the_table_of_the_readme_is_up_to_date(role: str) -> None:
    """README.md says of each variable what the role's specification says."""
    update = "update it by: scripts/variables-table --write README.md"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    begin, end = MADE["comments"](role)
    assert readme.count(begin) == readme.count(end) == 1, f"README.md lacks {begin.strip()} and {end}; then {update}"
    assert readme.partition(begin)[2].partition(end)[0] == MADE["table"](role), update


def test_every_role_has_a_table() -> None:
    """None is left out, and the script prints all of them."""
    assert sorted(ROLES) == sorted(path.name for path in (ROOT / "roles").iterdir())
    printed = subprocess.run([sys.executable, SCRIPT], check=True, capture_output=True, text=True).stdout
    assert printed == "\n".join(MADE["table"](role) for role in ROLES)


def test_each_variable_has_a_row() -> None:
    """The keys of a variable have theirs, and every row has three cells."""
    table = MADE["table"]("gunicorn")
    lines = table.splitlines()
    assert lines[:3] == [
        "| variable | default | meaning |",
        "| --- | --- | --- |",
        "| `gunicorn_project` | required | The project's name, a Python package's name that is also fit to name a user and a "
        "unit - a lower-case letter, then up to 30 lower-case letters, digits and underscores. |",
    ]
    assert all(line.replace("\\|", "").count("|") == 4 for line in lines)
    assert (
        "| `gunicorn_user` | `{{ gunicorn_project }}` | The system user that the service runs as. Never root. |"
        in lines
    )
    assert '| `gunicorn_access_log_file` | `""` |' in table
    assert "| `gunicorn_bind` | `[]` |" in table
    assert "| `gunicorn_manage_user` | `true` |" in table
    assert "| `gunicorn_sizing.share` |  |" in table
    assert "One of `started`, `stopped`. |" in table


@pytest.mark.parametrize(
    ("description", "meaning"),
    [
        ("O(gunicorn_bind) is V([::1]:8000).", "`gunicorn_bind` is `[::1]:8000`."),
        (
            ["A C(MODULE:create_app(\\)).", "See M(pyweb.gunicorn.x)."],
            "A `MODULE:create_app()`. See `pyweb.gunicorn.x`.",
        ),
        ("A\nline.  P(pyweb.gunicorn.gunicorn#role)", "A line. `pyweb.gunicorn.gunicorn#role`"),
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


def test_write_replaces_the_tables_alone(tmp_path: Path) -> None:
    """What stands around them stays, and a second time changes nothing."""
    readme = tmp_path / "README.md"

    def text(tables: dict[str, str]) -> str:
        parts = ["{}{}{}".format(MADE["comments"](role)[0], tables[role], MADE["comments"](role)[1]) for role in ROLES]
        return "# Title\n\n" + "\nbetween\n".join(parts) + "\nrest é\n"

    readme.write_text(text(dict.fromkeys(ROLES, "old\n")), encoding="utf-8")
    for _time in range(2):
        subprocess.run([sys.executable, SCRIPT, "--write", readme], check=True)
        assert readme.read_text(encoding="utf-8") == text({role: MADE["table"](role) for role in ROLES})


def test_write_says_where_it_would_write(tmp_path: Path) -> None:
    """A file without the comments stays as it is."""
    (tmp_path / "README.md").write_text("# Title\n")
    command = [sys.executable, SCRIPT, "--write", tmp_path / "README.md"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "<!-- variables: begin -->" in done.stderr
    assert (tmp_path / "README.md").read_text() == "# Title\n"
