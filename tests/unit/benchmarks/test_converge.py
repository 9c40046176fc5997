# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
from pathlib import Path

from converge_benchmark import run, table


def runs(case: str, way: str, hosts: int, *seconds: float) -> list[dict]:
    """Runs that took so many seconds, with costs that differ from each other."""
    return [
        run.Run(case, way, hosts, one, one / 2, one / 4 * hosts, 3 * hosts, 5000 * hosts)._asdict() for one in seconds
    ]


RESULTS = {
    "forks": 10,
    "cores": 2,
    "runs": [
        *runs("nothing", "floor", 1, 1.0, 9.0, 1.2),
        *runs("nothing", "role", 1, 3.0, 2.4, 2.0),
        *runs("nothing", "script", 1, 0.5, 0.6, 0.6),
        *runs("first", "role", 1, 10.0, 12.0, 11.0),
        *runs("first", "script", 1, 10.0, 10.0, 10.0),
    ],
}


def test_the_middle_of_the_rounds_is_compared() -> None:
    """One disturbed run has no effect."""
    assert "| a run that changes nothing | 1 | 1.20 s | 0.60 s | 2.40 s | 2.00 | 4.00 | 2.40 s |" in table.table(
        RESULTS
    )
    assert "| a first deployment | 1 | 1.20 s | 10.00 s | 11.00 s | 9.17 | 1.10 | 11.00 s |" in table.table(RESULTS)


def test_the_installer_is_compared_with_the_script_that_has_pip() -> None:
    """The script has no other."""
    made = table.table({**RESULTS, "runs": [*RESULTS["runs"], *runs("uv", "role", 1, 7.0)]})
    assert "| a first deployment with uv | 1 | 1.20 s | 10.00 s | 7.00 s | 5.83 | 0.70 | 7.00 s |" in made
    assert "uv" not in table.table(RESULTS)


def test_costs_are_those_of_one_host() -> None:
    """The controller's are those of the whole run."""
    results = {**RESULTS, "runs": runs("nothing", "role", 4, 8.0)}
    assert "| a run that changes nothing | 4 | the role | 8.00 s | 4.00 s | 2.00 s | 3 | 5 kB |" in table.table(results)


def test_results_of_several_runs_are_one_table() -> None:
    """It says how often each number of hosts was measured."""
    more = {**RESULTS, "runs": runs("nothing", "role", 4, 8.0)}
    made = table.table(table.joined([RESULTS, more]))
    assert "Medians of so many rounds on so many hosts: 3 on 1, 1 on 4. 10 forks;" in made
    assert "| a run that changes nothing | 1 | 1.20 s |" in made


def test_the_script_writes_the_files_unchanged(tmp_path: Path) -> None:
    """Their text is not taken for shell commands; only the number of workers changes."""
    files = {"a.conf": "$HOME `id` \\ 'x' \"y\"\nend\n", "b": "gunicorn --workers=2 $$MAINPID\n"}
    text = run.script(files, 5).partition("#!/bin/sh")[0]
    subprocess.run(["sh", "-c", text + f"write_files {tmp_path}"], check=True)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {**files, "b": "gunicorn --workers=5 $$MAINPID\n"}
