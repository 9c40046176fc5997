# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table: medians, and what the role takes for each second of the others."""

from __future__ import annotations

import statistics

from documents import markdown

CASES = {
    "first": "a first deployment",
    "uv": "a first deployment with uv",
    "nothing": "a run that changes nothing",
    "workers": "another number of workers",
}
# The script installs with pip in any case.
COMPARED_WITH = {"uv": "first"}
WAYS = {
    "floor": "an empty module",
    "module": "`gunicorn_plan_info` alone",
    "script": "the shell script",
    "role": "the role",
}


def table(results: dict) -> str:
    """Return the tables in Markdown."""
    runs = results["runs"]
    numbers = sorted({run["hosts"] for run in runs})
    heads = ("case", "hosts", "empty module", "script", "role", "role / module", "role / script", "role, a host")
    lines = [heads, ("---", "---:") + ("---:",) * (len(heads) - 2)]
    lines += [row(runs, case, number) for case in CASES for number in numbers if of(runs, case, "role", number)]
    used = ("CPU of the controller", "CPU of a host", "tasks of a host", "bytes of a host")
    heads = ("case", "hosts", "way", "time", *used)
    costs = [heads, ("---", "---:", "---") + ("---:",) * (len(heads) - 3)]
    costs += [
        cost
        for case in CASES
        for number in dict.fromkeys((numbers[0], numbers[-1]))
        for way in WAYS
        if (cost := costs_of(runs, case, number, way))
    ]
    rounds = ", ".join(f"{len(of(runs, 'nothing', 'role', number))} on {number}" for number in numbers)
    told = (
        f"Medians of so many rounds on so many hosts: {rounds}. {results['forks']} forks; controller and hosts share "
        f"{results['cores']} cores."
    )
    return f"{markdown(lines)}\n{told}\n\n{markdown(costs)}"


def joined(results: list[dict]) -> dict:
    """Return the results of several runs of the benchmark as the results of one."""
    return {**results[0], "runs": [run for result in results for run in result["runs"]]}


def of(runs: list[dict], case: str, way: str, number: int) -> list[dict]:
    """Return the runs of a case in one way on so many hosts."""
    return [run for run in runs if (run["case"], run["way"], run["hosts"]) == (case, way, number)]


def median(runs: list[dict], key: str) -> float:
    """Return the median of a value; nan if there are no runs."""
    return statistics.median(run[key] for run in runs) if runs else float("nan")


def row(runs: list[dict], case: str, number: int) -> tuple[str, ...]:
    """Return a row with the times of a case, and their ratios."""
    floor = median(of(runs, "nothing", "floor", number), "seconds")
    script = median(of(runs, COMPARED_WITH.get(case, case), "script", number), "seconds")
    role = median(of(runs, case, "role", number), "seconds")
    times = (f"{floor:.2f} s", f"{script:.2f} s", f"{role:.2f} s")
    return (CASES[case], str(number), *times, f"{role / floor:.2f}", f"{role / script:.2f}", f"{role / number:.2f} s")


def costs_of(runs: list[dict], case: str, number: int, way: str) -> tuple[str, ...] | None:
    """Return a row with the other costs of a case, if it was measured."""
    found = of(runs, case, way, number)
    if not found:
        return None
    controller, host = median(found, "controller_cpu"), median(found, "host_cpu") / number
    tasks, sent = median(found, "tasks") / number, median(found, "bytes") / number
    return (
        CASES[case],
        str(number),
        WAYS[way],
        f"{median(found, 'seconds'):.2f} s",
        f"{controller:.2f} s",
        f"{host:.2f} s",
        f"{tasks:.0f}",
        f"{sent / 1000:.0f} kB",
    )
