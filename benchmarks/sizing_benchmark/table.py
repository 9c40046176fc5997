# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table: how much each rule reaches of the best that the sweep found."""

from __future__ import annotations

import functools
import statistics
import typing as t
from collections.abc import Callable

from documents import markdown

from sizing_benchmark import plan, rules
from sizing_benchmark.cases import APPLICATIONS, LIMITS, MIB, Setting
from sizing_benchmark.results import Record, Results

BEGIN, END = "<!-- sizing-benchmark: made by benchmarks/sizing -->\n", "<!-- end of sizing-benchmark -->"


def best(records: list[Record]) -> Record | None:
    """Return the admissible record with the most requests a second; of those with final rounds, if there are any."""
    admissible = [record for record in records if record.admissible and record.median]
    final = [record for record in admissible if record.final]
    return max(final or admissible, key=lambda record: record.median or 0, default=None)


def missing(results: Results) -> dict[tuple[str, str], list[Setting]]:
    """Return the settings that rules name and that were not measured, by application and limit."""
    found: dict[tuple[str, str], list[Setting]] = {}
    for application, limit in measured_cases(results):
        facts = results.facts(APPLICATIONS[application], LIMITS[limit])
        named = {setting for setting in rules.named(facts).values() if setting and plan.is_measurable(setting)}
        lacking = [one for one in sorted(named) if not results.find(facts.application, facts.limit, one)]
        if lacking:
            found[application, limit] = lacking
    return found


def measured_cases(results: Results) -> list[tuple[str, str]]:
    """Return the applications and limits that have records."""
    there = {(record.application, record.limit) for record in results.records}
    return [(application, limit) for limit in LIMITS for application in APPLICATIONS if (application, limit) in there]


class Row(t.NamedTuple):
    """An application under a limit: the best of the sweep, and each rule's setting with its record, if measured."""

    application: str
    limit: str
    top: Record | None
    cells: list[tuple[Setting | None, Record | None]]


def rows_of(results: Results) -> list[Row]:
    """Return a row for each application and limit."""
    rows = []
    for application, limit in measured_cases(results):
        facts = results.facts(APPLICATIONS[application], LIMITS[limit])
        find = functools.partial(results.find, facts.application, facts.limit)
        cells = [(setting, setting and find(setting)) for setting in rules.named(facts).values()]
        rows.append(Row(application, limit, best(results.of(facts.application, facts.limit)), cells))
    return rows


def table(results: Results) -> str:
    """Return the tables in Markdown: what each rule reaches, what it needs, and how much the rounds differ."""
    rows = rows_of(results)
    shares = table_of_rules(rows, best_throughput, share)
    costs = table_of_rules(rows, best_figures, lambda row, setting, record: figures(record))
    return "\n".join(
        [
            "Workers, or workers x threads, and the share of the best setting's throughput:\n",
            f"{shares}| least | | | {' | '.join(least(rows, column) for column in range(len(rules.RULES)))} |",
            "\nThe most memory that the service had, page cache and a reload included, the 99th percentile of the "
            "answers' times, and how much of its quota it used:\n",
            costs,
            repeatability(results),
            "",
        ]
    )


def table_of_rules(rows: list[Row], top: Callable[[Row], str], cell: Callable[..., str]) -> str:
    """Return a table with a column for each rule."""
    lines = [("application", "limit", "best", *rules.RULES), ("---", "---") + ("---:",) * (1 + len(rules.RULES))]
    for row in rows:
        cells = [cell(row, setting, record) if record else lacking(setting) for setting, record in row.cells]
        lines.append((row.application, row.limit, top(row), *cells))
    return markdown(lines)


def best_throughput(row: Row) -> str:
    """Return the best setting and its throughput."""
    return f"{row.top.setting}: {row.top.median:.0f}/s" if row.top else "none"


def best_figures(row: Row) -> str:
    """Return the figures of the best setting."""
    return figures(row.top) if row.top else ""


def lacking(setting: Setting | None) -> str:
    """Return that a setting was not measured, and why if it never is."""
    if setting is None:
        return "not measured"
    reason = "" if plan.is_measurable(setting) else f", more than {plan.MOST_WORKERS}"
    return f"{setting}: not measured{reason}"


def share(row: Row, setting: Setting, record: Record) -> str:
    """Return how much of the best a rule's setting reaches."""
    part = reached(row, record)
    return f"{setting}: {record.problem}" if part is None else f"{setting}: {part:.0%}"


def reached(row: Row, record: Record | None) -> float | None:
    """Return the share of the best; None if the setting did not last."""
    if not (row.top and row.top.median and record and record.admissible and record.median):
        return None
    return record.median / row.top.median


def least(rows: list[Row], column: int) -> str:
    """Return the smallest share that a rule reaches, and how often its setting did not last."""
    records = [row.cells[column][1] for row in rows]
    shares = [reached(row, record) for row, record in zip(rows, records) if record]
    failed = shares.count(None)
    lasting = [part for part in shares if part is not None]
    told = [f"**{min(lasting):.0%}**"] if lasting else []
    return ", ".join([*told, *([f"fails {failed} x"] if failed else [])])


def figures(record: Record) -> str:
    """Return the memory and the 99th percentile of a setting that lasted, and how much of a quota it used."""
    if not record.admissible:
        return str(record.problem)
    quota = LIMITS[record.limit].quota
    used = f", {record.cpus / quota:.0%}" if quota else ""
    return f"{(record.memory_peak or 0) / MIB:.0f} MiB, {1000 * (record.middle('p99') or 0):.0f} ms{used}"


def repeatability(results: Results) -> str:
    """Return a sentence on what was measured, and on how much the rounds of one setting differ."""
    spreads = sorted(
        (max(values) - min(values)) / statistics.median(values)
        for record in results.records
        if len(values := [one["throughput"] for one in record.rounds if not one["disturbed"]]) > 1 and record.admissible
    )
    host = results.host
    told = f"Gunicorn {host['gunicorn']}, Django {host['django']}, Python {host['python']}, {host['nproc']} cores."
    if not spreads:
        return f"{told} One round."
    nine = spreads[min(len(spreads) - 1, int(0.9 * len(spreads)))]
    return (
        f"{told} The undisturbed rounds of {len(spreads)} settings that have more than one differ by "
        f"{statistics.median(spreads):.0%} of their median, and nine settings of ten by at most {nine:.0%}."
    )
