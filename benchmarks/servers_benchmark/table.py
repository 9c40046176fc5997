# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables: medians of the undisturbed rounds at rest, and the sums of what was lost."""

from __future__ import annotations

import collections
import statistics

from documents import markdown

from servers_benchmark.servers import PAGES, SERVERS

MIB = 1 << 20
CHANGES = ("restart", "reload", "broken")


def text(results: dict) -> str:
    """Return how each server is set up, and the tables, in Markdown."""
    rounds = {name: of(results, name) for name in SERVERS if of(results, name)}
    heads = ("", "version", "processes x threads", "page, answers/s", "p99", "waiting, answers/s", "p99", "memory")
    rest = [heads, ("---", "---", "---:", "---:", "---:", "---:", "---:", "---:")]
    limit = results["options"]["foreign"]
    rest += [rest_row(results["facts"], name, of_one, limit) for name, of_one in rounds.items()]
    heads = ("", "restart", "reload", "broken release", "answers then", "and after a restart")
    changes = [heads, ("---", *("---:",) * 5)]
    changes += [change_row(name, of_one, limit) for name, of_one in rounds.items()]
    setups = "".join(f"- **{SERVERS[name].title}**: {SERVERS[name].setup}.\n" for name in rounds)
    return f"{setups}\n{markdown(rest)}\n{told(results)}\n\n{markdown(changes)}"


def joined(results: list[dict]) -> dict:
    """Return the results of several runs as those of one."""
    return {**results[0], "rounds": [one for result in results for one in result["rounds"]]}


def of(results: dict, name: str) -> list[dict]:
    """Return the rounds of a server."""
    return [one for one in results["rounds"] if one["server"] == name]


def told(results: dict) -> str:
    """Return the sentences about the run."""
    facts, options = results["facts"], results["options"]
    counts = collections.Counter(one["server"] for one in results["rounds"])
    # Fewer of some than wanted, if the run was ended early
    fewest, most = min(counts.values()), max(counts.values())
    rounds = f"{most} round{'s' if most > 1 else ''}" if fewest == most else f"{fewest} to {most} rounds"
    return (
        f"Medians of {rounds} of {options['seconds']:g} s, with {options['concurrency']} requests under way. "
        f"Django {facts['versions']['Django']}, Python {facts['python']}, nginx {facts['nginx']}, Apache "
        f"{facts['apache']}; {facts['nproc']} cores, which the servers share with nginx and the load generator. What "
        f"was measured while others on the machine took more than {options['foreign']:g} cores does not count, unless "
        "they always did (`*`)."
    )


def rest_row(facts: dict, name: str, rounds: list[dict], limit: float) -> tuple[str, ...]:
    """Return a row about a server that nothing changes."""
    server = SERVERS[name]
    processes, threads = facts["sizes"][name]
    cells = [cell for page in PAGES for cell in rest_cells([one[page] for one in rounds], limit)]
    memory = statistics.median(one["memory"] for one in rounds) / MIB
    version = f"{server.package} {facts['versions'][server.package]}"
    return (server.title, version, f"{processes} x {threads}", *cells, f"{memory:.0f} MiB")


def rest_cells(measured: list[dict], limit: float) -> tuple[str, str]:
    """Return the answers a second and the 99th percentile of a page."""
    quiet, mark = undisturbed(measured, limit)
    rate, p99 = (statistics.median(one[key] for one in quiet) for key in ("rate", "p99"))
    return f"{rate:.0f}{mark}", f"{p99 * 1000:.0f} ms{mark}"


def undisturbed(measured: list[dict], limit: float) -> tuple[list[dict], str]:
    """Return the measurements that others did not disturb; if there are none, all of them and a mark."""
    quiet = [one for one in measured if one["foreign"] <= limit]
    return (quiet, "") if quiet else (measured, "*")


def change_row(name: str, rounds: list[dict], limit: float) -> tuple[str, ...]:
    """Return a row about a server that is changed."""
    cells = [change_cell([one[change] for one in rounds], limit) for change in CHANGES]
    shares = [answer_cell([one[key] for one in rounds]) for key in ("answers", "answers_restarted")]
    return (SERVERS[name].title, *cells, *shares)


def change_cell(changes: list[dict], limit: float) -> str:
    """Return the lost requests of all rounds, and the longest time of an answer in the middle one."""
    quiet, mark = undisturbed(changes, limit)
    lost, requests = (sum(change[key] for change in quiet) for key in ("lost", "requests"))
    longest = [change["longest"] for change in quiet if change["longest"] is not None]
    return f"{lost} of {requests}" + (f", {statistics.median(longest):.1f} s" if longest else "") + mark


def answer_cell(shares: list[float]) -> str:
    """Return whether the site answers, in all rounds or in some."""
    share = statistics.mean(shares)
    return {1.0: "yes", 0.0: "no"}.get(share, f"{share:.0%}")
