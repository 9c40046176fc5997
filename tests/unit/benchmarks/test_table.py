# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records, and the table that is made from them."""

from __future__ import annotations

import dataclasses
import json

import pytest
from sizing_benchmark import table
from sizing_benchmark.cases import APPLICATIONS, LIMITS, MIB, Setting
from sizing_benchmark.results import Record, Results, is_disturbed
from sizing_benchmark.rules import Measured

HOST = {"nproc": 2, "cpus": 2.0, "memory": 16 << 30, "gunicorn": "27.0.1", "django": "5.2", "python": "3.11"}


def record(workers: int, threads: int = 1, throughput: float = 100.0, problem: str | None = None) -> Record:
    """Return the record of a setting, for the application that only computes and without limits."""
    rounds = [
        {"throughput": throughput + change, "p50": 0.1, "p99": 0.2, "disturbed": False} for change in (-10, 0, 20)
    ]
    return Record("cpu", "none", workers, threads, rounds, memory_peak=workers * 50 * MIB, problem=problem)


def results(*records: Record, worker_memory: int = 40 * MIB) -> Results:
    """Return records, with a measurement of the application."""
    return Results(HOST, list(records), {("cpu", "none"): Measured(0.0, worker_memory, 2 * worker_memory)})


def test_record_is_read_as_it_was_written() -> None:
    """The file also has the computed values, for other readers."""
    kept = json.loads(json.dumps(results(record(5), record(2, 8, problem="OOM kill")).as_dict()))
    assert Results.from_dict(kept).as_dict() == kept
    first, second = kept["records"]
    assert (first["throughput"], first["median"], first["class"]) == ([90, 100, 120], 100, "sync")
    assert (second["class"], second["admissible"], second["problem"]) == ("gthread", False, "OOM kill")


def test_setting_has_one_record() -> None:
    """A new one replaces the old."""
    kept = results(record(5), record(2))
    kept.add(record(5, throughput=200))
    assert [(one.workers, one.median) for one in kept.records] == [(2, 100), (5, 200)]


def test_rounds_that_others_disturbed_do_not_count() -> None:
    """Unless all were disturbed."""
    one = record(5)
    one.rounds[2]["disturbed"] = True
    assert (one.median, one.quiet) == (95, 2)
    for each in one.rounds:
        each["disturbed"] = True
    assert (one.median, one.quiet) == (100, 0)


@pytest.mark.parametrize(("foreign", "busy", "disturbed"), [(0.9, 1.95, True), (0.1, 2.0, False), (0.9, 1.5, False)])
def test_others_disturb_only_if_they_leave_no_cpu_time(foreign: float, busy: float, disturbed: bool) -> None:
    """If some is left, the service could not have used it: its quota was used up."""
    assert is_disturbed({"foreign": foreign, "busy": busy}, 2) is disturbed


def answer(**changes: object) -> dict:
    """Return an answer of the agent."""
    memory = {"pss": 90 * MIB, "pss_per_worker": 40 * MIB}
    return {"memory": memory, "memory_peak": 120 * MIB, "failures": [], "problem": None, **changes}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"reload_seconds": 1.0, "reload_longest": 0.5}, None),
        ({"reload_seconds": None, "reload_longest": None}, "the reload did not come to its end"),
        ({"problem": "OOM kill", "memory": None}, "OOM kill"),
        ({"failures": [{"kind": "reset", "detail": "by peer"}]}, "lost a request: reset: by peer"),
    ],
)
def test_setting_is_admissible_if_nothing_was_lost(changes: dict, problem: str | None) -> None:
    """Neither under load nor in the reload; and a problem of an earlier round stays."""
    given = answer(**changes)
    one = record(5)
    one.note(given)
    one.judge(one.trouble(given))
    one.judge(None)
    assert (one.problem, one.admissible, one.oom) == (problem, problem is None, problem == "OOM kill")


def test_memory_is_the_highest_of_all_rounds() -> None:
    """A round that could not read it has no effect."""
    one = Record("cpu", "none", 5, 1)
    for given in (
        answer(),
        answer(memory={"pss": MIB, "pss_per_worker": 50 * MIB}),
        answer(memory=None, memory_peak=None),
    ):
        one.note(given)
    assert (one.memory_peak, one.pss, one.pss_per_worker) == (120 * MIB, 90 * MIB, 50 * MIB)


def test_best_is_admissible() -> None:
    """A setting whose worker was killed does not count, however much it answered before."""
    assert (
        table.best([record(2), record(9, throughput=500, problem="OOM kill"), record(3, throughput=110)]).workers == 3
    )
    assert table.best([record(2, problem="OOM kill")]) is None


def test_best_was_measured_for_long() -> None:
    """A lucky short round of another setting does not count."""
    long = dataclasses.replace(record(2), final=True)
    assert table.best([long, record(9, throughput=110)]) is long


def cells(made: str, number: int) -> list[list[str]]:
    """Return the cells of one row, from each table that has so many rows."""
    tables = [part.splitlines() for part in made.split("\n\n") if part.startswith("|")]
    rows = [lines[1 + number] for lines in tables if len(lines) > 1 + number]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_table_has_the_share_of_the_best() -> None:
    """With memory and 99th percentile; a setting that was not measured is named as such."""
    made = table.table(results(record(5, throughput=80), record(2, throughput=100), record(7, throughput=160)))
    shares, figures = cells(made, 1)
    assert shares[:4] == ["cpu", "none", "7: 160/s", "5: 50%"]
    assert (shares[5], shares[-1]) == ("2: 62%", "3: not measured")
    assert figures[2:6] == ["350 MiB, 200 ms", "250 MiB, 200 ms", "250 MiB, 200 ms", "100 MiB, 200 ms"]
    (least,) = cells(made, 2)
    assert least[:6] == ["least", "", "", "**50%**", "**50%**", "**62%**"]


def test_table_says_how_much_of_a_quota_was_used() -> None:
    """Only settings that leave some of it unused can be surpassed by more requests at a time."""
    one = dataclasses.replace(record(2), limit="50%")
    for each, used in zip(one.rounds, (0.5, 0.45, 0.4)):
        each["cores"] = {"service": used}
    assert cells(table.table(results(one)), 1)[1][2] == "100 MiB, 200 ms, 90%"


def test_setting_that_did_not_last_has_its_reason_in_the_table() -> None:
    """Instead of a share of the best."""
    made = table.table(results(record(2), record(5, problem="OOM kill")))
    assert [row[3] for row in cells(made, 1)] == ["5: OOM kill", "OOM kill"]
    assert cells(made, 2)[0][3] == "fails 1 x"


def test_least_is_the_minimum_of_all_rows() -> None:
    """The rule with 2 workers reaches all of the best with one application, and half of it with the other."""
    other = [dataclasses.replace(record(2, throughput=50), application="memory"), record(5), record(2)]
    made = table.table(results(*other, dataclasses.replace(record(5, throughput=100), application="memory")))
    assert cells(made, 3)[0][5] == "**50%**"


def test_table_says_how_much_rounds_differ() -> None:
    """For settings that were measured more than once, and lasted."""
    assert "2 settings that have more than one differ by 24% of their median" in table.table(
        results(record(5, throughput=200), record(2, throughput=90), record(3, problem="OOM kill"))
    )


def test_missing_settings_are_those_that_rules_name() -> None:
    """And that are not measured yet."""
    assert table.missing(results(record(5), record(2))) == {("cpu", "none"): [Setting(3)]}
    assert table.missing(results(record(5), record(2), record(3))) == {}


def test_hundreds_of_workers_are_not_missing() -> None:
    """Passenger's rule fills the memory if an application waits."""
    kept = Results(HOST, [Record("wait", "none", 5, 1)], {("wait", "none"): Measured(0.0, 40 * MIB, 80 * MIB)})
    assert table.missing(kept) == {("wait", "none"): [Setting(2), Setting(3)]}
    assert "307: not measured, more than 96" in table.table(kept)


def test_facts_come_from_the_records() -> None:
    """The rules use the host that was measured, not this one."""
    facts = results(record(5)).facts(APPLICATIONS["cpu"], LIMITS["none"])
    assert (facts.nproc, facts.memory, facts.measured) == (2, 16 << 30, Measured(0.0, 40 * MIB, 80 * MIB))
    assert results().facts(APPLICATIONS["wait"], LIMITS["50%"]).measured is None
